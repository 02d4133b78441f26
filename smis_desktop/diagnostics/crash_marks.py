"""Crash marks: files by which the next window learns that an earlier one crashed.

Each window keeps one file open and locked. On a segmentation fault or an abort, the interpreter's fault handler writes
a traceback into it. A window that closes removes its file, so a file whose lock is free belongs to a crashed window.
"""

from __future__ import annotations

import contextlib
import faulthandler
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import take_lock
from smis_desktop.storage.data_folder import data_folder

_PATTERN = "window-*.txt"
_MAX_TRACE_CHARS = 100_000


@dataclass(frozen=True)
class Crash:
    """A window that crashed.

    trace: where the program was; empty if it was ended from outside (a kill, a power cut). started_at: when it started,
    in seconds since 1970.
    """

    trace: str
    started_at: float


@contextlib.contextmanager
def marked_as_running() -> Iterator[None]:
    """Leave a mark if the process ends inside this context; none where the file cannot be written."""
    try:
        path = data_folder("log") / f"window-{int(time.time())}-{secrets.token_hex(4)}.txt"
        file = _locked(path)
    except (OSError, UserError):
        yield
        return
    had_handler = faulthandler.is_enabled()
    with file:
        faulthandler.enable(file)
        try:
            yield
        finally:
            faulthandler.disable()
            if had_handler and sys.stderr is not None:
                faulthandler.enable()
    path.unlink(missing_ok=True)


def take_crashes() -> tuple[Crash, ...]:
    """Return the windows that crashed, newest first, and remove their marks."""
    found = []
    try:
        paths = list(data_folder("log").glob(_PATTERN))
    except UserError:
        return ()
    for path in paths:
        try:
            with path.open("r+", encoding="utf-8", errors="replace") as file:
                if not take_lock(file):
                    continue  # that window is still open
                started_at = float(path.name.split("-")[1])
                found.append(Crash(file.read(_MAX_TRACE_CHARS).strip(), started_at))
            path.unlink()
        except (OSError, ValueError):
            continue  # another window was quicker, or it is not one of our marks
    return tuple(sorted(found, key=lambda crash: -crash.started_at))


def _locked(path: Path) -> TextIO:
    """Create a locked file. It gets its name once it is locked."""
    hidden = path.with_suffix(".new")
    file = hidden.open("w", encoding="utf-8")
    take_lock(file)
    hidden.rename(path)
    return file
