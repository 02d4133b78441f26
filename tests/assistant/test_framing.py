"""The frame of a photo: proposed where a face is, and the person's as soon as they touch it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.generators.face_finder import FoundFace
from smis_desktop.ui.assistant import framing
from smis_desktop.ui.assistant.framing import LEFT_EYE, MOUTH, RIGHT_EYE, FramingDialog, frame_of_marks
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from tests.generators.test_face_finder import FACES, GROUNDS, error, laid_on

TRUE = FoundFace(250, 170, 190, 8, 0)
WAIT = 60_000
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def host(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def photo() -> np.ndarray:
    return laid_on(GROUNDS[1], FACES[3], TRUE, 320, 480)


def test_a_face_is_found_and_its_marks_can_be_dragged(qtbot: QtBot, host: QWidget, photo: np.ndarray) -> None:
    dialog = FramingDialog(photo, "anna.jpg", "faces", host)
    dialog.show()
    qtbot.waitUntil(dialog.marks_box.isChecked, timeout=WAIT)
    frame = dialog.view.frame
    assert error(FoundFace(frame.x, frame.y, frame.side, frame.angle, 0), TRUE) < 0.2
    assert "found" in dialog.hint.text()
    view = dialog.view
    mouth = view.to_view().map(view.marks[2]).toPoint()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=mouth)
    QTest.mouseMove(view, mouth + QPoint(0, 30))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=mouth + QPoint(0, 30))
    assert view.frame.side > frame.side, "a mouth further down belongs to a larger face"
    view.turn(10)
    turned = frame_of_marks(*view.marks)
    np.testing.assert_allclose(turned.angle, view.frame.angle, atol=1e-6, err_msg="marks go along with a turn")
    with qtbot.waitSignal(dialog.framed) as framed:
        dialog.accept()
    assert framed.args[0].shape == (512, 512, 3)


def test_what_was_touched_is_left_alone(
    qtbot: QtBot, host: QWidget, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(framing, "find_face_for", lambda photo, tell: told.append(tell))
    dialog = FramingDialog(photo, "anna.jpg", "faces", host)
    dialog.show()
    qtbot.waitUntil(lambda: bool(told), timeout=WAIT)
    dialog.view.turn(5)
    frame = dialog.view.frame
    told[0](TRUE)
    qtbot.wait(1)
    assert dialog.view.frame == frame
    assert not dialog.marks_box.isChecked()
    dialog.reject()


def test_other_generators_look_for_no_face(
    qtbot: QtBot, host: QWidget, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not(photo: np.ndarray, tell: object) -> None:
        raise AssertionError("a landscape has no face")

    monkeypatch.setattr(framing, "find_face_for", must_not)
    dialog = FramingDialog(photo, "hills.jpg", "landscapes", host)
    assert (dialog.view.frame.x, dialog.view.frame.y, dialog.view.frame.side) == (240, 160, 320)
    dialog.reject()


@pytest.mark.parametrize("generator", ["faces", "landscapes", "imported"])
def test_eyes_and_mouth_are_spoken_of_where_there_are_some(
    qtbot: QtBot, host: QWidget, monkeypatch: pytest.MonkeyPatch, generator: str
) -> None:
    monkeypatch.setattr(framing, "find_face_for", lambda photo, tell: None)
    is_face = generator == "faces"
    grey = np.full((300, 300, 3), 90, np.uint8)
    dialog = FramingDialog(grey, "photo.jpg", generator, host)
    dialog.show()
    assert dialog.marks_box.isVisible() == is_face
    assert ("eyes" in dialog.hint.text()) == is_face
    shown = qimage_to_picture(dialog.view.grab().toImage())
    side = len(shown)
    inside = shown[side // 4 : -side // 4, side // 4 : -side // 4]
    assert (inside.std() > 0) == is_face, "dashed marks, or nothing but the grey photo"
    dialog.reject()


def test_a_program_that_ends_while_a_face_is_looked_for_ends_cleanly(tmp_path: Path) -> None:
    program = (
        "import numpy as np\n"
        "from PySide6.QtWidgets import QApplication, QWidget\n"
        "from smis_desktop.ui.assistant.framing import FramingDialog\n"
        "application, host = QApplication([]), QWidget()\n"
        "noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)\n"
        "FramingDialog(noise, 'anna.jpg', 'faces', host)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_marks_where_they_belong_give_the_frame_back() -> None:
    frame = framing.Frame(200, 150, 120, 12)
    placed = [frame.to_photo().map(QPointF(*part)) for part in (LEFT_EYE, RIGHT_EYE, MOUTH)]
    found = frame_of_marks(*placed)
    np.testing.assert_allclose((found.x, found.y, found.side, found.angle), (200, 150, 120, 12), atol=1e-6)
