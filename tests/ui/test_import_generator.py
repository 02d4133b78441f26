"""A checkpoint dropped on the window becomes a generator, and a personal model may begin on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from smis_desktop.generators.catalog import generator_names, proposed_name
from smis_desktop.ui.assistant.import_generator_dialog import ImportGeneratorDialog
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.ui.window.main_window import MainWindow
from tests.checkpoints.hostile_files import hostile_files
from tests.checkpoints.published_layouts import conditional_state, nvidia_file
from tests.small_stylegan2 import small_stylegan2


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))


def dropped(window: MainWindow, path: Path) -> ImportGeneratorDialog:
    """Drop the file on the window; the dialog that asks for a name."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(100, 100), Qt.DropAction.CopyAction, data, buttons, keys))
    dialog = window.findChild(ImportGeneratorDialog)
    assert dialog is not None
    return dialog


def test_dropped_asked_for_its_class_imported_and_chosen(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "Our Things.PKL"
    path.write_bytes(nvidia_file(conditional_state(small_stylegan2(channels=(4, 4, 4), w_dim=8), classes=3)))
    dialog = dropped(window, path)
    assert dialog.name.text() == "our-things"
    assert not dialog.class_index.isVisible()
    qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.class_index.isVisible() and dialog.buttons.isEnabled(), timeout=60_000)
    assert dialog.class_index.maximum() == 2
    dialog.class_index.setValue(1)
    with qtbot.waitSignal(dialog.imported, timeout=60_000) as imported:
        qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    assert imported.args == ["our-things"]
    assert "our-things" in generator_names()
    chooser = window.findChild(NewModelDialog)
    assert chooser is not None
    assert chooser.generator.currentText() == "our-things"
    assert proposed_name(path) == "our-things-2"
    chooser.reject()


def test_a_hostile_file_is_told_and_nothing_is_installed(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = tmp_path / "cats.pt"
    path.write_bytes(hostile_files(str(canary), 1)["os.system"])
    before = generator_names()
    dialog = dropped(window, path)
    qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "os.system" in dialog.words.text() and dialog.buttons.isEnabled(), timeout=60_000)
    assert generator_names() == before
    assert not canary.exists()
    dialog.name.setText("../up")
    assert not dialog.import_button.isEnabled()
    dialog.reject()


def test_the_generator_page_imports_too(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.workspaces.ask_for_new()
    chooser = window.findChild(NewModelDialog)
    assert chooser is not None
    with qtbot.waitSignal(chooser.import_wanted):
        qtbot.mouseClick(chooser.import_button, Qt.MouseButton.LeftButton)
    path = tmp_path / "birds.pkl"
    path.write_bytes(nvidia_file(conditional_state(small_stylegan2(channels=(4, 4, 4), w_dim=8), classes=1)))
    window.workspaces.import_generator(path, chooser)
    dialog = chooser.findChild(ImportGeneratorDialog)
    assert dialog is not None
    dialog.begin()
    qtbot.waitUntil(lambda: dialog.class_index.isVisible() and dialog.buttons.isEnabled(), timeout=60_000)
    with qtbot.waitSignal(dialog.imported, timeout=60_000):
        dialog.begin()
    assert chooser.generator.currentText() == "birds"
    chooser.reject()
