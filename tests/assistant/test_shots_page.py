"""The page of the shots, without the process that searches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.assistant.shots_page import ShotsPage
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from tests.assistant.conftest import CLASSES


def test_a_search_that_was_given_up_can_be_begun_again(qtbot: QtBot, tmp_path: Path) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    workspace = Workspace.create(tmp_path, WorkspaceSettings("Things", "small"), CLASSES)
    page = ShotsPage(workspace, FileDialogs(host))
    qtbot.addWidget(page)
    page.add_square("photo", np.zeros((64, 64, 3), np.uint8))
    assert not page.again_button.isEnabled()
    page.end_inversions()
    with qtbot.waitSignal(page.inversion_wanted) as wanted:
        page.again_button.click()
    assert wanted.args == ["photo", 1]


def test_several_photos_are_chosen_at_once_and_framed_one_after_another(qtbot: QtBot, tmp_path: Path) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    workspace = Workspace.create(tmp_path / "workshops", WorkspaceSettings("Things", "small"), CLASSES)
    page = ShotsPage(workspace, FileDialogs(host))
    qtbot.addWidget(page)
    photos = [tmp_path / name for name in ("first.png", "no picture.png", "left out.png", "last.png")]
    for photo in photos:
        Image.new("RGB", (80, 64), (90, 60, 30)).save(photo)
    photos[1].write_text("not a picture")
    page.photos_button.click()
    chooser = host.findChild(QFileDialog)
    assert chooser is not None
    assert chooser.fileMode() == QFileDialog.FileMode.ExistingFiles
    chooser.filesSelected.emit([str(photo) for photo in photos])
    chooser.reject()

    def framing(name: str) -> FramingDialog:
        shown = [dialog for dialog in page.findChildren(FramingDialog) if dialog.isVisible()]
        assert [name in dialog.windowTitle() for dialog in shown] == [True], "one dialog at a time"
        return shown[0]

    framing("first").accept()
    complaint = host.findChild(QMessageBox)
    assert complaint is not None
    assert "no picture.png" in complaint.text()
    complaint.close()
    framing("left out").reject()
    last = framing("last")
    last.accept()
    assert [shot.name for shot in workspace.shots()] == ["first", "last"]
    qtbot.waitUntil(lambda: not any(isValid(dialog) for dialog in (chooser, complaint, last)))
