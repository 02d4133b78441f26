"""The log in the data folder. Every window, command and background process writes to it."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from smis_desktop.errors import UserError
from smis_desktop.storage.data_folder import data_folder

log = logging.getLogger(__name__)

_BYTES, _OLDER_FILES = 512 * 1024, 3
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def log_path() -> Path:
    """Return the path of the newest log file; the older ones are `.1` to `.3` in the same folder.

    Raises UserError like `data_folder`.
    """
    return data_folder("log") / "smis.log"


@contextlib.contextmanager
def kept_log(shown: int = logging.WARNING) -> Iterator[None]:
    """Write the program's log to the file inside this context, and messages of at least level `shown` to stderr too.

    An exception is logged with its traceback and passes through. Where the file cannot be written, the program runs
    without it.

    Several processes may write at once. If two begin a new file in the same moment, a few lines end up in the older
    one.
    """
    root = logging.getLogger()
    level_before = root.level
    handlers: list[logging.Handler] = [] if sys.stderr is None else [_on_stderr(shown)]
    file = _on_file()
    if file is not None:
        handlers.append(file)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(min(shown, logging.INFO))
    try:
        yield
    except Exception as error:
        if file is not None and not isinstance(error, UserError):
            # To the file only: Python itself prints the traceback to stderr.
            facts = (type(error), error, error.__traceback__)
            words = "a fault in this program"
            file.handle(log.makeRecord(log.name, logging.CRITICAL, __file__, 0, words, (), facts))
        raise
    finally:
        root.setLevel(level_before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def last_lines(count: int) -> list[str]:
    """Return the last `count` lines of the log, oldest first."""
    try:
        path = log_path()
        older = path.with_name(f"{path.name}.1")
        lines = [
            line
            for file in (older, path)
            if file.is_file()
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
    except (OSError, UserError):
        return []
    return lines[-count:]


def _on_stderr(shown: int) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setLevel(shown)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    return handler


def _on_file() -> logging.Handler | None:
    try:
        handler = RotatingFileHandler(
            log_path(), maxBytes=_BYTES, backupCount=_OLDER_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except (OSError, UserError):
        return None
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
