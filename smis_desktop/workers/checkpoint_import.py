"""Importing a checkpoint while the window goes on: in a thread, which waits for the confined process that reads."""

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
    """Under way."""

    words: str


@dataclass(frozen=True)
class GeneratorImported:
    """Done: it is installed under that name. notes: sentences worth knowing."""

    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ClassAsked:
    """Nothing was installed: one of its classes, 0 to num_classes - 1, has to be chosen first."""

    num_classes: int


@dataclass(frozen=True)
class ImportFailed:
    """Nothing was installed. text: why, in one sentence."""

    text: str


ImportMessage = ImportProgress | GeneratorImported | ClassAsked | ImportFailed


class GeneratorImport:
    """One checkpoint to one generator."""

    def __init__(
        self, checkpoint: Path, name: str, class_index: int | None, deliver: Callable[[ImportMessage], None]
    ) -> None:
        """deliver: called in a thread of its own; whatever is not `ImportProgress` comes once, as the last message."""
        self._checkpoint, self._name, self._class_index, self._deliver = checkpoint, name, class_index, deliver
        self._thread = threading.Thread(target=self._run, name="import", daemon=True)

    def start(self) -> None:
        """Call once; it returns at once."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait until it has ended; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from smis_desktop.generators.checkpoint_import import ClassWanted, import_generator

        def told(words: str, _fraction: float) -> None:
            self._deliver(ImportProgress(words))

        try:
            installed, notes = import_generator(self._checkpoint, self._name, told, self._class_index)
        except ClassWanted as wanted:
            self._deliver(ClassAsked(wanted.num_classes))
        except UserError as error:
            self._deliver(ImportFailed(str(error)))
        else:
            self._deliver(GeneratorImported(installed.name, notes))
