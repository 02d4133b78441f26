"""Things: the small connected regions of a layout (an eye, a brow, an ear), each compared with what a picture shows of
it as a whole.

A sum over cells takes an eye for twelve of sixteen thousand, and is content with one that is half as high. So each
thing also has to overlap with what is read of its class around it, and to have the same area, place, width and
height.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL

_LARGEST = 0.02
"""Part of the layout that a thing covers at most."""
_SMALLEST = 3
"""Cells."""
_MOST = 24
"""Things, the largest first."""
_MARGIN = 3
"""Cells that are compared around a thing, beside half its width and height."""
_MOMENTS = 0.25
"""Weight of area, place, width and height beside the overlap."""
_SOFT_AREA = 1.0
"""Cells that are added to areas before they are divided."""


@dataclass(frozen=True, eq=False)
class Thing:
    """A thing of class `channel` in the window `rows`, `columns` of a layout. mask: float32 [h, w], 1 on its cells."""

    channel: int
    rows: slice
    columns: slice
    mask: Tensor


def things_of(layout: Tensor) -> list[Thing]:
    """Find the things of a layout, int64 [1, r, r] in channels."""
    cells = layout[0].cpu().numpy()
    side, found = len(cells), []
    for channel in np.unique(cells):
        if channel == UNKNOWN_CHANNEL:
            continue
        count, labels, boxes, _ = cv2.connectedComponentsWithStats((cells == channel).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            x, y, width, height, area = boxes[number].tolist()
            if not _SMALLEST <= area <= _LARGEST * cells.size:
                continue
            across, down = width // 2 + _MARGIN, height // 2 + _MARGIN
            rows = slice(max(0, y - down), min(side, y + height + down))
            columns = slice(max(0, x - across), min(side, x + width + across))
            # Another thing of the same class in the window (the other lip) is no part of the comparison's background.
            mask = torch.from_numpy((labels[rows, columns] == number).astype(np.float32)).to(layout.device)
            found.append((area, Thing(int(channel), rows, columns, mask)))
    found.sort(key=lambda one: -one[0])
    return [thing for _, thing in found[:_MOST]]


def mismatch_of_things(scores: Tensor, layout: Tensor, things: list[Thing], trust: Tensor | None = None) -> Tensor:
    """Return how badly a picture's things match a layout's: 0 where they are the same, a mean over things.

    Args:
        scores: class scores [1, C, r, r]. layout: int64 [1, r, r] in channels. trust: [C], how much each class counts.
    """
    probabilities = scores[0].softmax(0)
    losses, weights = [], []
    for thing in things:
        seen = probabilities[thing.channel, thing.rows, thing.columns]
        is_other = (layout[0, thing.rows, thing.columns] == thing.channel) & (thing.mask == 0)
        seen = seen.masked_fill(is_other, 0.0)
        losses.append(_mismatch(seen, thing.mask))
        weights.append(1.0 if trust is None else float(trust[thing.channel]))
    weight = torch.tensor(weights, device=scores.device)
    return (torch.stack(losses) * weight).sum() / weight.sum().clamp_min(1e-6)


def _mismatch(seen: Tensor, wanted: Tensor) -> Tensor:
    """Compare two soft masks [h, w]."""
    overlap = (seen * wanted).sum()
    union = seen.sum() + wanted.sum() - overlap
    loss = 1 - (overlap + _SOFT_AREA) / (union + _SOFT_AREA)
    return loss + _MOMENTS * (_moments(seen) - _moments(wanted)).square().sum()


def _moments(mask: Tensor) -> Tensor:
    """Return the logarithm of the area, the place in units of the window, and the logarithms of width and height."""
    area = mask.sum() + _SOFT_AREA
    shares = mask / area
    found = [area.log()]
    for axis in (0, 1):
        places = torch.linspace(-1, 1, mask.shape[axis], device=mask.device)
        profile = shares.sum(1 - axis)
        mean = (profile * places).sum()
        spread = (profile * (places - mean).square()).sum()
        found += [mean, (spread + 0.01).log() / 2]
    return torch.stack(found)
