"""Filled shapes as pixels: rectangle, ellipse, polygon. A pixel belongs to a shape when its centre does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from smis_desktop.labels.brush import Point
from smis_desktop.labels.rect import Rect

Shape = tuple[Rect, np.ndarray]
"""A rectangle within the document and its bool mask [height, width]."""


def rectangle(start: Point, end: Point, size: int) -> Shape | None:
    """All pixels between two corners, those that hold the corners included; None if that misses the document."""
    rect = _box(start, end).common(Rect(0, 0, size, size))
    return None if rect is None else (rect, np.ones((rect.height, rect.width), bool))


def ellipse(start: Point, end: Point, size: int) -> Shape | None:
    """The ellipse that fills the rectangle of those corners; None if it misses the document."""
    box = _box(start, end)
    rect = box.common(Rect(0, 0, size, size))
    if rect is None:
        return None
    x = (np.arange(rect.left, rect.right) + 0.5 - (box.left + box.right) / 2) / (box.width / 2)
    y = (np.arange(rect.top, rect.bottom) + 0.5 - (box.top + box.bottom) / 2) / (box.height / 2)
    return _cut(rect, x[None] ** 2 + y[:, None] ** 2 <= 1)


def polygon(points: Sequence[Point], size: int) -> Shape | None:
    """The inside of a closed polygon by the even–odd rule; None if it holds no pixel's centre in the document."""
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
