"""The whole window, with real mouse and key events inside the process and a small renderer behind it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLineEdit,
    QListWidget,
    QSlider,
)
from pytestqt.qtbot import QtBot

from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from smis_desktop.ui.dialogs.help_dialogs import AboutDialog
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import WAIT, picture_on_screen, pixels, stroke, texts, wait_until_finished
from tests.ui.conftest import MakeWindow, at
from tests.workers.paint_by_palette import FACE, PaintByPalette


def test_a_newcomer_sees_layout_classes_and_photograph_and_a_first_stroke_changes_it(
    window: MainWindow, qtbot: QtBot
) -> None:
    assert window.classes.list.count() == 3
    assert "Three colours" in window.windowTitle()
    assert "paper" in texts(window.status)
    before = picture_on_screen(window)
    stroke(window, (4, 56), (60, 56))
    wait_until_finished(window, qtbot)
    assert (pixels(window)[56, 4:60] == 1).all()
    after = picture_on_screen(window)
    changed = (before != after).any(axis=2)
    assert changed[-before.shape[0] // 4 :].mean() > 0.2
    assert not changed[: before.shape[0] // 2].any(), "the picture changed where nothing was painted"


def test_while_the_pen_is_down_drafts_follow_and_the_full_picture_comes_when_it_is_lifted(
    window: MainWindow, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(window.preview.painted, timeout=WAIT) as heard:
        stroke(window, (4, 56), (60, 56), lift=False)
    assert heard.args[0].quality == "draft"
    with qtbot.waitSignal(window.preview.painted, timeout=WAIT, check_params_cb=lambda p: p.quality == "full"):
        QTest.mouseRelease(window.canvas, Qt.MouseButton.LeftButton, pos=at(window.canvas, 60, 56))
    wait_until_finished(window, qtbot)


def test_undo_brings_the_photograph_back_too(window: MainWindow, qtbot: QtBot) -> None:
    before, ids = picture_on_screen(window), pixels(window)
    assert not window.commands["edit.undo"].isEnabled()
    stroke(window, (4, 56), (60, 56))
    wait_until_finished(window, qtbot)
    assert (picture_on_screen(window) != before).any()
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(pixels(window), ids)
    np.testing.assert_array_equal(picture_on_screen(window), before)
    assert window.commands["edit.redo"].isEnabled()
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert (pixels(window) != ids).any()
    QTest.keyClick(window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(window.canvas, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert (pixels(window) != ids).any()


def test_keys_choose_class_tool_and_brush_size(window: MainWindow) -> None:
    canvas = window.canvas
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_3)
    stroke(window, (4, 56), (60, 56))
    assert (pixels(window)[56, 4:60] == 7).all()
    QTest.keyClick(canvas, Qt.Key.Key_E)
    stroke(window, (4, 56), (60, 56))
    assert (pixels(window)[56, 4:60] == 255).all()
    QTest.keyClick(canvas, Qt.Key.Key_B)
    diameter = window.options.diameter
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert window.options.diameter > diameter
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert window.options.diameter < diameter
    for _ in range(60):
        QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert window.options.diameter == 1
    QTest.keyClick(canvas, Qt.Key.Key_1)
    stroke(window, (30, 30), (30, 30))
    assert pixels(window)[30, 30] == 0
    assert pixels(window)[30, 31] == 1


def test_escape_cancels_the_stroke_in_hand(window: MainWindow) -> None:
    before = pixels(window)
    stroke(window, (4, 56), (60, 56), lift=False)
    assert (pixels(window) != before).any()
    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    np.testing.assert_array_equal(pixels(window), before)
    QTest.mouseRelease(window.canvas, Qt.MouseButton.LeftButton, pos=at(window.canvas, 60, 56))
    assert not window.commands["edit.undo"].isEnabled()


def test_choosing_a_class_takes_the_brush_in_hand_again(window: MainWindow) -> None:
    window.commands["tools.eraser"].trigger()
    assert window.commands["tools.eraser"].isChecked()
    window.classes.choose_row(2)
    assert window.commands["tools.brush"].isChecked()
    stroke(window, (4, 56), (60, 56))
    assert (pixels(window)[56, 4:60] == 7).all()


class Stumbling(PaintByPalette):
    """Fails on layouts in which the lower left corner is hair."""

    def render(self, request: PictureRequest) -> PictureResult:
        if request.layout[-1, 0] == 7:
            raise RuntimeError("shapes differ")
        return super().render(request)


def test_a_picture_that_fails_is_said_over_the_one_that_stays_and_the_next_takes_its_place(
    make_window: MakeWindow, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    window = make_window(lambda progress: Stumbling())
    wait_until_finished(window, qtbot)
    window.classes.choose_row(2)
    stroke(window, (0, 63), (0, 63))
    qtbot.waitUntil(lambda: "fault in this program" in texts(window.panel), timeout=WAIT)
    assert "shapes differ" in caplog.text
    window.commands["edit.undo"].trigger()
    wait_until_finished(window, qtbot)
    assert "fault" not in texts(window.panel)


def test_the_status_bar_tells_class_and_zoom(window: MainWindow) -> None:
    QTest.mouseMove(window.canvas, at(window.canvas, 32, 36))
    assert "skin · 32, 36" in texts(window.status)
    zoom = texts(window.status)
    window.commands["view.zoom_in"].trigger()
    assert texts(window.status) != zoom
    window.commands["view.zoom_fit"].trigger()
    assert window.canvas.viewport.is_fitted


def test_the_dialogs_of_the_help_menu_open_and_close(window: MainWindow, qtbot: QtBot) -> None:
    for action, kind in ((window.commands["help.shortcuts"], CheatSheet), (window.commands["help.about"], AboutDialog)):
        action.trigger()
        dialog = window.findChild(kind)
        assert dialog.isVisible()
        if kind is CheatSheet:
            assert "Ctrl+Z" in texts(dialog)
        dialog.reject()
        qtbot.waitUntil(lambda kind=kind: window.findChild(kind) is None, timeout=WAIT)


def test_no_two_actions_share_a_key(window: MainWindow) -> None:
    keys = [key.toString() for action in window.findChildren(QAction) for key in action.shortcuts()]
    assert len(keys) == len(set(keys))
    assert len(keys) > 15


def test_everything_that_can_be_used_has_a_name_for_those_who_cannot_see_it(window: MainWindow) -> None:
    nameless = [
        widget
        for kind in (QAbstractButton, QSlider, QLineEdit, QListWidget)
        for widget in window.findChildren(kind)
        if widget.isVisible() and not (widget.accessibleName() or getattr(widget, "text", str)() or widget.toolTip())
    ]
    assert nameless == []
    assert window.canvas.accessibleName()
    assert window.panel.accessibleName()


def test_qt_calls_keep_the_count_of_references_to_none_level(window: MainWindow, qtbot: QtBot) -> None:
    """Some Qt bindings lose one reference to None in every void call, and abort when none is left."""
    wait_until_finished(window, qtbot)

    def thousand_calls() -> None:
        for step in range(1000):
            window.canvas.update()
            window.status.show_zoom(step / 1000)
            QApplication.processEvents()

    thousand_calls()
    before = sys.getrefcount(None)
    thousand_calls()
    assert abs(sys.getrefcount(None) - before) < 200


def test_painting_is_smooth_even_from_far_outside_the_window(window: MainWindow) -> None:
    canvas = window.canvas
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 10, 56))
    QTest.mouseMove(canvas, QPoint(-5000, 40_000))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(-5000, 40_000))
    assert pixels(window)[56, 10] == 1


def test_a_layout_in_a_file_of_another_size_is_shown_whole(window: MainWindow, tmp_path: Path) -> None:
    label_map = np.zeros((200, 200), np.uint8)
    label_map[:, 100:] = 7
    (tmp_path / "wide.png").write_bytes(encode_label_map(label_map, FACE))
    window.files.open(tmp_path / "wide.png")
    np.testing.assert_array_equal(pixels(window), label_map)
    right, bottom = window.canvas.viewport.to_view(200, 200)
    assert right <= window.canvas.width()
    assert bottom <= window.canvas.height()
