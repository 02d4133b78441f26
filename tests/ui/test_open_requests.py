"""A double click on macOS: the file comes as an event."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from smis_desktop.ui.window.document_files import OpenRequests


def test_the_file_is_opened_and_other_events_pass(qtbot: QtBot) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    opened: list[Path] = []
    requests = OpenRequests(application, opened.append)
    QApplication.sendEvent(application, QFileOpenEvent("/paintings/a face.smis"))
    QApplication.sendEvent(application, QEvent(QEvent.Type.User))
    application.removeEventFilter(requests)
    QApplication.sendEvent(application, QFileOpenEvent("/paintings/another.smis"))
    assert opened == [Path("/paintings/a face.smis")]
