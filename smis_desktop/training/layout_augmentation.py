"""Layouts as people paint them: moved, coarse, half done. Training on them keeps sloppy layouts from confusing it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.personal_model.encoder import one_hot

_FORGET_SAMPLE, _FORGET_CLASS = 0.4, 0.2
"""Share of samples in which classes are forgotten, and each class's chance there."""
_FORGET_SQUARE = 0.5
"""Share of the squares of the encoder's grid that are left out."""
_SHIFT, _TURN, _ZOOM, _STRETCH = 0.08, 0.10, 0.10, 0.06
"""Standard deviations: half widths of the layout, radians, logarithms of factors."""
_COARSE_SAMPLE, _COARSE_SIDES = 0.2, (12, 25)
"""Share of samples that are painted with a broad brush, and the range of sides they are reduced to."""


def dropped_classes(count: int, num_classes: int, random: torch.Generator) -> Tensor:
    """Which classes of so many layouts are not painted yet, bool [count, num_classes + 1]; the first means unknown."""
    affected = torch.rand(count, 1, generator=random) < _FORGET_SAMPLE
    return (torch.rand(count, num_classes + 1, generator=random) < _FORGET_CLASS) & affected


def drop_classes(labels: Tensor, num_classes: int, random: torch.Generator) -> Tensor:
    """Turns whole classes of some label maps (int64 [N, H, W]) to unknown, as a half-painted layout has them."""
    forgotten = dropped_classes(len(labels), num_classes, random)
    gone = forgotten.gather(1, (labels + 1).flatten(1)).view_as(labels)
    return labels.masked_fill(gone, UNKNOWN_CHANNEL)


def grid_dropout(count: int, side: int, random: torch.Generator) -> Tensor:
    """Which squares of so many layouts are left out, all over each, bool [count, side, side]. Nobody paints so: what is
    learned from the rest of a layout is learned of more than that layout."""
    return torch.rand(count, side, side, generator=random) < _FORGET_SQUARE


def moved(labels: Tensor, random: torch.Generator) -> Tensor:
    """Label maps int64 [N, H, W] shifted, turned, zoomed and stretched a little; what comes in from outside repeats
    the edge. Ids are never blended."""
    n = len(labels)
    zoom = torch.exp(_ZOOM * torch.randn(n, generator=random))
    turn = _TURN * torch.randn(n, generator=random)
    stretch = torch.exp(_STRETCH * torch.randn(n, generator=random))
    shift = _SHIFT * torch.randn(n, 2, generator=random)
    rows = (
        torch.stack((zoom * turn.cos() * stretch, -zoom * turn.sin(), shift[:, 0]), 1),
        torch.stack((zoom * turn.sin(), zoom * turn.cos() / stretch, shift[:, 1]), 1),
    )
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, *labels.shape[1:]], align_corners=False)
    maps = labels[:, None].float()
    found = F.grid_sample(maps, grid, mode="nearest", padding_mode="border", align_corners=False)
    return found[:, 0].round().long()


def coarsened(labels: Tensor, num_classes: int, random: torch.Generator) -> Tensor:
    """Some of the label maps int64 [N, H, W] as if painted with a broad brush: outlines are rough, and parts thinner
    than the brush may be gone."""
    affected = torch.rand(len(labels), generator=random) < _COARSE_SAMPLE
    side = int(torch.randint(*_COARSE_SIDES, (1,), generator=random))
    if not bool(affected.any()):
        return labels
    shares = F.interpolate(one_hot(labels[affected], num_classes), size=(side, side), mode="area")
    enlarged = F.interpolate(shares, size=tuple(labels.shape[1:]), mode="bilinear", align_corners=False)
    rough = enlarged.argmax(1)
    result = labels.clone()
    result[affected] = torch.where(enlarged.sum(1) < 0.5, UNKNOWN_CHANNEL, rough)
    return result
