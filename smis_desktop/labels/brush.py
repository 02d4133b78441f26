"""The brush, round or square: which pixels a dab or a drawn segment covers, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from smis_desktop.labels.rect import Rect

Point = tuple[float, float]
"""(x, y) in pixels, x to the right and y down; pixel (column, row) covers column ≤ x < column + 1, likewise in y."""


BrushShape = Literal["round", "square"]

_STRIP = 64  # rows


@dataclass(frozen=True)
class Brush:
    """A hard disc or square, `diameter` pixels (1–2048) across. Labels are never blended: a pixel is covered or not."""

    diameter: float
    shape: BrushShape = "round"

    def __post_init__(self) -> None:
        if not 1 <= self.diameter <= 2048:
            raise ValueError(f"a brush is 1 to 2048 pixels wide, not {self.diameter}")

    def segment(self, start: Point, end: Point, size: int) -> tuple[Rect, np.ndarray] | None:
        """What the brush covers as its centre moves from `start` to `end` (the same point: a dab).

        Covered are the pixels whose centre is at most half a diameter from the segment (of a square: in both axes),
        and those that hold its ends, so that the thinnest brush leaves a mark too. Points may lie outside.

        Returns a rectangle and its bool mask [height, width], clipped to a document of size × size; None if that is
        missed altogether. Raises ValueError for a point that is not finite.
        """
        if not all(map(math.isfinite, (*start, *end))):
            raise ValueError(f"no point on the canvas: {start} – {end}")
        radius = self.diameter / 2
        left, right = _clipped(start[0], end[0], radius, size)
        top, bottom = _clipped(start[1], end[1], radius, size)
        if left >= right or top >= bottom:
            return None
        rect = Rect(left, top, right, bottom)
        if self.shape == "square":
            mask = _swept_square(rect, start, end, radius)
            for point in (start, end):
                _add_pixel(mask, rect, point)
        else:
            mask = _band(rect, start, end, radius)
            for point in (start, end):
                _add_disc(mask, rect, point, radius)
        return (rect, mask) if mask.any() else None


def _clipped(first: float, second: float, radius: float, size: int) -> tuple[int, int]:
    """The range of pixels on one axis that the disc can reach: start and stop, within 0–size."""
    low, high = min(first, second) - radius, max(first, second) + radius
    return max(math.floor(low), 0), min(math.floor(high) + 1, size)


def _band(rect: Rect, start: Point, end: Point, radius: float) -> np.ndarray:
    """The pixel centres beside the segment, at most `radius` away: a rectangle along it, without the round ends."""
    mask = np.zeros((rect.height, rect.width), bool)
    dx, dy = end[0] - start[0], end[1] - start[1]
    length_squared = dx * dx + dy * dy
    if length_squared == 0:
        return mask
    # In strips, each only as wide as the segment can reach in it: a long diagonal leaves most of its box untouched.
    for top in range(rect.top, rect.bottom, _STRIP):
        bottom = min(top + _STRIP, rect.bottom)
        left, right = _reach(start, end, radius, top, bottom)
        left, right = max(left, rect.left), min(right, rect.right)
        if left >= right:
            continue
        x = np.arange(left, right) + (0.5 - start[0])
        y = np.arange(top, bottom)[:, None] + (0.5 - start[1])
        along = x * dx + y * dy
        across = x * dy - y * dx
        strip = mask[top - rect.top : bottom - rect.top, left - rect.left : right - rect.left]
        strip[:] = (along >= 0) & (along <= length_squared)
        strip &= across * across <= radius * radius * length_squared
    return mask


def _reach(start: Point, end: Point, radius: float, top: int, bottom: int) -> tuple[int, int]:
    """The columns (start and stop) that the disc can touch in rows top–bottom; a pixel too many rather than too few."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    first, last = 0.0, 1.0  # the part of the segment from which the disc reaches those rows
    if abs(dy) > 1e-6:
        times = (top - radius - 1 - start[1]) / dy, (bottom + radius + 1 - start[1]) / dy
        first, last = max(min(times), 0.0), min(max(times), 1.0)
        if first > last:
            return 0, 0
    ends = start[0] + first * dx, start[0] + last * dx
    return math.floor(min(ends) - radius) - 1, math.floor(max(ends) + radius) + 2


def _add_disc(mask: np.ndarray, rect: Rect, center: Point, radius: float) -> None:
    """Mark the pixel centres in the disc, and the pixel that holds its centre."""
    column, row = math.floor(center[0]), math.floor(center[1])
    reach = math.ceil(radius) + 1
    left, right = max(column - reach, rect.left), min(column + reach + 1, rect.right)
    top, bottom = max(row - reach, rect.top), min(row + reach + 1, rect.bottom)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right) + (0.5 - center[0])
    y = np.arange(top, bottom)[:, None] + (0.5 - center[1])
    mask[top - rect.top : bottom - rect.top, left - rect.left : right - rect.left] |= x * x + y * y <= radius * radius
    _add_pixel(mask, rect, center)


def _add_pixel(mask: np.ndarray, rect: Rect, point: Point) -> None:
    """Mark the pixel that holds the point."""
    column, row = math.floor(point[0]), math.floor(point[1])
    if rect.left <= column < rect.right and rect.top <= row < rect.bottom:
        mask[row - rect.top, column - rect.left] = True


def _swept_square(rect: Rect, start: Point, end: Point, radius: float) -> np.ndarray:
    """The pixel centres that an upright square covers on its way: those around which such a square meets the segment
    (the slab method, one axis after the other)."""
    enter, leave = np.zeros((1, 1)), np.ones((1, 1))
    for axis, centers in ((0, np.arange(rect.left, rect.right)[None]), (1, np.arange(rect.top, rect.bottom)[:, None])):
        offset = centers + (0.5 - start[axis])
        way = end[axis] - start[axis]
        if abs(way) < 1e-9:
            outside = np.abs(offset) > radius
            enter = np.where(outside, np.inf, enter)
        else:
            first, last = (offset - radius) / way, (offset + radius) / way
            enter = np.maximum(enter, np.minimum(first, last))
            leave = np.minimum(leave, np.maximum(first, last))
    covered: np.ndarray = np.broadcast_to(enter <= leave, (rect.height, rect.width)).copy()
    return covered
