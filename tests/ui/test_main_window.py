"""The whole window, with real mouse and key events inside the process and a small renderer behind it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QPushButton,
    QSlider,
)
from pytestqt.qtbot import QtBot

from smis_desktop.errors import UserError
from smis_desktop.labels.index_png import encode_label_map, read_label_map
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.synthesis import PictureRequest, PictureResult
from smis_desktop.ui.help_dialogs import AboutDialog
from smis_desktop.ui.key_dialogs import CheatSheet
from smis_desktop.ui.main_window import MainWindow
from smis_desktop.ui.qimage import qimage_to_picture
from tests.jobs.paint_by_palette import FACE, PaintByPalette
from tests.ui.conftest import MakeWindow, at, is_finished

WAIT = 30_000
"""Milliseconds after which something that should have happened is called missing."""


def wait_until_finished(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)


def stroke(window: MainWindow, start: tuple[int, int], end: tuple[int, int], lift: bool = True) -> None:
    canvas = window.canvas
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, *start))
    QTest.mouseMove(canvas, at(canvas, *end))
    if lift:
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, *end))


def pixels(window: MainWindow) -> np.ndarray:
    assert window.easel.document is not None
    return window.easel.document.snapshot()


def picture_on_screen(window: MainWindow) -> np.ndarray:
    """What the preview panel shows, its rounded corners left out."""
    return qimage_to_picture(window.panel.grab(window.panel.picture_rect().adjusted(8, 8, -8, -8)).toImage())


def texts(parent: QObject) -> str:
    labels = [label.text() for label in parent.findChildren(QLabel) if label.isVisible()]
    return " | ".join(labels)


def answer_file_dialog(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is not None, timeout=WAIT)
    dialog = window.findChild(QFileDialog)
    dialog.setDirectory(str(path.parent))
    dialog.findChild(QLineEdit).setText(path.name)
    dialog.accept()
    qtbot.waitUntil(lambda: window.findChild(QFileDialog) is None, timeout=WAIT)


def close_complaint(window: MainWindow, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is not None, timeout=WAIT)
    box = window.findChild(QMessageBox)
    text = str(box.text())
    box.close()
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is None, timeout=WAIT)
    return text


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
    diameter = window.tools.brush_size.diameter
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert window.tools.brush_size.diameter > diameter
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert window.tools.brush_size.diameter < diameter
    for _ in range(60):
        QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert window.tools.brush_size.diameter == 1
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


def test_a_new_style_changes_the_picture_and_typing_its_seed_brings_it_back(window: MainWindow, qtbot: QtBot) -> None:
    first, first_seed = picture_on_screen(window), window.style_desk.chosen.style.look.seed
    QTest.mouseClick(window.style_desk.bar.new_style_button, Qt.MouseButton.LeftButton)
    wait_until_finished(window, qtbot)
    assert window.style_desk.chosen.style.look.seed != first_seed
    assert (picture_on_screen(window) != first).any()
    field = window.style_desk.bar.findChild(QLineEdit)
    assert field.text() == str(window.style_desk.chosen.style.look.seed)
    field.setFocus()
    field.selectAll()
    chosen = window.classes.current_class_id
    QTest.keyClicks(field, "3")
    assert window.classes.current_class_id == chosen, "a digit typed into a field chose a class"
    field.selectAll()
    QTest.keyClicks(field, str(first_seed))
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.style_desk.chosen.style.look.seed == first_seed
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(picture_on_screen(window), first)


def test_the_mixing_slider_changes_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    first = picture_on_screen(window)
    window.style_desk.bar.findChild(QSlider).setValue(0)
    wait_until_finished(window, qtbot)
    assert window.style_desk.chosen.style.mix == 0.0
    assert (picture_on_screen(window) != first).any()


def test_throwing_a_style_never_throws_the_present_one(window: MainWindow) -> None:
    seen = [window.style_desk.chosen.style.look.seed]
    for _ in range(50):
        window.style_desk.chosen.throw_seed()
        seen.append(window.style_desk.chosen.style.look.seed)
    assert all(a != b for a, b in pairwise(seen))


def test_saving_the_picture_writes_the_full_picture_of_what_is_painted(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    stroke(window, (4, 56), (60, 56))
    expected = PaintByPalette().render(PictureRequest(pixels(window), window.style_desk.chosen.style, size=512)).picture
    window.commands["file.export_picture"].trigger()  # most likely only the draft is there yet
    with qtbot.waitSignal(window.preview.saved, timeout=WAIT):
        answer_file_dialog(window, tmp_path / "portrait.png", qtbot)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "portrait.png")), expected)
    with qtbot.waitSignal(window.preview.saved, timeout=WAIT):
        window.commands["file.export_picture"].trigger()
        answer_file_dialog(window, tmp_path / "again", qtbot)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "again.png")), expected)


def test_a_picture_that_cannot_be_written_is_said_so(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.preview.save(tmp_path / "missing" / "portrait.png")
    assert "missing" in close_complaint(window, qtbot)
    assert not window.preview.is_saving
    window.close()
    assert not window.isVisible()


def test_a_saved_layout_opens_again_id_for_id(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    stroke(window, (4, 56), (60, 56))
    painted = pixels(window)
    window.commands["file.export_layout"].trigger()
    answer_file_dialog(window, tmp_path / "mine.png", qtbot)
    qtbot.waitUntil((tmp_path / "mine.png").exists, timeout=WAIT)
    np.testing.assert_array_equal(read_label_map(tmp_path / "mine.png"), painted)
    window.easel.undo()
    assert (pixels(window) != painted).any()
    with qtbot.waitSignal(window.easel.replaced, timeout=WAIT):
        window.commands["file.open"].trigger()
        answer_file_dialog(window, tmp_path / "mine.png", qtbot)
    np.testing.assert_array_equal(pixels(window), painted)


def test_a_file_that_is_no_layout_is_said_so_and_the_painting_stays(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    painted = pixels(window)
    window.commands["file.open"].trigger()
    answer_file_dialog(window, tmp_path / "notes.png", qtbot)
    assert "notes.png" in close_complaint(window, qtbot)
    np.testing.assert_array_equal(pixels(window), painted)


def test_a_layout_to_start_from_that_cannot_be_read_leaves_an_empty_canvas_to_paint_on(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window = make_window(layout=tmp_path / "nowhere.png", palette=None)
    assert "nowhere.png" in close_complaint(window, qtbot)
    wait_until_finished(window, qtbot)
    assert pixels(window).shape == (512, 512)
    assert (pixels(window) == 255).all()


def test_classes_and_layout_can_wait_for_the_model(make_window: MakeWindow, qtbot: QtBot) -> None:
    may_open = threading.Event()

    def open_first(progress: Callable[[str, float], None]) -> PaintByPalette:
        assert may_open.wait(30)
        return PaintByPalette()

    window = make_window(open_first, palette=None)
    stroke(window, (4, 56), (60, 56))  # nothing to paint with yet: nothing happens
    assert window.easel.document is None
    may_open.set()
    wait_until_finished(window, qtbot)
    assert set(np.unique(pixels(window))) == {0, 1, 7}


def test_one_can_paint_while_the_model_is_still_being_opened(make_window: MakeWindow, qtbot: QtBot) -> None:
    told, may_open = threading.Event(), threading.Event()

    def open_first(progress: Callable[[str, float], None]) -> PaintByPalette:
        progress("Fetching the generator", 0.4)
        told.set()
        assert may_open.wait(30)
        return PaintByPalette()

    window = make_window(open_first)
    qtbot.waitUntil(lambda: "Fetching the generator" in texts(window.panel), timeout=WAIT)
    assert told.is_set()
    stroke(window, (4, 56), (60, 56))
    painted = pixels(window)
    assert (painted[56, 4:60] == 1).all()
    assert not window.commands["file.export_picture"].isEnabled()
    may_open.set()
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(pixels(window), painted)
    assert "Fetching" not in texts(window.panel)
    assert window.commands["file.export_picture"].isEnabled()
    window.commands["edit.undo"].trigger()
    assert (pixels(window) != painted).any(), "opening the model lost the history"


def test_a_generator_that_cannot_be_fetched_is_said_in_place_and_can_be_tried_again(
    make_window: MakeWindow, qtbot: QtBot
) -> None:
    def no_network(progress: Callable[[str, float], None]) -> PaintByPalette:
        raise UserError("The face generator could not be fetched: there is no network.")

    window = make_window(no_network)
    qtbot.waitUntil(lambda: "there is no network" in texts(window.panel), timeout=WAIT)
    retry = next(button for button in window.panel.findChildren(QPushButton) if button.isVisible())
    QTest.mouseClick(retry, Qt.MouseButton.LeftButton)
    wait_until_finished(window, qtbot)
    assert "there is no network" not in texts(window.panel)


OTHER = Palette((SemanticClass(1, "wool", (250, 250, 240)), SemanticClass(40, "grass", (60, 160, 70))))


def test_opening_a_personal_model_brings_its_classes_and_keeps_the_painting(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    def open_model(path: Path) -> Callable[[Callable[[str, float], None]], PaintByPalette]:
        return lambda progress: PaintByPalette(name=path.stem, palette=OTHER)

    window = make_window(open_model=open_model)
    wait_until_finished(window, qtbot)
    painted = pixels(window)
    (tmp_path / "sheep.smismodel").touch()
    with qtbot.waitSignal(window.preview.ready, timeout=WAIT):
        window.commands["file.model"].trigger()
        answer_file_dialog(window, tmp_path / "sheep.smismodel", qtbot)
    names = window.classes.list
    assert [names.item(row).text() for row in range(names.count())] == ["wool", "grass"]
    assert "sheep" in window.windowTitle()
    np.testing.assert_array_equal(pixels(window), painted)
    wait_until_finished(window, qtbot)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT)
    QTest.keyClick(window.canvas, Qt.Key.Key_2)
    stroke(window, (4, 56), (60, 56))
    assert (pixels(window)[56, 4:60] == 40).all()
    wait_until_finished(window, qtbot)


def test_a_model_that_cannot_be_opened_is_said_so_and_the_one_before_goes_on(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    def open_model(path: Path) -> Callable[[Callable[[str, float], None]], PaintByPalette]:
        def refuse(progress: Callable[[str, float], None]) -> PaintByPalette:
            progress("Reading", -1.0)
            raise UserError(f"{path.name} is damaged.")

        return refuse

    window = make_window(open_model=open_model)
    wait_until_finished(window, qtbot)
    (tmp_path / "broken.smismodel").touch()
    window.commands["file.model"].trigger()
    answer_file_dialog(window, tmp_path / "broken.smismodel", qtbot)
    assert close_complaint(window, qtbot) == "broken.smismodel is damaged."
    assert "Reading" not in texts(window.panel)
    before = picture_on_screen(window)
    stroke(window, (4, 56), (60, 56))
    wait_until_finished(window, qtbot)
    assert (picture_on_screen(window) != before).any()


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


@dataclass(frozen=True)
class Slow(PaintByPalette):
    """Stops in every render until it may go on."""

    entered: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def render(self, request: PictureRequest) -> PictureResult:
        self.entered.set()
        assert self.may_go_on.wait(30)
        return super().render(request)


def test_closing_in_the_middle_of_a_picture_waits_for_nothing(make_window: MakeWindow, qtbot: QtBot) -> None:
    renderer = Slow()
    window = make_window(lambda progress: renderer)
    qtbot.waitUntil(renderer.entered.is_set, timeout=WAIT)
    window.close()
    assert not window.isVisible()
    renderer.may_go_on.set()
    assert window.preview.close(30.0)


def test_a_window_that_is_closed_while_it_saves_goes_when_the_file_is_there(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    renderer = Slow()
    window = make_window(lambda progress: renderer)
    qtbot.waitUntil(renderer.entered.is_set, timeout=WAIT)
    window.preview.save(tmp_path / "late.png")
    window.close()
    assert window.isVisible()
    renderer.may_go_on.set()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT)
    with Image.open(tmp_path / "late.png") as image:
        assert image.size == (512, 512)


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
            window.status.show_latency(step / 1000)
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
