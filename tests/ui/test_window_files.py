"""What the window saves and opens, and how it closes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from smis_desktop.formats.image_file import read_label_map
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import WAIT, answer_file_dialog, close_complaint, pixels, stroke, wait_until_finished
from tests.ui.conftest import MakeWindow
from tests.workers.paint_by_palette import PaintByPalette


def test_saving_the_picture_writes_the_full_picture_of_what_is_painted(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    stroke(window, (4, 56), (60, 56))
    expected = (
        PaintByPalette()
        .render(PictureRequest(pixels(window), window.style_controller.style_model.style, size=512))
        .picture
    )
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
    window.controller.undo()
    assert (pixels(window) != painted).any()
    with qtbot.waitSignal(window.controller.replaced, timeout=WAIT):
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


def test_a_dropped_photo_is_framed_to_become_a_layout(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "holiday.png")
    painted = pixels(window)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "holiday.png"))])
    left, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(100, 100), Qt.DropAction.CopyAction, data, left, keys))
    framing = window.findChild(FramingDialog)
    assert framing is not None
    assert "holiday.png" in framing.windowTitle()
    framing.reject()
    np.testing.assert_array_equal(pixels(window), painted)
    assert window.findChild(QMessageBox) is None
