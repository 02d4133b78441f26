"""Smooth strokes: a quick hand leaves few points, and a curve through them looks like what it drew."""

from __future__ import annotations

import math

from smis_desktop.labels.brush import Point

_FLATNESS = 0.25
"""How far, in pixels, a chord may be from its curve."""
_SHARPEST = math.cos(math.radians(75))
"""Turns sharper than this are corners, and drawn as such."""


def curve_to(before: Point | None, start: Point, end: Point) -> list[Point]:
    """Points of a curve from `start` to `end`, `end` included and `start` not, close enough to draw as a polyline.

    The curve is the parabola through both that leaves `start` in the direction from `before` to `end`, as a
    Catmull–Rom spline does (Catmull & Rom 1974): it needs no point after `end`, so nothing lags behind the pen, and on
    an arc drawn at even speed its end has the direction with which the next piece begins. Straight without `before`,
    at corners, and where points coincide.
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
