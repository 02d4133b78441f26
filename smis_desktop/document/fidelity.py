"""Layout fidelity: how well a picture follows its layout, overall, class by class, and where it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.document.reduction import reduce_label_map

_THIN = 0.5
"""Share of a cell below which a stroke is too thin for the picture's features."""


@dataclass(frozen=True, eq=False)
class LayoutFidelity:
    """How well a picture follows its layout.

    Strokes thinner than a cell are left out of the figures: they cannot be judged.

    overall: share of the judged cells that show the painted class, 0–1; None when nothing could be judged. by_class:
    intersection over union of each judged class, by id. too_thin: painted classes that are nowhere broad enough to
    judge. heat: float32 [r, r], 1 where a cell shows another class than painted, a half where that was thinner than a
    cell, 0 elsewhere.
    """

    overall: float | None
    by_class: dict[int, float]
    too_thin: frozenset[int]
    heat: np.ndarray = field(repr=False)


def layout_fidelity(layout: np.ndarray, seen: np.ndarray, palette: Palette) -> LayoutFidelity:
    """Compare a layout, uint8 [H, H] class ids (255 = empty), with the classes that a model sees in the picture.

    seen: uint8 [r, r]. Ids that the palette lacks count as empty.
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
    """Return where the class of a cell holds less than half of it, bool [r, r]."""
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
