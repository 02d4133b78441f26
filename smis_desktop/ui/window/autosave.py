"""Autosaving: writes unsaved changes to the recovery file in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project
from smis_desktop.formats.recovery import RecoveryFolder

log = logging.getLogger(__name__)

INTERVAL_MS = 8_000
"""Milliseconds between two checks for changes: a crash must not cost more than half a minute of work."""


class Autosave(QObject):
    """Writes in a thread of its own, one file at a time."""

    failed = Signal(str)
    """The file could not be written, as a sentence. Emitted once until a write succeeds again."""
    _written = Signal(str)

    def __init__(
        self,
        recovery: RecoveryFolder,
        collect: Callable[[], tuple[Project, Path | None] | None],
        version: Callable[[], int],
    ) -> None:
        """collect: returns the painting and its file, or None if nothing is unsaved or a stroke is in progress.

        Args:
            recovery: Where to write.
            collect: Returns the painting and its file, or None if nothing is unsaved or a stroke is under way.
            version: Returns another number after each change.
        """
        super().__init__()
        self._recovery, self._collect, self._version = recovery, collect, version
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._written_version: int | None = version()
        self._written.connect(self._take_answer)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.save_now)
        self._timer.start()

    def save_now(self) -> None:
        """Save, unless nothing has changed or a write is in progress."""
        version = self._version()
        if version == self._written_version or (self._thread is not None and self._thread.is_alive()):
            return
        found = self._collect()
        if found is None:
            return
        self._written_version = version
        self._thread = threading.Thread(target=self._write, args=found, name="autosave")
        self._thread.start()

    def save_and_wait(self) -> None:
        """Save everything unsaved, and wait until it is on the disk or has failed."""
        self._wait()
        self._written_version = None
        self.save_now()
        self._wait()

    def forget(self) -> None:
        """Remove the recovery file: a project file holds everything."""
        self._wait()
        self._written_version = self._version()
        self._recovery.forget()

    def close(self) -> None:
        """Stop, and remove the recovery file, when the window closes normally."""
        self._timer.stop()
        self._wait()
        self._recovery.close()

    def _write(self, project: Project, origin: Path | None) -> None:
        try:
            self._recovery.save(project, origin)
        except UserError as error:
            self._written.emit(str(error))
        else:
            self._written.emit("")

    def _take_answer(self, sentence: str) -> None:
        if sentence:
            self._written_version = None
            log.warning("autosaving failed: %s", sentence)
            if not self._is_failing:
                self.failed.emit(sentence)
        self._is_failing = bool(sentence)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
