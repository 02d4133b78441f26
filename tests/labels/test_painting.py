"""Brush, strokes and history on a document: exact, gapless, and undone bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.labels.brush import Brush, Point
from smis_desktop.labels.document import Document
from smis_desktop.labels.history import Edit, History
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.labels.rect import Rect
from smis_desktop.labels.strokes import Stroke

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, i, i)) for i in (0, 3, 7, 200)))
SIZE = 96

# Sixteenths of a pixel are exact in float arithmetic, so that pixels just on the rim are no matter of rounding.
coordinates = st.integers(-40 * 16, (SIZE + 40) * 16).map(lambda n: n / 16)
points = st.tuples(coordinates, coordinates)
diameters = st.integers(8, 60 * 8).map(lambda n: n / 8)
strokes = st.lists(
    st.tuples(st.sampled_from([*PALETTE.class_ids, EMPTY]), diameters, st.lists(points, min_size=1, max_size=5)),
    min_size=1,
    max_size=6,
)


def _full_mask(covered: tuple[Rect, np.ndarray] | None, size: int = SIZE) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    if covered is not None:
        mask[covered[0].slices] = covered[1]
    return mask


def _draw(document: Document, class_id: int, diameter: float, path: list[Point]) -> Edit | None:
    stroke = Stroke(document, Brush(diameter), class_id)
    stroke.begin(path[0])
    for point in path[1:]:
        stroke.extend(point)
    return stroke.end()


def _mixed_document(size: int = SIZE) -> Document:
    ids = np.random.default_rng(1).choice([*PALETTE.class_ids, EMPTY, 99], (size, size)).astype(np.uint8)
    return Document(ids, PALETTE)


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


class TestDocument:
    def test_blank(self) -> None:
        document = Document.blank(PALETTE)
        assert (document.size, document.revision) == (512, 0)
        assert (document.label_map == EMPTY).all()
        assert (Document.blank(PALETTE, 64, 7).label_map == 7).all()

    @pytest.mark.parametrize(
        "label_map",
        [
            np.zeros((63, 63), np.uint8),
            np.zeros((2049, 2049), np.uint8),
            np.zeros((64, 65), np.uint8),
            np.zeros((64, 64), np.int64),
            np.zeros((64, 64, 3), np.uint8),
        ],
    )
    def test_refuses_what_is_no_document(self, label_map: np.ndarray) -> None:
        with pytest.raises(ValueError, match="document"):
            Document(label_map, PALETTE)

    def test_does_not_share_its_pixels(self) -> None:
        mine = np.zeros((64, 64), np.uint8)
        document = Document(mine, PALETTE)
        mine[:] = 3
        assert (document.label_map == 0).all()
        with pytest.raises(ValueError, match="read-only"):
            document.label_map[0, 0] = 3
        with pytest.raises(ValueError, match="read-only"):
            document.snapshot()[0, 0] = 3

    def test_a_snapshot_stays_and_the_view_follows(self) -> None:
        document = Document.blank(PALETTE, 64, 0)
        before, view = document.snapshot(), document.label_map
        assert document.snapshot() is before
        assert document.paint(Rect(1, 2, 4, 4), np.ones((2, 3), bool), 7) == Rect(1, 2, 4, 4)
        assert (before == 0).all()
        assert view[2:4, 1:4].tolist() == [[7] * 3] * 2
        assert int((document.snapshot() == 7).sum()) == 6
        assert document.revision == 1

    def test_painting_what_is_there_changes_nothing(self) -> None:
        document = Document.blank(PALETTE, 64, 3)
        assert document.paint(Rect(0, 0, 2, 2), np.ones((2, 2), bool), 3) is None
        assert document.paint(Rect(0, 0, 2, 2), np.zeros((2, 2), bool), 7) is None
        assert document.revision == 0

    def test_refuses_foreign_classes_and_rectangles_outside(self) -> None:
        document = Document.blank(PALETTE, 64)
        with pytest.raises(ValueError, match="no class 5"):
            document.paint(Rect(0, 0, 1, 1), np.ones((1, 1), bool), 5)
        with pytest.raises(ValueError, match="outside"):
            document.paint(Rect(63, 0, 65, 1), np.ones((1, 2), bool), 3)
        with pytest.raises(ValueError, match="fill"):
            document.write(Rect(0, 0, 2, 2), np.zeros((3, 2), np.uint8))
        with pytest.raises(ValueError, match="uint8"):
            document.write(Rect(0, 0, 2, 2), np.zeros((2, 2), np.int64))
        assert document.revision == 0


class TestStrokes:
    @given(strokes)
    @settings(max_examples=60, deadline=None)
    def test_undo_and_redo_are_bit_exact(self, drawn: list[tuple[int, float, list[Point]]]) -> None:
        document = _mixed_document()
        history = History()
        states = [document.snapshot()]
        for class_id, diameter, path in drawn:
            edit = _draw(document, class_id, diameter, path)
            if edit is None:
                np.testing.assert_array_equal(document.snapshot(), states[-1])
                continue
            history.push(edit)
            states.append(document.snapshot())
        assert history.num_steps == len(states) - 1
        revision = document.revision
        for state in states[-2::-1]:
            assert history.undo(document) is not None
            np.testing.assert_array_equal(document.snapshot(), state)
            assert document.revision > revision
            revision = document.revision
        assert history.undo(document) is None
        for state in states[1:]:
            assert history.redo(document) is not None
            np.testing.assert_array_equal(document.snapshot(), state)
            assert document.revision > revision
            revision = document.revision
        assert history.redo(document) is None
        assert document.revision == revision

    @given(strokes)
    @settings(max_examples=60, deadline=None)
    def test_writes_the_asked_id_where_the_brush_was_and_nothing_else(
        self, drawn: list[tuple[int, float, list[Point]]]
    ) -> None:
        document = _mixed_document()
        for class_id, diameter, path in drawn:
            before = document.snapshot()
            edit = _draw(document, class_id, diameter, path)
            touched = np.zeros((SIZE, SIZE), bool)
            for start, end in zip([path[0], *path[:-1]], path, strict=True):
                touched |= _full_mask(Brush(diameter).segment(start, end, SIZE))
            np.testing.assert_array_equal(document.label_map, np.where(touched, class_id, before))
            rows, columns = np.nonzero(document.label_map != before)
            if edit is None:
                assert not len(rows)
            else:
                assert edit.rect == Rect(
                    int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
                )

    @given(st.lists(points, min_size=1, max_size=6), diameters)
    @settings(max_examples=60, deadline=None)
    def test_dirty_rectangles_hold_every_change_and_cancel_restores(self, path: list[Point], diameter: float) -> None:
        document = _mixed_document()
        first = document.snapshot()
        shown = first.copy()  # what a canvas has that repaints dirty rectangles only
        stroke = Stroke(document, Brush(diameter), 200)
        for step, point in enumerate(path):
            before = document.revision
            dirty = stroke.extend(point) if step else stroke.begin(point)
            assert (dirty is not None) == (document.revision > before)
            if dirty is not None:
                shown[dirty.slices] = document.label_map[dirty.slices]
            np.testing.assert_array_equal(shown, document.label_map)
        restored = stroke.cancel()
        if restored is not None:
            shown[restored.slices] = document.label_map[restored.slices]
        np.testing.assert_array_equal(document.label_map, first)
        np.testing.assert_array_equal(shown, first)

    def test_a_stroke_past_the_border_goes_on_inside(self) -> None:
        document = Document.blank(PALETTE, 64, 0)
        assert _draw(document, 3, 4, [(-50, 32), (-20, 32), (100, 32)]) is not None
        assert (document.label_map[31:33] == 3).all()
        assert _draw(document, 3, 4, [(-50, 32), (-20, 32)]) is None

    def test_order_and_foreign_changes_are_refused(self) -> None:
        document = Document.blank(PALETTE, 64, 0)
        stroke = Stroke(document, Brush(4), 3)
        with pytest.raises(RuntimeError, match="not begun"):
            stroke.extend((1, 1))
        stroke.begin((1, 1))
        with pytest.raises(RuntimeError, match="begun already"):
            stroke.begin((1, 1))
        document.write(Rect(0, 0, 1, 1), np.full((1, 1), 7, np.uint8))
        with pytest.raises(RuntimeError, match="by others"):
            stroke.extend((9, 9))
        other = Stroke(document, Brush(4), 3)
        other.begin((9, 9))
        other.end()
        with pytest.raises(RuntimeError, match="over"):
            other.cancel()


class TestHistory:
    @staticmethod
    def _edit(document: Document, step: int) -> Edit:
        edit = _draw(document, (3, 7)[step % 2], 4, [(30, 30)])
        assert edit is not None
        return edit

    def test_a_new_edit_ends_redo(self) -> None:
        document, history = Document.blank(PALETTE, 64, 0), History()
        for step in range(3):
            history.push(self._edit(document, step))
        history.undo(document)
        history.undo(document)
        assert (history.can_undo, history.can_redo, history.num_steps) == (True, True, 1)
        nbytes = history.nbytes
        edit = _draw(document, 200, 8, [(5, 5)])
        assert edit is not None
        history.push(edit)
        assert not history.can_redo
        assert history.num_steps == 2
        assert history.nbytes <= nbytes + edit.nbytes
        history.undo(document)
        history.undo(document)
        assert history.undo(document) is None
        assert (document.label_map == 0).all()

    def test_hundreds_of_steps_on_the_largest_document(self) -> None:
        document, history = Document.blank(PALETTE, 2048, 0), History()
        first = document.snapshot()
        for step in range(250):
            edit = _draw(document, (3, 7)[step % 2], 40, [(8 * step, 100), (2000 - 8 * step, 500)])
            assert edit is not None
            history.push(edit)
        assert history.num_steps == 250
        while history.can_undo:
            history.undo(document)
        np.testing.assert_array_equal(document.label_map, first)

    def test_the_oldest_step_is_forgotten_first(self) -> None:
        document, history = Document.blank(PALETTE, 64, 0), History(max_steps=5)
        states = [document.snapshot()]
        for step in range(8):
            history.push(self._edit(document, step))
            states.append(document.snapshot())
        for state in states[-2:-7:-1]:
            history.undo(document)
            np.testing.assert_array_equal(document.label_map, state)
        assert history.undo(document) is None

    def test_the_budget_holds_and_the_last_step_stays(self) -> None:
        document = _mixed_document(128)
        noise = np.random.default_rng(2).integers(0, 256, (20, 128, 128), dtype=np.uint8)
        rect = Rect(0, 0, 128, 128)
        history = History(budget_bytes=100_000)
        for pixels in noise:
            edit = Edit.between(rect, document.snapshot(), pixels)
            assert edit is not None
            edit.redo(document)
            history.push(edit)
            assert history.nbytes <= 100_000
        assert 2 <= history.num_steps < 20
        tight = History(budget_bytes=10)
        for pixels in noise[:3]:
            edit = Edit.between(rect, document.snapshot(), pixels)
            assert edit is not None
            edit.redo(document)
            tight.push(edit)
        assert tight.num_steps == 1
        tight.undo(document)
        np.testing.assert_array_equal(document.label_map, noise[1])

    def test_bytes_are_accounted_through_everything(self) -> None:
        document, history = Document.blank(PALETTE, 64, 0), History(max_steps=4)
        for step in range(6):
            history.push(self._edit(document, step))
        total = history.nbytes
        history.undo(document)
        assert history.nbytes == total
        history.redo(document)
        assert history.nbytes == total
        history.clear()
        assert (history.nbytes, history.can_undo, history.can_redo) == (0, False, False)

    def test_noise_is_kept_as_it_is_and_plain_areas_deflated(self) -> None:
        noise = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
        plain = np.full((64, 64), 3, np.uint8)
        edit = Edit.between(Rect(0, 0, 64, 64), plain, noise)
        assert edit is not None
        assert 64 * 64 <= edit.nbytes < 64 * 64 + 200

    def test_no_change_is_no_edit(self) -> None:
        same = np.full((4, 4), 3, np.uint8)
        assert Edit.between(Rect(0, 0, 4, 4), same, same.copy()) is None
