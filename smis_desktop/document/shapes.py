"""The pixels that filled shapes and flood fills cover."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from smis_desktop.document.brush import Point
from smis_desktop.document.layers import Rect

Shape = tuple[Rect, np.ndarray]
"""A rectangle within the document and its bool mask [height, width]."""


def rectangle(start: Point, end: Point, size: int) -> Shape | None:
    """Cover all pixels between two corners, including both; None if that misses the document."""
    rect = _box(start, end).common(Rect(0, 0, size, size))
    return None if rect is None else (rect, np.ones((rect.height, rect.width), bool))


def ellipse(start: Point, end: Point, size: int) -> Shape | None:
    """Cover the ellipse that fills the rectangle of two corners; None if it misses the document."""
    box = _box(start, end)
    rect = box.common(Rect(0, 0, size, size))
    if rect is None:
        return None
    x = (np.arange(rect.left, rect.right) + 0.5 - (box.left + box.right) / 2) / (box.width / 2)
    y = (np.arange(rect.top, rect.bottom) + 0.5 - (box.top + box.bottom) / 2) / (box.height / 2)
    return _cut(rect, x[None] ** 2 + y[:, None] ** 2 <= 1)


def polygon(points: Sequence[Point], size: int) -> Shape | None:
    """Cover the inside of a closed polygon by the even–odd rule; None if it holds no pixel's centre in the document."""
    if len(points) < 3:
        return None
    if not all(math.isfinite(v) for point in points for v in point):
        raise ValueError("a polygon's corners must be points of the plane")
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    box = Rect(math.floor(min(xs)), math.floor(min(ys)), math.floor(max(xs)) + 1, math.floor(max(ys)) + 1)
    rect = box.common(Rect(0, 0, size, size))
    if rect is None:
        return None
    crossings = np.zeros((rect.height, rect.width + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if y0 == y1:
            continue
        # Rows whose centre lies in [lower end, upper end): a corner shared by two edges counts once.
        first, stop = math.ceil(min(y0, y1) - 0.5), math.ceil(max(y0, y1) - 0.5)
        rows = np.arange(max(first, rect.top), min(stop, rect.bottom))
        if not len(rows):
            continue
        x = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
        columns = np.clip(np.ceil(x - 0.5).astype(np.int64), rect.left, rect.right) - rect.left
        crossings[rows - rect.top, columns] ^= 1
    return _cut(rect, np.logical_xor.accumulate(crossings[:, :-1].astype(bool), axis=1))


def _box(start: Point, end: Point) -> Rect:
    if not all(map(math.isfinite, (*start, *end))):
        raise ValueError(f"no corners of a shape: {start} – {end}")
    left, right = sorted((math.floor(start[0]), math.floor(end[0])))
    top, bottom = sorted((math.floor(start[1]), math.floor(end[1])))
    return Rect(left, top, right + 1, bottom + 1)


def _cut(rect: Rect, mask: np.ndarray) -> Shape | None:
    return (rect, mask) if mask.any() else None


MAX_GAP = 32


def region(pixels: np.ndarray, point: Point, contiguous: bool = True, gap: int = 0) -> Shape | None:
    """Cover the pixels that have the id of the one at `point`; None if that lies outside.

    pixels: uint8 [H, W]. contiguous: only the pixels connected to it (through edges, not corners). gap: 0–32; openings
    of up to so many pixels count as closed, so that paint does not leak through them. The region still reaches its own
    borders: it is found with thickened borders, then grown back inside itself. Raises ValueError for another gap.
    """
    if not 0 <= gap <= MAX_GAP:
        raise ValueError(f"a gap is 0 to {MAX_GAP} pixels wide, not {gap}")
    column, row = math.floor(point[0]), math.floor(point[1])
    height, width = pixels.shape
    if not (0 <= column < width and 0 <= row < height):
        return None
    same = (pixels == pixels[row, column]).astype(np.uint8)
    if contiguous:
        same = _connected_with_gaps(same, column, row, gap) if gap else _connected(same, column, row)
    rows, columns = np.flatnonzero(same.any(axis=1)), np.flatnonzero(same.any(axis=0))
    rect = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return rect, same[rect.slices].astype(bool)


def _connected(same: np.ndarray, column: int, row: int) -> np.ndarray:
    """Return 1 where connected to the pixel, uint8 [H, W]. `same` is 1 in the class of the region, 0 elsewhere."""
    mask = np.zeros((same.shape[0] + 2, same.shape[1] + 2), np.uint8)
    cv2.floodFill(same.copy(), mask, (column, row), 0, flags=4 | cv2.FLOODFILL_MASK_ONLY | (1 << 8))
    inner: np.ndarray = mask[1:-1, 1:-1]
    return inner


def _connected_with_gaps(same: np.ndarray, column: int, row: int, gap: int) -> np.ndarray:
    """Return the same as `_connected`, but with openings of up to `gap` pixels closed."""
    open_part = cv2.erode(same, _disc(gap), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    seed = _nearest(open_part * _connected(same, column, row), column, row, reach=2 * gap)
    if seed is None:
        return _connected(same, column, row)  # the whole region is as narrow as a gap: there is nothing to leak into
    core = _connected(open_part, *seed)
    # Back to the region's own borders, step by step inside it: never through what was closed into another part.
    others = open_part & (1 - core)
    grown = core
    for _ in range(gap):
        grown = cv2.dilate(grown, _CROSS) & same & (1 - others)
    grown[row, column] = 1
    return grown


def _nearest(mask: np.ndarray, column: int, row: int, reach: int) -> tuple[int, int] | None:
    """Return the set pixel nearest to (column, row) within `reach`, as (column, row)."""
    top, left = max(row - reach, 0), max(column - reach, 0)
    rows, columns = np.nonzero(mask[top : row + reach + 1, left : column + reach + 1])
    if not len(rows):
        return None
    distances = (rows + top - row) ** 2 + (columns + left - column) ** 2
    best = int(distances.argmin())
    return int(columns[best]) + left, int(rows[best]) + top


def _disc(diameter: int) -> np.ndarray:
    side = diameter + 1 + diameter % 2  # odd, and wider than the gap
    kernel: np.ndarray = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return kernel


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
