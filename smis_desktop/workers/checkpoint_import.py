"""Imports a checkpoint in the background: a thread waits for the confined process that reads it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smis_desktop.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportProgress:
    """The import is running. words: what it is doing."""

    words: str


@dataclass(frozen=True)
class GeneratorImported:
    """The generator is installed under that name. notes: sentences worth knowing."""

    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClassAsked:
    """Nothing was installed: one of the checkpoint's classes, 0 to num_classes - 1, has to be chosen first."""

    num_classes: int


@dataclass(frozen=True)
class ImportFailed:
    """Nothing was installed. text: why, as one sentence."""

    text: str


ImportMessage = ImportProgress | GeneratorImported | ClassAsked | ImportFailed


class GeneratorImport:
    """Imports one checkpoint as one generator."""

    def __init__(
        self, checkpoint: Path, name: str, class_index: int | None, deliver: Callable[[ImportMessage], None]
    ) -> None:
        """deliver: called in the importing thread; the last message, and only that, is not an `ImportProgress`."""
        self._checkpoint, self._name, self._class_index, self._deliver = checkpoint, name, class_index, deliver
        self._thread = threading.Thread(target=self._run, name="import", daemon=True)

    def start(self) -> None:
        """Start the import, and return at once. Call once."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the import to end. Returns whether it has ended within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from smis_desktop.generators.checkpoint_import import ClassWanted, import_generator

        def report(words: str, _fraction: float) -> None:
            self._deliver(ImportProgress(words))

        try:
            installed, notes = import_generator(self._checkpoint, self._name, report, self._class_index)
        except ClassWanted as wanted:
            self._deliver(ClassAsked(wanted.num_classes))
        except UserError as error:
            self._deliver(ImportFailed(str(error)))
        else:
            self._deliver(GeneratorImported(installed.name, notes))
