"""Autosaving: what is painted goes to the recovery file while the hand rests, without holding it up."""

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
"""Between two looks whether there is something new; half a minute of work is the most that a crash may cost."""


class Autosave(QObject):
    """Writes on a thread of its own; one write at a time."""

    failed = Signal(str)
    """A sentence: the disk refused. Told once until a write succeeds again."""
    _written = Signal(str)

    def __init__(self, recovery: RecoveryFolder, collect: Callable[[], tuple[Project, Path | None] | None]) -> None:
        """collect: the painting and its file, if there is anything that no file holds and no stroke is in hand."""
        super().__init__()
        self._recovery, self._collect = recovery, collect
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._pending = False
        self._written.connect(self._take_answer)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.save_now)
        self._timer.start()

    def touch(self) -> None:
        """Something has changed."""
        self._pending = True

    def save_now(self) -> None:
        """If there is something to save and no write is under way."""
        if not self._pending or (self._thread is not None and self._thread.is_alive()):
            return
        found = self._collect()
        if found is None:
            return
        self._pending = False
        self._thread = threading.Thread(target=self._write, args=found, name="autosave")
        self._thread.start()

    def save_and_wait(self) -> None:
        """Who knows what comes next: whatever is not saved is on the disk when this returns, if the disk takes it."""
        self._wait()
        self._pending = True
        self.save_now()
        self._wait()

    def forget(self) -> None:
        """A project file holds everything."""
        self._wait()
        self._pending = False
        self._recovery.forget()

    def close(self) -> None:
        """The window closes in peace."""
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
            self._pending = True
            log.warning("autosaving failed: %s", sentence)
            if not self._is_failing:
                self.failed.emit(sentence)
        self._is_failing = bool(sentence)

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
