"""Locality: how much of a picture stays when a place of it is repainted, and how well that place follows its layout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.document.reduction import reduce_label_map

_NEAR = 2
"""What is near a change: cells up to this many from one that changes."""


@dataclass(frozen=True)
class PictureChange:
    """How much two pictures differ inside and outside a mask, in grey levels: means of all pixels and channels, and the
    99th percentile of pixels. None where there is no such pixel."""

    inside: float | None
    outside: float | None
    outside_p99: float | None


def picture_change(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> PictureChange:
    """Compare two pictures, uint8 [S, S, 3].

    mask: uint8 [m, m], 0 outside.
    """
    pixels = np.abs(after.astype(np.int16) - before).mean(2, dtype=np.float64)
    is_inside = cv2.resize(mask, pixels.shape, interpolation=cv2.INTER_NEAREST) > 0
    inside, outside = pixels[is_inside], pixels[~is_inside]
    return PictureChange(
        float(inside.mean()) if inside.size else None,
        float(outside.mean()) if outside.size else None,
        float(np.percentile(outside, 99)) if outside.size else None,
    )


def changed_class_iou(before: np.ndarray, after: np.ndarray, seen: np.ndarray, palette: Palette) -> dict[int, float]:
    """Return the intersection over union of each class that a change of the layout touches, near that change.

    Args:
        before, after: uint8 [H, H] class ids each, of any size; ids that the palette lacks count as empty.
        seen: uint8 [r, r], the classes that a model sees in the picture of `after`.

    Returns:
        0–1 by class id, of the classes that the layout still has there.
    """
    side = len(seen)
    old, new = (_known(layout, palette) for layout in (before, after))
    common = max(len(old), len(new), side)
    old, new = (_sampled(layout, common) for layout in (old, new))
    differs = old != new
    cells = np.zeros((side, side), np.uint8)
    rows, columns = np.nonzero(differs)
    cells[rows * side // common, columns * side // common] = 1
    near = cv2.dilate(cells, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)) > 0
    touched = np.unique(np.concatenate((old[differs], new[differs])))
    asked = reduce_label_map(_known(after, palette), side)
    found = {}
    for class_id in touched[touched != EMPTY].tolist():
        wanted, shown = (asked == class_id) & near, (seen == class_id) & near
        if wanted.any():
            found[int(class_id)] = float((wanted & shown).sum() / (wanted | shown).sum())
    return found


def at_size_of(before: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """Return a layout, uint8 [H, H], at the size of another one, uint8 [S, S], so that what both hold does not differ.

    Resampling moves borders of classes by a pixel; there the result is as `before`. No class is moved or lost.
    """
    side = len(before)
    if len(layout) == side:
        return layout
    sized = _sampled(layout, side)
    reach = 2 * math.ceil(side / len(layout)) + 1
    differs, neighbours = sized != before, np.ones((reach, reach), np.uint8)
    is_resampling = differs.copy()
    for class_id in np.unique((sized[differs], before[differs])):
        for one, other in ((sized, before), (before, sized)):
            near = cv2.dilate((other == class_id).view(np.uint8), neighbours) > 0
            is_resampling &= (one != class_id) | near
    sized[is_resampling] = before[is_resampling]
    sized.setflags(write=False)
    return sized


def _known(layout: np.ndarray, palette: Palette) -> np.ndarray:
    known: np.ndarray = np.where(palette.channel_of[layout] >= 0, layout, EMPTY).astype(np.uint8)
    return known


def _sampled(layout: np.ndarray, side: int) -> np.ndarray:
    under = (np.arange(side) * 2 + 1) * len(layout) // (2 * side)
    sampled: np.ndarray = layout[np.ix_(under, under)]
    return sampled
