"""Reducing a label map of any size to the grid of cells that networks see.

A cell of the reduced map covers an exact rectangle of the label map, fractions of pixels included. Areas are counted
in integers (one cell = side² units), so that shares are exact and ties are real ties.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from smis_desktop.document.palette import EMPTY

_FEW_CLASSES = 24
_EXACT_IN_FLOAT32 = 2**24
"""OpenCV's histograms are float32; they take a fifth of numpy's time."""
SCRIBBLE_CELLS = 8
"""A scribble has at least this many labelled cells of its class in a shot. With fewer, a probe is no better than the
nearest labelled pixel, and the labels are points."""
_TOP_UP_FRACTION = 16
"""A class is topped up where majority voting costs it at least this fraction (1/16) of its area."""


def reduce_label_map(label_map: np.ndarray, size: int, empty: int = EMPTY) -> np.ndarray:
    """Reduce a dense label map uint8 [H, H] to uint8 [size, size] so that every class keeps its area.

    The rule:
    1. Each cell goes to the class that holds most of it (ties: the class that is rarer in the whole map).
    2. From the rarest class to the most common: a class that is due n = max(1, its area in cells, rounded) and now
       has fewer, by n/16 or more, takes further cells until it has n: of those that it holds a part of and that
       belong to a more common class or are empty, the ones where its share is largest (ties: from the top left).

    So large classes are plain majority voting, which loses them a fringe at most; eyes, brows and lips, which are
    thinner than a cell and would lose nearly everything, stay as large as they were. A class disappears only if all
    its cells went to rarer ones. A map of `size` already comes back unchanged, and no cell gets an id that it did not
    hold. `empty` marks pixels without a class: it wins cells that it holds most of, and is never topped up.
    """
    if _side(label_map, size) == size:
        return label_map.copy()
    pixels = _pixels(label_map)
    ids = np.flatnonzero(pixels)
    pixels = pixels[ids]
    # From rare to common, emptiness last: `argmax` prefers the first of equals, which is the rarer.
    order = np.lexsort((ids, pixels, ids == empty))
    ids, pixels = ids[order], pixels[order]
    areas = class_areas(label_map, [int(i) for i in ids], size).reshape(len(ids), size * size)
    cell_area = label_map.shape[0] ** 2

    owner = areas.argmax(axis=0)  # the rank (0 = rarest) that each cell belongs to
    for rank in range(len(ids) - (1 if ids[-1] == empty else 0)):
        total = int(areas[rank].sum())
        due = max(1, (2 * total + cell_area) // (2 * cell_area))
        missing = due - int((owner == rank).sum())
        if missing * _TOP_UP_FRACTION < due:
            continue
        candidates = np.flatnonzero((owner > rank) & (areas[rank] > 0))
        best_first = np.argsort(-areas[rank, candidates], kind="stable")
        owner[candidates[best_first[:missing]]] = rank
    reduced: np.ndarray = ids.astype(np.uint8)[owner].reshape(size, size)
    return reduced


def reduce_points(label_map: np.ndarray, size: int, unknown: int = 0) -> np.ndarray:
    """Reduce a sparse label map (scribbles, landmarks) uint8 [H, H] to uint8 [size, size].

    Every labelled pixel marks the cell that its centre lies in; the id with most pixels there wins (ties: the lowest
    id), however few they are. Cells without a labelled pixel are `unknown`; pixels of `unknown` and of 255 count as
    unlabelled. A label map smaller than `size` is enlarged, each cell taking the pixel under its centre.
    """
    side = _side(label_map, size)
    if side <= size:
        under = (np.arange(size) * 2 + 1) * side // (2 * size)
        enlarged = label_map[np.ix_(under, under)]
        return np.where(enlarged == EMPTY, unknown, enlarged).astype(np.uint8)
    rows, columns = np.nonzero((label_map != unknown) & (label_map != EMPTY))
    ids = np.flatnonzero(np.bincount(label_map[rows, columns], minlength=256)).astype(np.uint8)
    cell_of = (np.arange(side) * 2 + 1) * size // (2 * side)
    channels = np.searchsorted(ids, label_map[rows, columns])
    index = (channels * size + cell_of[rows]) * size + cell_of[columns]
    counts = np.bincount(index, minlength=len(ids) * size * size).reshape(len(ids), size, size)
    reduced = np.full((size, size), unknown, np.uint8)
    if len(ids):
        marked = counts.any(axis=0)
        reduced[marked] = ids[counts.argmax(axis=0)[marked]]
    return reduced


def class_areas(label_map: np.ndarray, class_ids: Sequence[int], size: int) -> np.ndarray:
    """Measure the exact area of each class in each cell: int64 [C, size, size], in units of which a cell has H².

    label_map: uint8 [H, H], larger or smaller than size, a multiple or not. class_ids: the C ids in channel order,
    each once. Where the areas of a cell sum to less than H², the rest is empty or of other classes.
    """
    side = _side(label_map, size)
    count = len(class_ids)
    channel_of = np.full(256, count, np.intp)  # ids that are not asked for share one channel, dropped at the end
    channel_of[list(class_ids)] = np.arange(count)
    if len(set(class_ids)) != count:
        raise ValueError(f"class ids must be given once each: {list(class_ids)}")

    if side % size == 0 and side // size < 256 and count <= _FEW_CLASSES:
        return _areas_of_whole_pixels(label_map, class_ids, size)
    pixel, cell, length = _pieces(side, size)
    pieces = label_map if len(pixel) == side else label_map[np.ix_(pixel, pixel)]
    index = (channel_of * (size * size))[pieces]
    index += (cell * size)[:, None]
    index += cell
    bins = (count + 1) * size * size
    if (length == length[0]).all():
        areas = np.bincount(index.ravel(), minlength=bins) * int(length[0]) ** 2
    else:
        # Whole numbers far below 2⁵³: the float sums of `bincount` are exact.
        weights = np.multiply.outer(length, length).astype(np.float64)
        areas = np.bincount(index.ravel(), weights.ravel(), minlength=bins).astype(np.int64)
    return areas.reshape(count + 1, size, size)[:count]


def _pixels(label_map: np.ndarray) -> np.ndarray:
    """Count the pixels of each id: int64 [256]."""
    if label_map.size < _EXACT_IN_FLOAT32:
        counted = cv2.calcHist([np.ascontiguousarray(label_map)], [0], None, [256], [0, 256])
        return counted.ravel().astype(np.int64)
    return np.bincount(label_map.ravel(), minlength=256)


def _areas_of_whole_pixels(label_map: np.ndarray, class_ids: Sequence[int], size: int) -> np.ndarray:
    """Compute `class_areas` where every cell covers less than 256 whole pixels a side.

    A layout is reduced for every picture of a stroke: counting class by class, in bytes, takes a fraction of the time
    of one histogram of everything.
    """
    side = label_map.shape[0]
    areas = np.empty((len(class_ids), size, size), np.int64)
    for area, class_id in zip(areas, class_ids, strict=True):
        held = (label_map == class_id).view(np.uint8)
        columns = np.add.reduce(held.reshape(size, side // size, side), axis=1, dtype=np.uint8)
        columns.reshape(size, size, side // size).sum(axis=2, dtype=np.int64, out=area)
    areas *= size**2
    return areas


def _pieces(side: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut an axis at all pixel and all cell borders: the pixel, the cell and the length of each piece.

    On an axis of side·size units a pixel is `size` long and a cell `side`.
    """
    borders = np.union1d(np.arange(side + 1) * size, np.arange(size + 1) * side)
    starts = borders[:-1]
    return starts // size, starts // side, np.diff(borders)


def _side(label_map: np.ndarray, size: int) -> int:
    height, width = label_map.shape
    if label_map.dtype != np.uint8 or height != width or height < 1 or size < 1:
        raise ValueError(f"a square uint8 label map and a size ≥ 1 are needed, not {label_map.shape} and {size}")
    return int(height)
