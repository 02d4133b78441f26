"""What was begun and not finished is found again: models in the making, and trainings that were held."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.assistant import new_model_dialog
from smis_desktop.ui.assistant import window as assistant_window
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.ui.assistant.personal_models import PersonalModels
from smis_desktop.ui.assistant.window import AssistantWindow
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.workers.training_process import Pause, Resume
from tests.assistant.conftest import CLASSES


@dataclass
class Idle:
    """Stands for a process that was started, and says nothing."""

    told: list[Any] = field(default_factory=list)
    is_cancelled: bool = False

    def start(self) -> None:
        pass

    def send(self, message: Any) -> None:
        self.told.append(message)

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Idle]:
    """The trainings that were started; neither they nor hands have processes."""
    trainings: list[Idle] = []

    def training(order: Any, deliver: Any) -> Idle:
        (order.out.parent / f"{order.out.name}.training").mkdir(exist_ok=True)
        (order.out.parent / f"{order.out.name}.training" / "training.json").write_text("{}")
        trainings.append(Idle())
        return trainings[-1]

    monkeypatch.setattr(assistant_window, "training", training)
    for module in (assistant_window, new_model_dialog):
        monkeypatch.setattr(module, "shot_worker", lambda name, deliver: Idle())
    return trainings


def workspaces(tmp_path: Path, qtbot: QtBot) -> PersonalModels:
    """As at a start of the program."""
    host = QWidget()
    qtbot.addWidget(host)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    return PersonalModels(tmp_path, FileDialogs(host), settings, host)


def asked(shown: PersonalModels) -> NewModelDialog:
    shown.ask_for_new()
    return shown.parent().findChildren(NewModelDialog)[-1]  # closed ones go when Qt likes


def opened(shown: PersonalModels, workspace: Workspace) -> AssistantWindow:
    window = shown.open(workspace)
    assert window is not None
    return window


@pytest.mark.parametrize("by_key", [False, True])
def test_an_assistant_that_was_closed_before_training_is_gone_on_with(
    begun: list[Idle], workspace: Workspace, tmp_path: Path, qtbot: QtBot, by_key: bool
) -> None:
    older = Workspace.create(tmp_path / "workshops", WorkspaceSettings("Cats", "small"), CLASSES)
    for part in ("workshop.json", "images", "labels"):
        os.utime(older.path / part, (1e9, 1e9))
    finished = Workspace.create(tmp_path / "workshops", WorkspaceSettings("Dogs", "small"), CLASSES)
    (tmp_path / "models").mkdir()
    finished.model_path(tmp_path / "models").write_bytes(b"")

    shown = workspaces(tmp_path, qtbot)
    dialog = asked(shown)
    words = [dialog.unfinished.item(row).text() for row in range(dialog.unfinished.count())]
    assert [line.split(" · ")[:2] for line in words] == [["Things", "shots: 2"], ["Cats", "shots: 0"]]
    assert "01" in words[1].split(" · ")[2]
    assert dialog.focusWidget() is dialog.name
    if by_key:
        QTest.keyClick(dialog.unfinished, Qt.Key.Key_Return)
    else:
        qtbot.mouseClick(dialog.resume_button, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    (window,) = shown.windows
    assert window.isVisible()
    assert window.workspace.path == workspace.path
    assert len(window.workspace.shots()) == 2
    shown.shut_down()


def test_what_is_thrown_away_goes_to_the_trash_with_its_window_and_training(
    begun: list[Idle], workspace: Workspace, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    shown = workspaces(tmp_path, qtbot)
    opened(shown, workspace).start_training()
    dialog = asked(shown)
    qtbot.mouseClick(dialog.trash_button, Qt.MouseButton.LeftButton)
    assert not workspace.path.exists()
    assert list((tmp_path / "share").rglob("classes.json")), "it can be had back"
    assert list((tmp_path / "models").iterdir()) == []
    assert begun[0].is_cancelled
    assert shown.windows == []
    assert not dialog.resume_button.isVisible()
    assert dialog.isVisible()
    dialog.reject()


def test_without_anything_begun_enter_begins_a_new_one(begun: list[Idle], tmp_path: Path, qtbot: QtBot) -> None:
    shown = workspaces(tmp_path, qtbot)
    dialog = asked(shown)
    assert not dialog.unfinished.isVisible()
    dialog.name.setText("Birds")
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    (window,) = shown.windows
    assert window.workspace.settings.name == "Birds"
    again = asked(shown)
    assert again.unfinished.isVisible()
    again.name.setText("More birds")
    QTest.keyClick(again.name, Qt.Key.Key_Return)
    assert [window.workspace.settings.name for window in shown.windows] == ["Birds", "More birds"]
    assert again.buttons.button(QDialogButtonBox.StandardButton.Ok).text() == "Create"
    shown.shut_down()


@pytest.mark.parametrize(
    ("deed", "goes_on"), [("nothing", True), ("pause", False), ("pause and go on", True), ("cancel", False)]
)
def test_only_a_training_that_nobody_held_goes_on_at_the_next_start(
    begun: list[Idle], workspace: Workspace, tmp_path: Path, qtbot: QtBot, deed: str, goes_on: bool
) -> None:
    first = workspaces(tmp_path, qtbot)
    window = opened(first, workspace)
    window.start_training()
    if deed == "cancel":
        qtbot.mouseClick(window.train.cancel_button, Qt.MouseButton.LeftButton)
        assert begun[0].is_cancelled
    elif deed != "nothing":
        window.train.pause_wanted.emit()
    if deed == "pause and go on":
        window.train.resume_wanted.emit()
        assert begun[0].told == [Pause(), Resume()]
    first.shut_down()

    second = workspaces(tmp_path, qtbot)
    second.resume_trainings()
    assert [window.is_training for window in second.windows] == ([True] if goes_on else [])
    assert workspace.has_unfinished_training(second.library.folder), "what it has made stays, to go on with"
    if not goes_on:
        opened(second, workspace).start_training()
        second.shut_down()
        third = workspaces(tmp_path, qtbot)
        third.resume_trainings()
        assert [window.is_training for window in third.windows] == [True]
        third.shut_down()
    second.shut_down()
