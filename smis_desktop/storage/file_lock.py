"""A lock on an open file that the system releases when the process ends, however it ends."""

from __future__ import annotations

import os
from typing import IO, Any


def take_lock(file: IO[Any]) -> bool:
    """Lock the open file for this process, without waiting. Whether it could be had."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
