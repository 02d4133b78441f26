"""The assistant's window, with its process behind it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.training.workspace import Workspace
from smis_desktop.ui.assistant import window as window_module
from smis_desktop.ui.assistant.window import LABELS, LEARNED, TRAIN, AssistantWindow
from smis_desktop.workers.shot_messages import InvertShot
from tests.ui.conftest import at

WAIT = 60_000


def opened(workspace: Workspace, tmp_path: Path, qtbot: QtBot) -> AssistantWindow:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = AssistantWindow(workspace, tmp_path / "models", settings)
    qtbot.addWidget(window)
    return window


def test_a_process_that_dies_is_told(small_data: Path, workspace: Workspace, tmp_path: Path, qtbot: QtBot) -> None:
    before = set(multiprocessing.active_children())
    window = opened(workspace, tmp_path, qtbot)
    (worker,) = set(multiprocessing.active_children()) - before
    worker.kill()
    qtbot.waitUntil(
        lambda: any("killed (signal 9" in label.text() for label in window.findChildren(QLabel)),
        timeout=60_000,
    )
    window.shut_down()


def test_photos_found_before_they_were_labelled_are_searched_for_once_more(
    workspace: Workspace, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    worker = SimpleNamespace(start=lambda: None, send=told.append, cancel=lambda: None)
    monkeypatch.setattr(window_module, "shot_worker", lambda name, deliver: worker)
    monkeypatch.setattr(window_module, "has_part_prior", lambda weights_sha256: True)
    ws = np.zeros((2, 4), np.float32)
    before, after, bare = (workspace.add_photo(name, np.zeros((64, 64, 3), np.uint8)) for name in ("b", "c", "d"))
    for name in (before, after, bare):
        workspace.set_latents(name, ws, ws, 20.0, 0.2, by_label=name == after)
    for name in (before, after):
        workspace.set_label(name, np.ones((64, 64), np.uint8))
    window = opened(workspace, tmp_path, qtbot)
    window.open_step(LABELS)
    assert not any(isinstance(request, InvertShot) for request in told)
    window.open_step(TRAIN)
    assert "photos to find first, a minute each: 1" in window.train.summary.text()
    window.open_step(LEARNED)
    window.open_step(TRAIN)
    assert [request for request in told if isinstance(request, InvertShot)] == [
        InvertShot(workspace.path, before, only_by_label=True)
    ]
    window.shut_down()


def test_what_scribbles_reach_is_seen_while_sliders_move_and_one_scribbles(
    small_data: Path, workspace: Workspace, tmp_path: Path, qtbot: QtBot
) -> None:
    for shot in workspace.shots():
        workspace.set_label(shot.name, np.full((64, 64), 255, np.uint8))
    workspace.change(label_kind="sparse")
    window = opened(workspace, tmp_path, qtbot)
    window.show()
    panel, canvas = window.labels.sparse_panel, window.labels.canvas
    window.open_step(LABELS)
    qtbot.waitUntil(lambda: "No shot is labelled" in panel.words.text(), timeout=WAIT)
    assert panel.isVisible()

    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 200, 120))
    QTest.mouseMove(canvas, at(canvas, 300, 400))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 300, 400))
    qtbot.waitUntil(lambda: "unlabelled pictures" in panel.words.text(), timeout=WAIT)
    assert all(not label.pixmap().isNull() for label in panel.pictures)

    assert not panel.top_k.isEnabled(), "a scribble does not claim pixels one by one"

    told = panel.words.text()
    for percent in range(50, 91, 2):  # as a pulled slider does
        panel.threshold.slider.setValue(percent)
    qtbot.waitUntil(lambda: panel.words.text() != told, timeout=WAIT)
    assert workspace.settings.threshold == 0.9
    panel.threshold.slider.setValue(100)
    qtbot.waitUntil(lambda: "No pixel gets a class" in panel.words.text(), timeout=WAIT)

    window.labels.kind.setCurrentIndex(window.labels.kind.findData("dense"))
    assert not panel.isVisible()
    assert workspace.settings.label_kind == "dense"
    window.shut_down()
