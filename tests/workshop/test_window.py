"""The assistant's window, with its process behind it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.storage.workshop import Workshop
from smis_desktop.ui.workshop.window import WorkshopWindow


def test_a_process_that_dies_is_told(small_data: Path, workshop: Workshop, tmp_path: Path, qtbot: QtBot) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    before = set(multiprocessing.active_children())
    window = WorkshopWindow(workshop, tmp_path / "models", settings)
    qtbot.addWidget(window)
    (hand,) = set(multiprocessing.active_children()) - before
    hand.kill()
    qtbot.waitUntil(
        lambda: any("ended from outside (signal 9" in label.text() for label in window.findChildren(QLabel)),
        timeout=60_000,
    )
    window.shut_down()
