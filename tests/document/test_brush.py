"""The brush against its definition: exact, gapless, round and square."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.document.brush import Brush, Point
from smis_desktop.document.layers import Rect

SIZE = 96

# Sixteenths of a pixel are exact in float arithmetic, so that pixels just on the rim are no matter of rounding.
coordinates = st.integers(-40 * 16, (SIZE + 40) * 16).map(lambda n: n / 16)
points = st.tuples(coordinates, coordinates)
diameters = st.integers(8, 60 * 8).map(lambda n: n / 8)


def _full_mask(covered: tuple[Rect, np.ndarray] | None, size: int = SIZE) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    if covered is not None:
        mask[covered[0].slices] = covered[1]
    return mask


class TestBrush:
    @given(points, points, diameters)
    @settings(max_examples=200, deadline=None)
    def test_covers_what_the_definition_says(self, start: Point, end: Point, diameter: float) -> None:
        """Against the plain distance to the segment, one pixel at a time of thought, all at a time of work."""
        x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
        dx, dy = end[0] - start[0], end[1] - start[1]
        along = (x - start[0]) * dx + (y - start[1]) * dy
        t = np.clip(along / ((dx * dx + dy * dy) or 1), 0, 1)
        distance = np.hypot(x - start[0] - t * dx, y - start[1] - t * dy)
        got = _full_mask(Brush(diameter).segment(start, end, SIZE))
        rim = np.abs(distance - diameter / 2) < 1e-9
        for point in (start, end):
            column, row = math.floor(point[0]), math.floor(point[1])
            if 0 <= column < SIZE and 0 <= row < SIZE:
                assert got[row, column]
                rim[row, column] = True
        np.testing.assert_array_equal(got[~rim], (distance <= diameter / 2)[~rim])

    @given(points, diameters)
    @settings(deadline=None)
    def test_a_dab_has_its_rim(self, point: Point, diameter: float) -> None:
        x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
        expected = (x - point[0]) ** 2 + (y - point[1]) ** 2 <= (diameter / 2) ** 2
        column, row = math.floor(point[0]), math.floor(point[1])
        if 0 <= column < SIZE and 0 <= row < SIZE:
            expected[row, column] = True
        np.testing.assert_array_equal(_full_mask(Brush(diameter).segment(point, point, SIZE)), expected)

    def test_known_discs(self) -> None:
        def rows(diameter: float, point: Point) -> list[int]:
            return [int(n) for n in _full_mask(Brush(diameter).segment(point, point, 16), 16).sum(axis=1) if n]

        assert rows(1, (8.5, 8.5)) == [1]
        assert rows(1, (8.0, 8.0)) == [1]
        assert rows(2, (8.0, 8.0)) == [2, 2]
        assert rows(3, (8.5, 8.5)) == [3, 3, 3]
        assert rows(5, (8.5, 8.5)) == [3, 5, 5, 5, 3]
        assert rows(4, (8.0, 8.0)) == [2, 4, 4, 2]
        assert rows(6, (8.0, 8.0)) == [4, 6, 6, 6, 6, 4]

    @given(points, points, diameters)
    @settings(deadline=None)
    def test_direction_does_not_matter(self, start: Point, end: Point, diameter: float) -> None:
        brush = Brush(diameter)
        np.testing.assert_array_equal(
            _full_mask(brush.segment(start, end, SIZE)), _full_mask(brush.segment(end, start, SIZE))
        )

    @given(st.tuples(st.floats(0, SIZE), st.floats(0, SIZE)), st.tuples(st.floats(0, SIZE), st.floats(0, SIZE)))
    @settings(deadline=None)
    def test_the_thinnest_line_has_no_gap(self, start: Point, end: Point) -> None:
        mask = _full_mask(Brush(1).segment(start, end, SIZE + 1), SIZE + 1)
        todo = {(int(r), int(c)) for r, c in zip(*np.nonzero(mask), strict=True)}
        front = [todo.pop()]
        while front:
            row, column = front.pop()
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & todo
            todo -= near
            front.extend(near)
        assert not todo

    def test_a_long_diagonal_on_the_largest_document(self) -> None:
        covered = Brush(9).segment((10, 20), (2000, 1900), 2048)
        mask = _full_mask(covered, 2048)
        length = math.hypot(1990, 1880)
        assert mask.sum() == pytest.approx(9 * length + math.pi * 4.5**2, rel=0.002)

    def test_outside_is_nothing_and_far_away_costs_nothing(self) -> None:
        assert Brush(10).segment((-20, 5), (-20, 50), SIZE) is None
        assert _full_mask(Brush(2).segment((-1e9, 48), (1e9, 48), SIZE)).sum() == 2 * SIZE

    @pytest.mark.parametrize("diameter", [0, 0.5, -1, 4096, math.nan, math.inf])
    def test_impossible_diameters(self, diameter: float) -> None:
        with pytest.raises(ValueError, match="brush"):
            Brush(diameter)

    def test_impossible_points(self) -> None:
        with pytest.raises(ValueError, match="point"):
            Brush(5).segment((0, 0), (math.nan, 3), SIZE)

    @given(points, points, diameters)
    @settings(max_examples=150, deadline=None)
    def test_a_square_covers_what_the_definition_says(self, start: Point, end: Point, diameter: float) -> None:
        """Against many squares set down along the way: no pixel too few, and none that no square comes near."""
        got = _full_mask(Brush(diameter, "square").segment(start, end, SIZE))
        x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
        near = np.zeros((SIZE, SIZE), bool)
        sure = np.zeros((SIZE, SIZE), bool)
        pieces = 400
        step = max(abs(end[0] - start[0]), abs(end[1] - start[1])) / pieces
        for i in range(pieces + 1):
            px, py = (start[k] + (end[k] - start[k]) * i / pieces for k in (0, 1))
            away = np.maximum(abs(x - px), abs(y - py))
            sure |= away < diameter / 2 - 1e-9
            near |= away <= diameter / 2 + step
        for point in (start, end):
            column, row = math.floor(point[0]), math.floor(point[1])
            if 0 <= column < SIZE and 0 <= row < SIZE:
                assert got[row, column]
                near[row, column] = True
        assert not (sure & ~got).any()
        assert not (got & ~near).any()
