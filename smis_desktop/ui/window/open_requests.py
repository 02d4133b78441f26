"""Files that the desktop hands to the running program: on macOS a double click is an event, not an argument."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFileOpenEvent, QGuiApplication


class OpenRequests(QObject):
    """Listens as long as it lives; it belongs to the application."""

    def __init__(self, application: QGuiApplication, open_file: Callable[[Path], None]) -> None:
        super().__init__(application)
        self._open_file = open_file
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self._open_file(Path(event.file()))
            return True
        return False
