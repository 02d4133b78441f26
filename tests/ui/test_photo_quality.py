"""A photo that became a layout: how well it was found is said, and honestly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.assistant.shots_page import ShotsPage
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.dialogs.photo_search import GOOD_DISTANCE, POOR_DISTANCE
from smis_desktop.ui.window import photo_start
from smis_desktop.ui.window.photo_start import PhotoStart
from smis_desktop.workers.photo_inversion import PhotoLayout
from smis_desktop.workers.process import Inbox, Send, WorkerProcess
from tests.workers.paint_by_palette import FACE


def find(distance: float, send: Send, inbox: Inbox) -> None:
    send(PhotoLayout(np.ones((512, 512), np.uint8), np.zeros((2, 4), np.float32), 18.26, distance))


@pytest.mark.parametrize(("distance", "words"), [(0.2, "Found well"), (0.3, "Found ("), (0.5, "Poorly found")])
def test_how_well_it_was_found_is_said(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, distance: float, words: str
) -> None:
    def search(photo: np.ndarray, model: Path, tell: Callable[[object], None]) -> WorkerProcess:
        return WorkerProcess(partial(find, distance), (), tell)

    monkeypatch.setattr(photo_start, "photo_layout", search)
    window = QMainWindow()
    qtbot.addWidget(window)
    start = PhotoStart(FileDialogs(window), lambda: None, window)
    with qtbot.waitSignal(start.begun, timeout=60_000):
        start.search(np.zeros((8, 8, 3), np.uint8), "anna.jpg", Path("any"), FACE)
    qtbot.waitUntil(lambda: words in window.statusBar().currentMessage())
    assert f"18.3 dB, perceptual distance {distance:.2f}" in window.statusBar().currentMessage()


@pytest.mark.parametrize(("distance", "words"), [(0.2, "Found well"), (0.3, "Found ("), (0.5, "Poorly found")])
def test_the_page_of_the_shots_says_the_same(qtbot: QtBot, tmp_path: Path, distance: float, words: str) -> None:
    workspace = Workspace.create(tmp_path, WorkspaceSettings("Things", "small"), FACE)
    name = workspace.add_photo("anna", np.zeros((16, 16, 3), np.uint8))
    ws = np.zeros((2, 4), np.float32)
    workspace.set_latents(name, ws, ws, 18.26, distance)
    window = QMainWindow()
    qtbot.addWidget(window)
    page = ShotsPage(workspace, FileDialogs(window), window)
    assert words in page.words.text()
    assert f"18.3 dB, perceptual distance {distance:.2f}" in page.words.text()


def test_distances_are_judged_alike() -> None:
    assert 0.2 < GOOD_DISTANCE < 0.3 < POOR_DISTANCE < 0.5
