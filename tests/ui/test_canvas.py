"""Painting on the canvas, exact to the pixel: in the document and on the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from smis_desktop.document.brush import Brush
from smis_desktop.document.document import Document, paintable_size
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.document_controller import DocumentController
from tests.ui.conftest import SIZE, at
from tests.workers.paint_by_palette import FACE

ZOOM = 8

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton


@pytest.fixture
def controller() -> DocumentController:
    controller = DocumentController()
    controller.place(Document.of_label_map(np.zeros((SIZE, SIZE), np.uint8), FACE))
    return controller


@pytest.fixture
def canvas(controller: DocumentController, qtbot: QtBot) -> Canvas:
    """A canvas on which every layout pixel is 8 × 8 screen pixels, its corner at (20, 20)."""
    canvas = Canvas(controller)
    qtbot.addWidget(canvas)
    controller.place(Document.of_label_map(np.zeros((SIZE, SIZE), np.uint8), FACE))
    canvas.resize(SIZE * ZOOM + 40, SIZE * ZOOM + 40)
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.viewport.zoom(ZOOM / canvas.viewport.scale, 0, 0)
    canvas.viewport.pan(20 - canvas.viewport.left, 20 - canvas.viewport.top)
    canvas.update()
    canvas.options.choose_class(7)
    canvas.options.set_diameter(5)
    return canvas


def drag(
    canvas: Canvas, points: Sequence[tuple[float, float]], button: Qt.MouseButton = LEFT, lift: bool = True
) -> list[tuple[float, float]]:
    """Press at the first layout pixel, move through the others, let go. Returns the exact positions in the layout."""
    on_view = [at(canvas, *point) for point in points]
    QTest.mousePress(canvas, button, pos=on_view[0])
    for point in on_view[1:]:
        QTest.mouseMove(canvas, point)
    if lift:
        QTest.mouseRelease(canvas, button, pos=on_view[-1])
    return [canvas.viewport.to_document(point.x(), point.y()) for point in on_view]


def painted_by_hand(points: list[tuple[float, float]], diameter: float, class_id: int) -> np.ndarray:
    """What the same stroke does to an empty document without any window."""
    editor = DocumentEditor(Document.of_label_map(np.zeros((SIZE, SIZE), np.uint8), FACE))
    editor.begin_stroke(Brush(diameter), class_id, points[0])
    for point in points[1:]:
        editor.extend_stroke(point)
    return editor.document.snapshot()


def pixels(controller: DocumentController) -> np.ndarray:
    assert controller.document is not None
    return controller.document.snapshot()


def shown(canvas: Canvas) -> np.ndarray:
    """The colour in the middle of every layout pixel, as it is on the screen: uint8 [size, size, 3]."""
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))  # takes the brush's outline away
    picture = qimage_to_picture(canvas.grab().toImage())
    left, top = round(canvas.viewport.left), round(canvas.viewport.top)
    half = ZOOM // 2
    return picture[top + half : top + SIZE * ZOOM : ZOOM, left + half : left + SIZE * ZOOM : ZOOM]


def test_a_stroke_paints_exactly_the_brushs_pixels_in_the_document_and_on_the_screen(
    canvas: Canvas, controller: DocumentController
) -> None:
    points = drag(canvas, [(10, 10), (30, 14), (30, 50), (5, 60)])
    expected = painted_by_hand(points, 5, 7)
    assert 0 < (expected == 7).sum() < SIZE * SIZE / 4
    np.testing.assert_array_equal(pixels(controller), expected)
    np.testing.assert_array_equal(shown(canvas), FACE.color_table[expected])


def test_the_screen_follows_while_the_pen_is_still_down(canvas: Canvas, controller: DocumentController) -> None:
    points = drag(canvas, [(10, 10), (40, 40)], lift=False)
    np.testing.assert_array_equal(shown(canvas), FACE.color_table[painted_by_hand(points, 5, 7)])
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 40, 40))


def test_a_click_leaves_one_dab(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_diameter(1)
    drag(canvas, [(20, 30)])
    assert np.argwhere(pixels(controller) == 7).tolist() == [[30, 20]]


def test_the_right_button_and_the_eraser_empty_the_layer(canvas: Canvas, controller: DocumentController) -> None:
    drag(canvas, [(0, 32), (63, 32)])
    drag(canvas, [(20, 32)], button=RIGHT)
    assert pixels(controller)[32, 20] == EMPTY
    canvas.options.set_tool("eraser")
    canvas.options.set_diameter(5)
    drag(canvas, [(40, 32)])
    assert pixels(controller)[32, 40] == EMPTY
    assert pixels(controller)[32, 30] == 7


def test_undo_and_redo_bring_every_pixel_back_to_document_and_screen(
    canvas: Canvas, controller: DocumentController
) -> None:
    drag(canvas, [(10, 10), (50, 10)])
    first = pixels(controller)
    canvas.options.choose_class(1)
    drag(canvas, [(10, 8), (50, 50)])
    second = pixels(controller)
    assert (first != second).any()
    controller.undo()
    np.testing.assert_array_equal(pixels(controller), first)
    np.testing.assert_array_equal(shown(canvas), FACE.color_table[first])
    controller.undo()
    assert not pixels(controller).any()
    assert not controller.can_undo
    controller.redo()
    controller.redo()
    np.testing.assert_array_equal(pixels(controller), second)
    np.testing.assert_array_equal(shown(canvas), FACE.color_table[second])
    assert not controller.can_redo


def test_a_cancelled_stroke_leaves_nothing_behind(canvas: Canvas, controller: DocumentController, qtbot: QtBot) -> None:
    drag(canvas, [(10, 10), (50, 10)])
    before = pixels(controller)
    drag(canvas, [(10, 5), (50, 60)], lift=False)
    assert (pixels(controller) != before).any()
    with qtbot.waitSignal(controller.stroke_ended):
        controller.cancel_stroke()
    np.testing.assert_array_equal(pixels(controller), before)
    np.testing.assert_array_equal(shown(canvas), FACE.color_table[before])
    QTest.mouseMove(canvas, at(canvas, 60, 60))
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 60, 60))
    np.testing.assert_array_equal(pixels(controller), before)
    controller.undo()
    assert not pixels(controller).any(), "the cancelled stroke became a step of the history"


def test_undo_with_the_pen_down_takes_that_stroke_back_and_no_other(
    canvas: Canvas, controller: DocumentController
) -> None:
    drag(canvas, [(10, 10), (50, 10)])
    before = pixels(controller)
    drag(canvas, [(10, 40), (50, 40)], lift=False)
    controller.undo()
    np.testing.assert_array_equal(pixels(controller), before)
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 50, 40))
    assert controller.can_undo


def test_a_second_button_during_a_stroke_changes_nothing(canvas: Canvas, controller: DocumentController) -> None:
    drag(canvas, [(10, 10), (20, 10)], lift=False)
    QTest.mousePress(canvas, RIGHT, pos=at(canvas, 20, 10))
    QTest.mouseRelease(canvas, RIGHT, pos=at(canvas, 20, 10))
    assert controller.is_painting
    assert pixels(controller)[10, 20] == 7
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 20, 10))
    assert not controller.is_painting


def test_a_stroke_that_begins_and_ends_outside_paints_what_it_crosses(
    canvas: Canvas, controller: DocumentController
) -> None:
    drag(canvas, [(-2, 20), (65, 20)])
    assert (pixels(controller)[20] == 7).all()


def test_the_middle_button_and_space_move_the_view_and_paint_nothing(
    canvas: Canvas, controller: DocumentController
) -> None:
    for press_space, button in ((False, MIDDLE), (True, LEFT)):
        left, top = canvas.viewport.left, canvas.viewport.top
        start = QPoint(100, 100)
        if press_space:
            QTest.keyPress(canvas, Qt.Key.Key_Space)
        QTest.mousePress(canvas, button, pos=start)
        QTest.mouseMove(canvas, start + QPoint(37, -25))
        QTest.mouseRelease(canvas, button, pos=start + QPoint(37, -25))
        if press_space:
            QTest.keyRelease(canvas, Qt.Key.Key_Space)
        assert (canvas.viewport.left, canvas.viewport.top) == pytest.approx((left + 37, top - 25))
    assert not pixels(controller).any()
    drag(canvas, [(30, 30)])
    assert pixels(controller)[30, 30] == 7, "after the space bar is let go the brush paints again"


def test_the_wheel_zooms_about_the_cursor(canvas: Canvas) -> None:
    cursor = QPointF(at(canvas, 40, 12))
    before = canvas.viewport.to_document(cursor.x(), cursor.y())
    scale = canvas.viewport.scale
    for notch in (120, 120, -120):
        QApplication.sendEvent(
            canvas,
            QWheelEvent(
                cursor, canvas.mapToGlobal(cursor), QPoint(), QPoint(0, notch), Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
            ),
        )  # fmt: skip
    assert canvas.viewport.scale > scale
    assert canvas.viewport.to_document(cursor.x(), cursor.y()) == pytest.approx(before)


def test_the_outline_is_exactly_as_large_as_what_a_dab_paints(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_diameter(21)
    canvas.options.choose_class(1)
    middle = at(canvas, 32, 32)
    QTest.mouseMove(canvas, middle)
    plain = shown_raw(canvas, hide_outline=True)
    QTest.mouseMove(canvas, middle + QPoint(1, 0))
    QTest.mouseMove(canvas, middle)
    outlined = (shown_raw(canvas, hide_outline=False) != plain).any(axis=2)
    rows, columns = np.nonzero(outlined)
    painted = painted_by_hand([canvas.viewport.to_document(middle.x(), middle.y())], 21, 1)
    painted_rows, painted_columns = np.nonzero(painted)
    stroke = math.ceil(2.6 / 2) + 1
    for found, dabbed, corner in (
        (rows, painted_rows, canvas.viewport.top),
        (columns, painted_columns, canvas.viewport.left),
    ):
        assert abs(found.min() - (corner + dabbed.min() * ZOOM)) <= stroke + ZOOM / 2
        assert abs(found.max() - (corner + (dabbed.max() + 1) * ZOOM)) <= stroke + ZOOM / 2
    assert canvas.cursor().shape() == Qt.CursorShape.BlankCursor


def shown_raw(canvas: Canvas, hide_outline: bool) -> np.ndarray:
    if hide_outline:
        QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    return qimage_to_picture(canvas.grab().toImage())


def test_what_lies_under_the_cursor_is_told_pixel_by_pixel(canvas: Canvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.under_cursor) as heard:
        QTest.mouseMove(canvas, at(canvas, 17, 5))
    assert heard.args == [f"{FACE.classes[0].name} · 17, 5"]
    with qtbot.waitSignal(canvas.under_cursor) as heard:
        QTest.mouseMove(canvas, QPoint(3, 3))
    assert heard.args == [""]


def test_other_classes_for_the_same_layout_change_its_colours_and_no_id(
    canvas: Canvas, controller: DocumentController
) -> None:
    drag(canvas, [(10, 10), (50, 10)])
    before = pixels(controller)
    fewer = type(FACE)(FACE.classes[:2])  # class 7 is not among them
    controller.set_palette(fewer)
    np.testing.assert_array_equal(pixels(controller), before)
    np.testing.assert_array_equal(shown(canvas), fewer.color_table[before])


@pytest.mark.parametrize("side", [1, 7, 63, 64, 2048, 2050, 3000])
def test_a_layout_of_any_size_is_brought_to_one_that_can_be_painted(side: int) -> None:
    label_map = np.random.default_rng(0).choice(np.array([0, 1, 7], np.uint8), (side, side))
    sized = paintable_size(label_map)
    assert 64 <= sized.shape[0] == sized.shape[1] <= 2048
    assert set(np.unique(sized)) <= set(np.unique(label_map))
    if 64 <= side <= 2048:
        np.testing.assert_array_equal(sized, label_map)
