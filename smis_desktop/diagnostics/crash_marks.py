"""How the next window learns that the last one did not end in peace.

Each window holds one file open and locked. The interpreter's fault handler writes into it where the program was when
it was killed by a fault (a segmentation fault, an abort). A window that closes removes its file; a file whose lock is
free was left by a window that could not.
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
_LONGEST_TRACE = 100_000


@dataclass(frozen=True)
class Crash:
    """A window that did not end in peace. trace: where the program was; empty when it was ended from outside (a kill,
    a power cut). started_at: seconds since 1970."""

    trace: str
    started_at: float


@contextlib.contextmanager
def marked_as_running() -> Iterator[None]:
    """While this lasts, an end of the process leaves a mark. Where that cannot be written, it leaves none."""
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
    """The windows that did not end in peace, newest first. Each is told of once: its mark is removed."""
    found = []
    try:
        paths = list(data_folder("log").glob(_PATTERN))
    except UserError:
        return ()
    for path in paths:
        try:
            with path.open("r+", encoding="utf-8", errors="replace") as file:
                if not take_lock(file):
                    continue  # that window lives
                started_at = float(path.name.split("-")[1])
                found.append(Crash(file.read(_LONGEST_TRACE).strip(), started_at))
            path.unlink()
        except (OSError, ValueError):
            continue  # another window was quicker, or it is no mark of ours
    return tuple(sorted(found, key=lambda crash: -crash.started_at))


def _locked(path: Path) -> TextIO:
    """A new file of that name; nobody sees it unlocked."""
    hidden = path.with_suffix(".new")
    file = hidden.open("w", encoding="utf-8")
    take_lock(file)
    hidden.rename(path)
    return file
