"""How well a picture follows its layout: overall, class by class, and where it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.document.reduction import reduce_label_map

_THIN = 0.5
"""Share of a cell below which a stroke is thinner than the picture's features can tell."""


@dataclass(frozen=True, eq=False)
class LayoutFidelity:
    """What is painted thinner than a cell takes no part in the figures: nobody can tell whether it is followed.

    overall: share of the asked cells that show what was asked, 0–1; None when nothing was asked.
    by_class: intersection over union of each asked class, by id. too_thin: classes that are painted, but nowhere
    broad enough to tell.
    heat: float32 [r, r], 1 where a cell shows something else, a half where what was asked there is thinner than a
    cell, 0 elsewhere.
    """

    overall: float | None
    by_class: dict[int, float]
    too_thin: frozenset[int]
    heat: np.ndarray = field(repr=False)


def layout_fidelity(layout: np.ndarray, seen: np.ndarray, palette: Palette) -> LayoutFidelity:
    """layout: uint8 [H, H] class ids, 255 = nothing asked. seen: uint8 [r, r], what a model saw in the picture.

    Ids that the palette lacks ask for nothing.
    """
    side = seen.shape[0]
    known = np.where(palette.channel_of[layout] >= 0, layout, EMPTY).astype(np.uint8)
    asked = reduce_label_map(known, side)
    differs = (asked != EMPTY) & (asked != seen)
    thin = _is_thin(known, asked)
    heat = np.where(thin, 0.5, 1.0).astype(np.float32) * differs
    judged = (asked != EMPTY) & ~thin
    by_class = {}
    for class_id in np.unique(asked[judged]).tolist():
        wanted, found = (asked == class_id) & judged, (seen == class_id) & judged
        by_class[int(class_id)] = float((wanted & found).sum() / (wanted | found).sum())
    overall = float((judged & ~differs).sum() / judged.sum()) if judged.any() else None
    painted = {int(class_id) for class_id in np.unique(known)} - {EMPTY}
    return LayoutFidelity(overall, by_class, frozenset(painted - by_class.keys()), heat)


def _is_thin(layout: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """bool [r, r]: the class that a cell was given holds less than half of it."""
    size, side = layout.shape[0], asked.shape[0]
    if size < side:
        return np.zeros(asked.shape, bool)
    at = ((np.arange(size) + 0.5) * side / size).astype(np.int64)
    same = (layout == asked[np.ix_(at, at)]).astype(np.float64)
    starts = np.searchsorted(at, np.arange(side))
    counts = np.diff(np.append(starts, size))
    shares = np.add.reduceat(np.add.reduceat(same, starts, 0), starts, 1) / np.outer(counts, counts)
    thin: np.ndarray = shares < _THIN
    return thin
