"""The regions of a layout that get latents of their own when a whole picture is refined.

No latent of a generator describes every layout: a fringe of one face, the jaw of another. With one latent for each
region the picture follows better than with one for all of it, and better than with one for each class, since an eye is
a few cells and is drawn by what surrounds it. So classes are grouped by area and adjacency; their names play no part.
"""

from __future__ import annotations

import cv2
import numpy as np

from smis_desktop.document.palette import UNKNOWN_CHANNEL

MAX_REGIONS = 8
_LEAST_AREA = 0.006
"""Smaller classes, as a part of the layout, belong to the neighbour that they share most of their outline with."""
_ENCLOSED = 0.7
"""So do classes that share this part of their outline with one neighbour,"""
_MUCH_LARGER = 3
"""which is so many times as large."""
_SOFTNESS = 2.0
"""Standard deviation of the blur of the masks, in cells of MASK_SIDE."""


def region_masks(layout: np.ndarray) -> list[np.ndarray]:
    """Return the soft masks of a layout's regions, the largest first, uint8 [MASK_SIDE, MASK_SIDE] each, read-only.

    They add up to 255 at most, and to less near unlabelled cells, which belong to none.

    Args:
        layout: integers [MASK_SIDE, MASK_SIDE] in channels.
    """
    groups = _groups(layout)
    if len(groups) < 2:
        return []
    labelled = layout != UNKNOWN_CHANNEL
    planes = [np.isin(layout, sorted(group)) & labelled for group in groups]
    planes.sort(key=lambda plane: -int(plane.sum()))
    soft = [cv2.GaussianBlur(plane.astype(np.float32), (0, 0), _SOFTNESS) for plane in planes]
    masks, taken = [], np.zeros_like(layout, dtype=np.int32)
    for plane in soft:
        mask = np.minimum(np.round(plane * 255).astype(np.int32), 255 - taken)
        taken += mask
        own = mask.astype(np.uint8)
        own.setflags(write=False)
        masks.append(own)
    return masks


class _Group:
    """Classes that share a region. area: in cells; outlines: how long the outline is that it shares with each class."""

    def __init__(self, channel: int, area: int, outlines: dict[int, int]) -> None:
        self.channels, self.area, self.outlines = {channel}, area, outlines

    def shared_with(self, other: _Group) -> int:
        return sum(self.outlines.get(channel, 0) for channel in other.channels)

    def absorb(self, other: _Group) -> None:
        self.channels |= other.channels
        self.area += other.area
        for channel, length in other.outlines.items():
            self.outlines[channel] = self.outlines.get(channel, 0) + length


def _groups(layout: np.ndarray) -> list[set[int]]:
    """Return which classes share a region, the smallest group first."""
    outlines = _outlines(layout)
    groups = [
        _Group(int(channel), int((layout == channel).sum()), outlines.get(int(channel), {}))
        for channel in np.unique(layout)
        if channel != UNKNOWN_CHANNEL
    ]
    while len(groups) > 1:
        groups.sort(key=lambda group: group.area)
        joined = next(((group, into) for group in groups if (into := _home(group, groups, layout.size))), None)
        if joined is None:
            break
        group, into = joined
        groups.remove(group)
        into.absorb(group)
    return [group.channels for group in groups]


def _home(group: _Group, groups: list[_Group], cells: int) -> _Group | None:
    """Return the group whose region a group belongs to, None if it has one of its own."""
    lengths = {other: group.shared_with(other) for other in groups if other is not group}
    neighbour = max(lengths, key=lambda other: (lengths[other], other.area))
    is_enclosed = (
        lengths[neighbour] >= _ENCLOSED * max(1, sum(lengths.values())) and neighbour.area >= _MUCH_LARGER * group.area
    )
    is_one_too_many = len(groups) > MAX_REGIONS and group is groups[0]
    return neighbour if group.area < _LEAST_AREA * cells or is_enclosed or is_one_too_many else None


def _outlines(layout: np.ndarray) -> dict[int, dict[int, int]]:
    """Return how many neighbouring cells each two classes have: {channel: {other channel: count}}."""
    found: dict[int, dict[int, int]] = {}
    for one, other in ((layout[:, :-1], layout[:, 1:]), (layout[:-1], layout[1:])):
        differs = (one != other) & (one != UNKNOWN_CHANNEL) & (other != UNKNOWN_CHANNEL)
        pairs, counts = np.unique(np.stack((one[differs], other[differs])), axis=1, return_counts=True)
        for (a, b), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            for first, second in ((a, b), (b, a)):
                lengths = found.setdefault(first, {})
                lengths[second] = lengths.get(second, 0) + count
    return found
