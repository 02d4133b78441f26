"""A stroke in hand: pen points in, painted pixels at once, one edit at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from smis_desktop.labels.brush import Brush, Point
from smis_desktop.labels.curves import curve_to
from smis_desktop.labels.rect import Rect
from smis_desktop.labels.stabilizer import PenPoint, Stabilizer

_LEAST_DIAMETER = 1.0
_PRESSURE_STEP = 1.0
"""How much, in pixels, a brush grows or shrinks between two drawn segments."""


class StrokePath:
    """Turns pen points into the masks that the brush covers on its way: smoothed, curved, without a gap.

    Pressure scales the brush's diameter, down to one pixel.
    """

    def __init__(self, brush: Brush, size: int, stabilizer: Stabilizer) -> None:
        self._brush, self._size, self._stabilizer = brush, size, stabilizer
        self._before: Point | None = None
        self._last: PenPoint | None = None

    def to(self, point: PenPoint) -> Iterator[tuple[Rect, np.ndarray]]:
        """What the brush covers from where it was to `point`, or where it is set down."""
        yield from self._draw(self._stabilizer.push(point))

    def finish(self) -> Iterator[tuple[Rect, np.ndarray]]:
        """What is left to cover when the pen is lifted."""
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
    """A polyline with at least `least` segments, the added points on its segments."""
    each = -(-least // max(len(points) - 1, 1))
    if each <= 1:
        return points
    divided = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        divided += [(x0 + (x1 - x0) * k / each, y0 + (y1 - y0) * k / each) for k in range(1, each)]
        divided.append((x1, y1))
    return divided
