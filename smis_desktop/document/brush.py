"""The brush: turns pen points into covered pixels, with smoothing, a stabiliser and mirroring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from smis_desktop.document.layers import Rect

Point = tuple[float, float]
"""(x, y) in pixels, x to the right and y down; pixel (column, row) covers column ≤ x < column + 1, likewise in y."""


@dataclass(frozen=True)
class PenPoint:
    """The position of the pen, and its pressure (0–1)."""

    at: Point
    pressure: float = 1.0


class Stabilizer:
    """Smooths a stroke: each point is an exponentially weighted mean of those before it.

    strength: 0 (off: points pass unchanged) to 1 (follows very slowly). Each stroke needs its own.
    """

    def __init__(self, strength: float) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"a stabiliser's strength is 0 to 1, not {strength}")
        self._follow = 1 - 0.95 * strength
        self._smooth: PenPoint | None = None
        self._raw: PenPoint | None = None

    def push(self, point: PenPoint) -> PenPoint:
        """Return the smoothed point to draw to."""
        self._raw = point
        last = self._smooth
        if last is None or self._follow == 1:
            self._smooth = point
        else:
            self._smooth = PenPoint(
                (
                    last.at[0] + self._follow * (point.at[0] - last.at[0]),
                    last.at[1] + self._follow * (point.at[1] - last.at[1]),
                ),
                last.pressure + self._follow * (point.pressure - last.pressure),
            )
        return self._smooth

    def finish(self) -> PenPoint | None:
        """Return the point where the pen was lifted, unless the smoothed line has reached it: strokes end where the pen
        did."""
        if self._raw is None or self._smooth is None or self._raw.at == self._smooth.at:
            return None
        return self._raw


_FLATNESS = 0.25
"""How far, in pixels, a chord may be from its curve."""
_SHARPEST = math.cos(math.radians(75))
"""Turns sharper than this are corners, and drawn as such."""


def curve_to(before: Point | None, start: Point, end: Point) -> list[Point]:
    """Return the points of a curve from `start` to `end`, without `start`, close enough to draw as a polyline.

    The curve is the parabola through both that leaves `start` in the direction from `before` to `end`, as a Catmull–Rom
    spline does (Catmull & Rom 1974): it needs no point after `end`, so nothing lags behind the pen, and on an arc drawn
    at even speed its end has the direction with which the next piece begins. It is straight without `before`, at
    corners, and where points coincide.
    """
    chord = (end[0] - start[0], end[1] - start[1])
    length = math.hypot(*chord)
    if before is None or length == 0:
        return [end]
    along = (end[0] - before[0], end[1] - before[1])
    reach = math.hypot(*along)
    if reach == 0 or chord[0] * along[0] + chord[1] * along[1] < _SHARPEST * reach * length:
        return [end]
    # The tangent at `start`, as long as the chord: uneven speed must not make the curve overshoot.
    tangent = (along[0] / reach * length, along[1] / reach * length)
    bend = (chord[0] - tangent[0], chord[1] - tangent[1])
    # A parabola start + t·tangent + t²·bend strays at most |bend| / 4 from its chord, and n pieces n² times less.
    pieces = max(1, math.ceil(math.sqrt(math.hypot(*bend) / 4 / _FLATNESS)))
    points = []
    for i in range(1, pieces):
        t = i / pieces
        points.append((start[0] + t * tangent[0] + t * t * bend[0], start[1] + t * tangent[1] + t * t * bend[1]))
    return [*points, end]


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
        """Return what the brush covers as its centre moves from `start` to `end` (the same point: a dab).

        It covers the pixels whose centre is at most half a diameter from the segment (of a square: in both axes), and
        those that hold its ends, so that the thinnest brush leaves a mark too. Points may lie outside.

        Returns a rectangle and its bool mask [height, width], clipped to a document of size × size; None if the brush
        misses it. Raises ValueError for a point that is not finite.
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
    """Return the range of pixels on one axis that the disc can reach: start and stop, within 0–size."""
    low, high = min(first, second) - radius, max(first, second) + radius
    return max(math.floor(low), 0), min(math.floor(high) + 1, size)


