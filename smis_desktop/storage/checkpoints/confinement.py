"""Giving up rights before a foreign file is looked at: memory, time, files, processes, the network.

A belt, not the trousers: the reader calls nothing of a file's choosing anyway. Limits are the system's where it has
them (Linux, macOS); the hook is Python's own everywhere, and it cannot be taken off again.
"""

from __future__ import annotations

import os
import sys

ESCAPE_TRIED = 97
"""Exit code of a process that did what reading a file never needs."""
_MEMORY = 1 << 30
_PROCESSOR_SECONDS = 60
_FORBIDDEN = (
    "open", "socket.", "subprocess.", "os.", "shutil.", "import", "exec", "compile", "ctypes.", "pickle.", "marshal.",
    "code.__new__", "fcntl.", "glob.", "tempfile.", "winreg.", "urllib.", "http.", "ftplib.", "smtplib.", "pty.",
)  # fmt: skip


def confine(file_size: int) -> None:
    """For the rest of this process's life. file_size: bytes of the file to be read, which may fill memory thrice."""
    if sys.platform != "win32":
        import resource

        memory = _memory_in_use() + _MEMORY + 3 * file_size
        limits = [
            (resource.RLIMIT_CPU, _PROCESSOR_SECONDS),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, _MEMORY + 3 * file_size),
        ]
        if sys.platform == "linux":
            limits.append((resource.RLIMIT_AS, memory))
        for limit, value in limits:
            _, hard = resource.getrlimit(limit)
            capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (capped, capped))
    sys.addaudithook(_end_on_escape)


def _memory_in_use() -> int:
    """Address space of this process in bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_on_escape(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        os._exit(ESCAPE_TRIED)
