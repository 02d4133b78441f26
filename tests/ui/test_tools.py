"""Every tool of the canvas, with real mouse, key and pen events."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from smis_desktop.document.brush import MirrorAxis
from smis_desktop.document.document import Document
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.window.document_controller import DocumentController
from tests.ui.conftest import SIZE, at
from tests.workers.paint_by_palette import FACE

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def controller() -> DocumentController:
    return DocumentController()


@pytest.fixture
def canvas(controller: DocumentController, qtbot: QtBot) -> Canvas:
    canvas = Canvas(controller)
    qtbot.addWidget(canvas)
    controller.place(Document.of_label_map(np.zeros((SIZE, SIZE), np.uint8), FACE))
    canvas.resize(SIZE * 8 + 40, SIZE * 8 + 40)
    canvas.show()
    qtbot.waitExposed(canvas)
    canvas.setFocus()
    canvas.options.choose_class(7)
    canvas.options.set_diameter(3)
    return canvas


def pixels(controller: DocumentController) -> np.ndarray:
    assert controller.document is not None
    return controller.document.snapshot()


def drag(canvas: Canvas, *points: tuple[int, int], button: Qt.MouseButton = LEFT, shift: bool = False) -> None:
    modifiers = SHIFT if shift else Qt.KeyboardModifier.NoModifier
    QTest.mousePress(canvas, button, modifiers, at(canvas, *points[0]))
    for point in points[1:]:
        QTest.mouseMove(canvas, at(canvas, *point))
    QTest.mouseRelease(canvas, button, modifiers, at(canvas, *points[-1]))


def test_rectangle_and_ellipse_are_filled_when_let_go(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_tool("rectangle")
    QTest.mousePress(canvas, LEFT, pos=at(canvas, 10, 12))
    QTest.mouseMove(canvas, at(canvas, 30, 20))
    assert not pixels(controller).any()
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 30, 20))
    expected = np.zeros((SIZE, SIZE), np.uint8)
    expected[12:21, 10:31] = 7
    np.testing.assert_array_equal(pixels(controller), expected)
    canvas.options.set_tool("ellipse")
    canvas.options.choose_class(1)
    drag(canvas, (35, 35), (60, 60))
    assert pixels(controller)[47, 47] == 1
    assert pixels(controller)[35, 35] == 0


def test_escape_gives_a_shape_up(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_tool("rectangle")
    QTest.mousePress(canvas, LEFT, pos=at(canvas, 10, 12))
    QTest.mouseMove(canvas, at(canvas, 30, 20))
    canvas.cancel()
    QTest.mouseRelease(canvas, LEFT, pos=at(canvas, 30, 20))
    assert not controller.can_undo


def test_a_polygon_is_clicked_corner_by_corner_and_closed_with_enter(
    canvas: Canvas, controller: DocumentController
) -> None:
    canvas.options.set_tool("polygon")
    for corner in ((10, 10), (50, 10), (60, 60), (50, 50)):
        QTest.mouseClick(canvas, LEFT, pos=at(canvas, *corner))
    QTest.keyClick(canvas, Qt.Key.Key_Backspace)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert pixels(controller)[15, 40] == 7
    assert pixels(controller)[50, 20] == 0
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 5, 5))
    canvas.cancel()
    assert not canvas.tool.is_busy


def test_a_lasso_closes_itself(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_tool("lasso")
    drag(canvas, (10, 10), (50, 12), (48, 50), (12, 48))
    assert pixels(controller)[30, 30] == 7
    assert pixels(controller)[30, 5] == 0


def test_the_bucket_fills_and_the_right_button_empties(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_tool("bucket")
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 5, 5))
    assert (pixels(controller) == 7).all()
    QTest.mouseClick(canvas, RIGHT, pos=at(canvas, 5, 5))
    assert (pixels(controller) == 255).all()


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier])
def test_a_class_is_picked_from_any_painting_tool(
    canvas: Canvas, controller: DocumentController, modifier: Qt.KeyboardModifier
) -> None:
    drag(canvas, (10, 10), (50, 10))
    before = pixels(controller)
    canvas.options.choose_class(1)
    for tool in ("brush", "rectangle", "polygon", "lasso", "bucket"):
        canvas.options.set_tool(tool)
        canvas.options.choose_class(1)
        QTest.mouseClick(canvas, LEFT, modifier, at(canvas, 30, 10))
        assert canvas.options.class_id == 7
    np.testing.assert_array_equal(pixels(controller), before)


def test_the_layer_is_moved_by_whole_pixels_in_one_step(canvas: Canvas, controller: DocumentController) -> None:
    controller.do(lambda editor: editor.add_layer())
    drag(canvas, (10, 10), (20, 10))
    before = pixels(controller)
    canvas.options.set_tool("move")
    drag(canvas, (30, 30), (33, 31), (40, 50))
    after = pixels(controller)
    np.testing.assert_array_equal(after[20:, 10:] == 7, before[:-20, :-10] == 7)
    controller.undo()
    np.testing.assert_array_equal(pixels(controller), before)


def test_shift_click_draws_a_line_from_the_last_point(canvas: Canvas, controller: DocumentController) -> None:
    QTest.mouseClick(canvas, LEFT, pos=at(canvas, 10, 10))
    QTest.mouseClick(canvas, LEFT, SHIFT, at(canvas, 50, 50))
    assert all(pixels(controller)[i, i] == 7 for i in range(10, 51))


def test_shift_drag_sizes_the_brush(canvas: Canvas, controller: DocumentController) -> None:
    drag(canvas, (10, 10), (20, 10), shift=True)
    assert canvas.options.diameter > 12
    assert not controller.can_undo


def test_the_eraser_has_a_size_of_its_own(canvas: Canvas, controller: DocumentController) -> None:
    canvas.options.set_tool("eraser")
    canvas.options.set_diameter(20)
    drag(canvas, (30, 30))
    assert (pixels(controller) == 255).sum() > 250
    canvas.options.set_tool("brush")
    assert canvas.options.diameter == 3


def pen(canvas: Canvas, kind: QEvent.Type, point: tuple[int, int], pressure: float, is_eraser: bool = False) -> None:
    tip = QPointingDevice.PointerType.Eraser if is_eraser else QPointingDevice.PointerType.Pen
    device = QPointingDevice(
        "pen", 1, QPointingDevice.DeviceType.Stylus, tip, QPointingDevice.Capability.Pressure, 1, 1
    )
    place = QPointF(at(canvas, *point))
    button = LEFT if kind != QEvent.Type.TabletMove else Qt.MouseButton.NoButton
    event = QTabletEvent(
        kind, device, place, QPointF(canvas.mapToGlobal(place)), pressure, 0, 0, 0, 0, 0,
        Qt.KeyboardModifier.NoModifier, button, LEFT,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def test_a_pens_pressure_scales_the_brush_and_its_other_end_erases(
    canvas: Canvas, controller: DocumentController
) -> None:
    canvas.options.set_diameter(20)
    pen(canvas, QEvent.Type.TabletPress, (10, 30), 0.1)
    pen(canvas, QEvent.Type.TabletMove, (50, 30), 1.0)
    pen(canvas, QEvent.Type.TabletRelease, (50, 30), 0.0)
    painted = pixels(controller) == 7
    assert painted[:, 12].sum() < 8
    assert painted[:, 49].sum() >= 18
    canvas.options.set_tool("eraser")
    canvas.options.set_diameter(4)
    canvas.options.set_tool("brush")
    pen(canvas, QEvent.Type.TabletPress, (45, 30), 1.0, is_eraser=True)
    pen(canvas, QEvent.Type.TabletRelease, (45, 30), 1.0, is_eraser=True)
    assert pixels(controller)[30, 45] == 255
    assert pixels(controller)[36, 45] == 7


def test_painting_works_on_a_turned_and_mirrored_view(canvas: Canvas, controller: DocumentController) -> None:
    canvas.navigation.rotate_right()
    canvas.navigation.mirror()
    drag(canvas, (20, 20), (40, 20))
    assert (pixels(controller)[20, 20:41] == 7).all()
    canvas.navigation.reset_rotation()
    assert canvas.viewport.angle == 0
    assert not canvas.viewport.mirrored


def test_space_drag_pans_and_with_shift_turns(canvas: Canvas, controller: DocumentController) -> None:
    QTest.keyPress(canvas, Qt.Key.Key_Space)
    QTest.mousePress(canvas, LEFT, SHIFT, at(canvas, 50, 32))
    QTest.mouseMove(canvas, at(canvas, 32, 50))
    QTest.mouseRelease(canvas, LEFT, SHIFT, at(canvas, 32, 50))
    QTest.keyRelease(canvas, Qt.Key.Key_Space)
    assert abs(canvas.viewport.angle) > 20
    assert not controller.can_undo


def test_mirror_painting_is_drawn_on_both_sides_and_its_axis_can_be_moved(
    canvas: Canvas, controller: DocumentController
) -> None:
    controller.set_mirror(MirrorAxis("vertical", SIZE / 2))
    drag(canvas, (10, 20), (20, 30))
    np.testing.assert_array_equal(pixels(controller), pixels(controller)[:, ::-1])
    canvas.viewport.zoom(0.7, canvas.width() / 2, canvas.height() / 2)
    end = canvas.viewport.to_view(SIZE / 2, -24 / canvas.viewport.scale)
    to = canvas.viewport.to_view(SIZE / 2 - 10, -2)
    start = QPointF(*end).toPoint()
    QTest.mousePress(canvas, LEFT, pos=start)
    QTest.mouseMove(canvas, QPointF(*to).toPoint())
    QTest.mouseRelease(canvas, LEFT, pos=QPointF(*to).toPoint())
    editor = controller.editor
    assert editor is not None
    assert editor.mirror is not None
    assert editor.mirror.position == pytest.approx(SIZE / 2 - 10, abs=1)
    taken, left = round(editor.mirror.position), pixels(controller).copy()
    pen(canvas, QEvent.Type.TabletPress, (taken, round(-24 / canvas.viewport.scale)), 1.0)
    pen(canvas, QEvent.Type.TabletMove, (taken + 20, -2), 1.0)
    pen(canvas, QEvent.Type.TabletRelease, (taken + 20, -2), 0.0)
    assert editor.mirror.position == pytest.approx(taken + 20, abs=1)
    np.testing.assert_array_equal(pixels(controller), left)


def test_a_locked_layer_says_so_and_is_not_painted_on(
    canvas: Canvas, controller: DocumentController, qtbot: QtBot
) -> None:
    controller.do(lambda editor: editor.set_locked(editor.active_id, True))
    with qtbot.waitSignal(controller.refused) as heard:
        drag(canvas, (10, 10), (20, 10))
    assert "locked" in heard.args[0]
    assert not pixels(controller).any()


def test_patterns_names_underlay_and_heat_are_seen(canvas: Canvas, controller: DocumentController) -> None:
    from PySide6.QtGui import QColor, QImage

    drag(canvas, (10, 40), (50, 40))
    plain = canvas.grab().toImage()
    seen = []
    canvas.set_patterns(True)
    seen.append(canvas.grab().toImage())
    canvas.set_patterns(False)
    canvas.set_names(True)
    seen.append(canvas.grab().toImage())
    canvas.set_names(False)
    photo = QImage(8, 8, QImage.Format.Format_RGB32)
    photo.fill(QColor(255, 0, 255))
    canvas.set_underlay(photo)
    canvas.set_underlay_mode("under")
    seen.append(canvas.grab().toImage())
    canvas.set_underlay_mode("over")
    seen.append(canvas.grab().toImage())
    canvas.set_underlay_mode("off")
    canvas.set_heat_map(np.ones((4, 4), np.float32))
    seen.append(canvas.grab().toImage())
    canvas.set_heat_map(None)
    assert all(image != plain for image in seen)
    assert canvas.grab().toImage() == plain