def _band(rect: Rect, start: Point, end: Point, radius: float) -> np.ndarray:
    """Mark the pixel centres within `radius` of the segment, at either side: a rectangle along it, without round
    ends."""
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
    """Return the columns (start, stop) that the disc can touch in rows top–bottom, rounded outwards."""
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
    """Mark the pixel centres that an upright square covers on its way from `start` to `end`.

    They are those around which such a square meets the segment (the slab method, one axis after the other).
    """
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


_LEAST_DIAMETER = 1.0
_PRESSURE_STEP = 1.0
"""How much, in pixels, a brush grows or shrinks between two drawn segments."""


class StrokePath:
    """Turns pen points into the masks that the brush covers on its way: smooth, curved, without gaps.

    Pressure scales the brush's diameter, down to one pixel.
    """

    def __init__(self, brush: Brush, size: int, stabilizer: Stabilizer) -> None:
        self._brush, self._size, self._stabilizer = brush, size, stabilizer
        self._before: Point | None = None
        self._last: PenPoint | None = None

    def to(self, point: PenPoint) -> Iterator[tuple[Rect, np.ndarray]]:
        """Yield what the brush covers on its way to `point`, or where the stroke begins."""
        yield from self._draw(self._stabilizer.push(point))

    def finish(self) -> Iterator[tuple[Rect, np.ndarray]]:
        """Yield what is left to cover when the pen is lifted."""
        rest = self._stabilizer.finish()
        if rest is not None:
            yield from self._draw(rest)

    def _draw(self, target: PenPoint) -> Iterator[tuple[Rect, np.ndarray]]:
        last = self._last
        if last is None:
            self._last = target
            yield from self._segment(target.at, target.at, self._diameter(target.pressure))
            return
        points = [last.at, *curve_to(self._before, last.at, target.at)]
        first, final = self._diameter(last.pressure), self._diameter(target.pressure)
        points = _divided(points, math.ceil(abs(final - first) / _PRESSURE_STEP))
        pieces = len(points) - 1
        for i in range(pieces):
            yield from self._segment(points[i], points[i + 1], first + (final - first) * (i + 1) / pieces)
        if target.at != last.at:
            self._before = last.at
        self._last = target

    def _diameter(self, pressure: float) -> float:
        return max(_LEAST_DIAMETER, self._brush.diameter * min(max(pressure, 0.0), 1.0))

    def _segment(self, start: Point, end: Point, diameter: float) -> Iterator[tuple[Rect, np.ndarray]]:
        covered = Brush(diameter, self._brush.shape).segment(start, end, self._size)
        if covered is not None:
            yield covered


def _divided(points: list[Point], least: int) -> list[Point]:
    """Return the polyline with at least `least` segments: further points are added on them."""
    each = -(-least // max(len(points) - 1, 1))
    if each <= 1:
        return points
    divided = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        divided += [(x0 + (x1 - x0) * k / each, y0 + (y1 - y0) * k / each) for k in range(1, each)]
        divided.append((x1, y1))
    return divided


@dataclass(frozen=True)
class MirrorAxis:
    """A mirror axis: a vertical one at x = `position`, or a horizontal one at y = `position`.

    position: in pixels from the left or top edge, rounded to half pixels so that pixels are mirrored onto pixels.
    """

    orientation: Literal["vertical", "horizontal"]
    position: float

    def reflected(self, rect: Rect, mask: np.ndarray, size: int) -> tuple[Rect, np.ndarray] | None:
        """Return the mirror image of bool `mask` [rect.height, rect.width], clipped to size × size; None if all is
        outside.
        """
        across = math.floor(2 * self.position + 0.5)
        if self.orientation == "vertical":
            image = Rect(across - rect.right, rect.top, across - rect.left, rect.bottom)
            turned = mask[:, ::-1]
        else:
            image = Rect(rect.left, across - rect.bottom, rect.right, across - rect.top)
            turned = mask[::-1]
        inside = image.common(Rect(0, 0, size, size))
        if inside is None:
            return None
        return inside, turned[inside.shifted(-image.left, -image.top).slices]
