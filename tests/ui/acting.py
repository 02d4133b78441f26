"""Acting on a window as a person does, and seeing what a person sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
)
from pytestqt.qtbot import QtBot

from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.conftest import at, is_finished

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
    assert window.controller.document is not None
    return window.controller.document.snapshot()


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
