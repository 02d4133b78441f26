"""The editor: everything that can be done to a layout does what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from smis_desktop.document.brush import Brush, MirrorAxis
from smis_desktop.document.document import Document, LayerNotPaintable
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.history import History
from smis_desktop.document.palette import EMPTY, Palette, SemanticClass
from smis_desktop.errors import UserError
from tests.document.conftest import PALETTE


class TestPainting:
    def test_a_stroke_is_one_step(self, bench: DocumentEditor) -> None:
        change = bench.begin_stroke(Brush(6), 3, (10.5, 10.5))
        assert change is not None
        assert change.rect is not None
        bench.extend_stroke((50.5, 10.5))
        assert bench.is_painting
        assert bench.end_stroke() is not None
        assert (bench.document.label_map[10, 10:51] == 3).all()
        assert bench.undo_name == "Brush stroke"
        bench.undo()
        assert (bench.document.label_map == EMPTY).all()
        assert not bench.can_undo
        assert bench.can_redo
        bench.redo()
        assert (bench.document.label_map[10, 10:51] == 3).all()

    def test_a_cancelled_stroke_leaves_no_trace(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((0, 0), (30, 30), 7)
        before = bench.document.state()
        bench.begin_stroke(Brush(9), 3, (10, 10))
        bench.extend_stroke((60, 60))
        assert bench.undo() is not None  # undo in mid-stroke cancels it
        assert not bench.is_painting
        assert bench.document.state().equals(before)
        assert bench.undo_name == "Rectangle"

    def test_pressure_scales_the_brush(self, bench: DocumentEditor) -> None:
        bench.begin_stroke(Brush(20), 3, (16, 32), 0.25)
        bench.end_stroke()
        bench.begin_stroke(Brush(20), 3, (48, 32), 1.0)
        bench.end_stroke()
        columns = (bench.document.label_map[32] == 3).nonzero()[0]
        assert len(columns[columns < 32]) == pytest.approx(5, abs=1)
        assert len(columns[columns >= 32]) == 20

    def test_few_points_of_a_circle_are_drawn_round(self) -> None:
        bench = DocumentEditor(Document.blank(PALETTE, 512))
        angles = np.linspace(0, 2 * math.pi, 17)
        at = [(256 + 200 * math.cos(a), 256 + 200 * math.sin(a)) for a in angles]
        bench.begin_stroke(Brush(4), 3, at[0])
        for point in at[1:]:
            bench.extend_stroke(point)
        bench.end_stroke()
        rows, columns = (bench.document.label_map == 3).nonzero()
        radii = np.hypot(columns + 0.5 - 256, rows + 0.5 - 256)
        # A chord of a sixteenth of this circle is 3.8 pixels from its arc; only the first piece has to be one.
        angle = np.arctan2(rows + 0.5 - 256, columns + 0.5 - 256) % (2 * math.pi)
        assert np.abs(radii - 200)[angle > 2 * math.pi / 16 + 0.05].max() < 2 + 1.2

    def test_the_stabiliser_ends_where_the_hand_does(self, bench: DocumentEditor) -> None:
        bench.begin_stroke(Brush(3), 3, (5, 32), stabilizer=0.9)
        for x in range(6, 60):
            bench.extend_stroke((x, 32 + 6 * (x % 2)))
        reached = (bench.document.label_map == 3).any(axis=0).nonzero()[0].max()
        bench.end_stroke()
        assert reached < 55
        assert (bench.document.label_map == 3).any(axis=0).nonzero()[0].max() >= 59

    def test_mirror_painting_is_symmetrical(self, bench: DocumentEditor) -> None:
        bench.mirror = MirrorAxis("vertical", 32)
        bench.begin_stroke(Brush(7), 3, (3.3, 9.1))
        bench.extend_stroke((22.7, 41.9))
        bench.end_stroke()
        bench.fill_ellipse((40, 50), (60, 60), 7)
        np.testing.assert_array_equal(bench.document.label_map, bench.document.label_map[:, ::-1])
        bench.mirror = MirrorAxis("horizontal", 20.5)
        bench.fill_rectangle((0, 0), (5, 5), 200)
        assert (bench.document.label_map[35:41, 0:6] == 200).all()

    def test_preserved_classes_are_not_painted_over(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((0, 0), (20, 63), 3)
        bench.preserved = frozenset((3,))
        bench.fill_rectangle((0, 0), (63, 63), 7)
        assert (bench.document.label_map[:, :21] == 3).all()
        assert (bench.document.label_map[:, 21:] == 7).all()
        bench.add_layer()
        bench.fill_rectangle((0, 0), (40, 63), 200)  # nor hidden by another layer
        assert (bench.document.label_map[:, :21] == 3).all()
        assert (bench.document.label_map[:, 21:41] == 200).all()
        bench.preserved = frozenset((3, EMPTY))
        assert bench.fill_rectangle((0, 0), (10, 63), 0) is None

    def test_closed_layers_are_not_painted_on(self, bench: DocumentEditor) -> None:
        active = bench.active_id
        bench.set_locked(active, True)
        for paint in (
            lambda: bench.begin_stroke(Brush(3), 3, (5, 5)),
            lambda: bench.fill_rectangle((0, 0), (5, 5), 3),
            lambda: bench.bucket((5, 5), 3),
            lambda: bench.shift_layer(active, 1, 1),
            lambda: bench.clear_layer(active),
        ):
            with pytest.raises((LayerNotPaintable,), match="locked"):
                paint()
            if bench.can_undo and bench.undo_name != "Lock layer":
                pytest.fail("a refused operation left a step")
        bench.set_locked(active, False)
        bench.set_visible(active, False)
        with pytest.raises(LayerNotPaintable, match="hidden"):
            bench.fill_rectangle((0, 0), (5, 5), 3)

    def test_classes_that_are_not_there_are_refused(self, bench: DocumentEditor) -> None:
        with pytest.raises(ValueError, match="no class 9"):
            bench.fill_rectangle((0, 0), (5, 5), 9)
        assert not bench.can_undo


class TestShapes:
    def test_a_rectangle_holds_its_corners(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((20.9, 30.1), (10.5, 12.5), 3)
        expected = np.full((64, 64), EMPTY, np.uint8)
        expected[12:31, 10:21] = 3
        np.testing.assert_array_equal(bench.document.label_map, expected)

    def test_an_ellipse_fills_its_box(self, bench: DocumentEditor) -> None:
        bench.fill_ellipse((10, 20), (49.5, 39.5), 3)
        mask = bench.document.label_map == 3
        assert mask.any(axis=0).nonzero()[0].tolist() == list(range(10, 50))
        assert mask.any(axis=1).nonzero()[0].tolist() == list(range(20, 40))
        assert mask.sum() == pytest.approx(math.pi * 20 * 10, rel=0.02)

    def test_a_polygon_by_the_even_odd_rule(self, bench: DocumentEditor) -> None:
        star = [(32 + 30 * math.sin(4 * math.pi * i / 5), 32 - 30 * math.cos(4 * math.pi * i / 5)) for i in range(5)]
        bench.fill_polygon(star, 3)
        x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
        inside = np.zeros((64, 64), bool)
        for (x0, y0), (x1, y1) in zip(star, star[1:] + star[:1], strict=True):
            crosses = (y0 <= y) != (y1 <= y)
            inside ^= crosses & (x > x0 + (y - y0) * (x1 - x0) / ((y1 - y0) or 1))
        np.testing.assert_array_equal(bench.document.label_map == 3, inside)
        assert bench.document.label_map[32, 32] == EMPTY

    def test_shapes_outside_do_nothing(self, bench: DocumentEditor) -> None:
        assert bench.fill_rectangle((-20, -20), (-5, -5), 3) is None
        assert bench.fill_polygon([(100, 100), (120, 100), (110, 130)], 3) is None
        assert bench.fill_polygon([(1, 1), (5, 5)], 3) is None
        assert not bench.can_undo

    def test_the_bucket_stays_within_its_region(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((20, 20), (40, 40), 3)
        bench.fill_rectangle((24, 24), (36, 36), 7)
        bench.bucket((5, 5), 0)
        assert bench.pick((5, 5)) == 0
        assert bench.pick((22, 22)) == 3
        assert bench.pick((30, 30)) == 7
        bench.fill_rectangle((50, 50), (60, 60), 7)
        bench.bucket((30, 30), 200, contiguous=False)
        assert bench.pick((30, 30)) == bench.pick((55, 55)) == 200

    @pytest.mark.parametrize(("opening", "gap", "leaks"), [(3, 2, True), (3, 3, False), (4, 4, False), (6, 4, True)])
    def test_gaps_are_closed(self, bench: DocumentEditor, opening: int, gap: int, leaks: bool) -> None:
        bench.fill_rectangle((10, 10), (50, 50), 3)
        bench.fill_rectangle((13, 13), (47, 47), 7)
        bench.fill_rectangle((30, 8), (30 + opening - 1, 14), 7)
        bench.fill_rectangle((0, 0), (63, 9), 7)
        bench.bucket((30, 40), 200, gap=gap)
        assert (bench.pick((2, 2)) == 200) == leaks
        assert (bench.document.label_map[14:47, 13:48] == 200).all()

    def test_across_layers_the_bucket_sees_what_shows(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((0, 0), (63, 31), 3)
        bench.add_layer()
        bench.bucket((5, 5), 7, all_layers=True)
        assert (bench.document.label_map[:32] == 7).all()
        assert (bench.document.label_map[32:] == EMPTY).all()
        bench.undo()
        bench.bucket((5, 5), 7)  # this layer alone is empty everywhere
        assert (bench.document.label_map == 7).all()


class TestLayers:
    def test_layers_are_added_above_the_active_one_and_named_apart(self, bench: DocumentEditor) -> None:
        bench.add_layer()
        bench.active_id = bench.document.layers[0].layer_id
        bench.add_layer("Hair")
        assert [layer.name for layer in bench.document.layers] == ["Layer 1", "Hair", "Layer 2"]
        assert bench.document.layer(bench.active_id).name == "Hair"

    def test_the_last_layer_stays(self, bench: DocumentEditor) -> None:
        assert bench.delete_layer(bench.active_id) is None
        bench.add_layer()
        assert bench.delete_layer(bench.active_id) is not None
        assert len(bench.document.layers) == 1

    def test_merging_changes_nothing_that_shows(self, bench: DocumentEditor) -> None:
        bench.fill_rectangle((0, 0), (30, 30), 3)
        bench.add_layer()
        bench.fill_rectangle((20, 20), (60, 60), 7)
        bench.shift_layer(bench.active_id, -5, 9)
        before = bench.document.snapshot()
        bench.merge_down(bench.active_id)
        assert len(bench.document.layers) == 1
        np.testing.assert_array_equal(bench.document.label_map, before)

    def test_moving_outside_and_back_loses_nothing(self, bench: DocumentEditor) -> None:
        bench.fill_ellipse((3, 3), (60, 50), 3)
        before = bench.document.snapshot()
        bench.shift_layer(bench.active_id, 1000, -2000)
        assert (bench.document.label_map == EMPTY).all()
        bench.fill_rectangle((0, 0), (5, 5), 7)
        bench.undo()
        bench.shift_layer(bench.active_id, -1000, 2000)
        np.testing.assert_array_equal(bench.document.label_map, before)

    def test_reordering_and_hiding(self, bench: DocumentEditor) -> None:
        below = bench.active_id
        bench.fill_rectangle((0, 0), (30, 30), 3)
        bench.add_layer()
        above = bench.active_id
        bench.fill_rectangle((10, 10), (40, 40), 7)
        assert bench.pick((20, 20)) == 7
        bench.reorder_layer(below, 1)
        assert bench.pick((20, 20)) == 3
        bench.set_visible(below, False)
        assert bench.pick((20, 20)) == 7
        assert bench.pick((5, 5)) == EMPTY
        assert bench.set_visible(below, False) is None
        assert bench.reorder_layer(above, 0) is None

    def test_flipping_twice_is_nothing(self, bench: DocumentEditor) -> None:
        bench.fill_polygon([(3, 3), (50, 20), (10, 60)], 3)
        before = bench.document.snapshot()
        bench.flip_layer(bench.active_id)
        np.testing.assert_array_equal(bench.document.label_map, before[:, ::-1])
        bench.flip_layer(bench.active_id)
        np.testing.assert_array_equal(bench.document.label_map, before)


class TestClasses:
    def test_classes_are_added_renamed_and_recoloured(self, bench: DocumentEditor) -> None:
        bench.add_class("scarf", (9, 9, 9))
        assert bench.document.palette.class_ids == (0, 3, 7, 200, 201)
        bench.rename_class(201, "shawl")
        bench.recolor_class(201, (1, 2, 3))
        assert bench.document.palette.by_id(201) == SemanticClass(201, "shawl", (1, 2, 3))
        for _ in range(3):
            bench.undo()
        assert bench.document.palette == PALETTE

    def test_a_full_palette_says_so(self) -> None:
        classes = tuple(SemanticClass(i, str(i), (0, 0, 0)) for i in range(255))
        bench = DocumentEditor(Document.blank(Palette(classes), 64))
        with pytest.raises(UserError, match="full"):
            bench.add_class("one more", (1, 1, 1))


class TestHistory:
    def test_dirty_follows_undo_and_redo(self, bench: DocumentEditor) -> None:
        assert not bench.is_dirty
        bench.fill_rectangle((0, 0), (5, 5), 3)
        assert bench.is_dirty
        bench.mark_saved()
        assert not bench.is_dirty
        bench.undo()
        assert bench.is_dirty
        bench.redo()
        assert not bench.is_dirty
        bench.mark_unsaved()
        assert bench.is_dirty

    def test_forgotten_steps_do_not_make_it_clean(self) -> None:
        bench = DocumentEditor(Document.blank(PALETTE, 64), History(max_steps=2))
        for i in range(3):
            bench.fill_rectangle((i, i), (i, i), 3)
        while bench.can_undo:
            bench.undo()
        assert bench.is_dirty

    def test_the_budget_never_costs_the_last_two_hundred_steps(self) -> None:
        bench = DocumentEditor(Document.blank(PALETTE, 64), History(budget_bytes=1, min_steps=200))
        for i in range(230):
            bench.fill_rectangle((i % 64, i // 64), (i % 64, i // 64), 3)
        steps = 0
        while bench.can_undo:
            bench.undo()
            steps += 1
        assert steps == 200
