"""The list of personal models, as a person uses it; the note goes where its model goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.personal_model.library import ModelLibrary, picture_path
from smis_desktop.ui.assistant.models_dialog import ModelsDialog
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs


def test_the_note_goes_to_the_trash_with_its_model(
    small_model: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    library = ModelLibrary(small_model.parent)
    given = tmp_path / "given.smismodel"
    library.export(small_model, given)
    host = QWidget()
    qtbot.addWidget(host)
    Image.new("RGB", (256, 256), (200, 40, 90)).save(picture_path(small_model))
    dialog = ModelsDialog(library, FileDialogs(host), host)
    assert dialog.picture.pixmap().toImage().pixelColor(20, 20).red() > 190
    dialog.note.setPlainText("of my cat")
    dialog.fill()
    assert [model.note for model in library.models()] == ["of my cat"]
    move_to_trash = next(button for button in dialog.findChildren(QPushButton) if button.text() == "Move to trash")
    qtbot.mouseClick(move_to_trash, Qt.MouseButton.LeftButton)
    assert list(library.folder.iterdir()) == [], "nor is its picture left"
    small_model.write_bytes(given.read_bytes())
    assert [model.note for model in library.models()] == [""]
    dialog.reject()


def test_a_copy_has_the_note_and_a_stranger_has_not(small_model: Path, tmp_path: Path) -> None:
    library = ModelLibrary(small_model.parent)
    given = tmp_path / "given.smismodel"
    library.export(small_model, given)
    library.set_note(small_model, "of my cat")
    Image.new("RGB", (256, 256), (200, 40, 90)).save(picture_path(small_model))
    copy = library.duplicate(small_model, "again")
    assert picture_path(copy).read_bytes() == picture_path(small_model).read_bytes()
    assert {model.path: model.note for model in library.models()}[copy] == "of my cat"
    stranger = library.add(given)
    library.set_note(stranger, "another's")
    stranger.unlink()
    newcomer = library.add(given)
    assert {model.path: model.note for model in library.models()}[newcomer] == ""


def test_models_without_a_picture_get_one_and_the_note_in_hand_stays(
    small_data: Path, small_model: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    library = ModelLibrary(small_model.parent)
    copy = library.duplicate(small_model, "another")
    (library.folder / "broken.smismodel").write_text("no model")
    host = QWidget()
    qtbot.addWidget(host)
    dialog = ModelsDialog(library, FileDialogs(host), host)
    assert dialog.picture.pixmap().isNull()
    dialog.note.setPlainText("being typed")
    qtbot.waitUntil(lambda: picture_path(copy).is_file() and picture_path(small_model).is_file(), timeout=90_000)
    qtbot.waitUntil(lambda: not dialog.picture.pixmap().isNull(), timeout=10_000)
    assert dialog.note.toPlainText() == "being typed"
    pictures = []
    for path in (small_model, copy):
        with Image.open(picture_path(path)) as image:
            pictures.append(np.asarray(image).astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() > 5, "other names, other pictures"
    dialog.reject()
