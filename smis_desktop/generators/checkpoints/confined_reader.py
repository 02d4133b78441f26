"""Reads one checkpoint into one safetensors file, in a process without access to files, network or programs.

This is a second line of defence: the reader calls nothing that a file names anyway. Resource limits are the system's
where it has them (Linux, macOS); the audit hook is Python's own everywhere, and cannot be removed again.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import zipfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from smis_desktop.generators.checkpoints.containers import read_container
from smis_desktop.generators.checkpoints.layouts import ClassNeeded, translate
from smis_desktop.generators.checkpoints.networks import find_generator
from smis_desktop.generators.checkpoints.pickle_machine import Refused

ESCAPE_TRIED = 97
"""Exit code of a process that tried something that reading a file never needs."""
_MEMORY = 1 << 30
_PROCESSOR_SECONDS = 60
_FORBIDDEN = (
    "open", "socket.", "subprocess.", "os.", "shutil.", "import", "exec", "compile", "ctypes.", "pickle.", "marshal.",
    "code.__new__", "fcntl.", "glob.", "tempfile.", "winreg.", "urllib.", "http.", "ftplib.", "smtplib.", "pty.",
)  # fmt: skip


def confine(file_size: int) -> None:
    """Confine this process for the rest of its life.

    Args:
        file_size: bytes of the file to read; it may occupy memory three times.
    """
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
    """Return the address space of this process in bytes; 0 where the system does not report it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _end_on_escape(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        os._exit(ESCAPE_TRIED)


_MAX_MESSAGE = 300
_DAMAGE_ERRORS = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, EOFError, RecursionError, struct.error,
    zipfile.BadZipFile, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The result of reading a checkpoint.

    refused: why it is refused, as the end of a sentence that begins with its name; empty if it was read. num_classes:
    of a conditional generator, else 0. class_needed: nothing was written because no class was chosen. notes: sentences
    for people.
    """

    refused: str = ""
    num_classes: int = 0
    class_needed: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> bytes:
        """Return the outcome as JSON, so that the parent need not unpickle what this process sends."""
        return json.dumps(self.__dict__).encode()


def work(connection: Connection, checkpoint: str, target: str, class_index: int | None) -> None:
    """Confine this process, read the checkpoint, send an `Outcome`, and end: the process's main function.

    Args:
        target: a new file, which stays empty if the checkpoint is refused.
    """
    with Path(checkpoint).open("rb") as file, Path(target).open("wb") as out:
        size = Path(checkpoint).stat().st_size
        if size == 0:
            connection.send_bytes(Outcome("is empty").as_json())
            return
        # Mapped before the process is confined: afterwards it can open no file.
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        confine(size)
        outcome, weights = read_checkpoint(data, class_index)
        out.write(weights)
    connection.send_bytes(outcome.as_json())


def read_checkpoint(data: memoryview, class_index: int | None) -> tuple[Outcome, bytes]:
    """Read the StyleGAN2 in a file as safetensors (empty if it is refused)."""
    try:
        root, storages = read_container(data)
        with np.errstate(over="ignore", invalid="ignore"):
            imported = translate(find_generator(root, storages), class_index)
            arrays = {key: np.ascontiguousarray(array, np.float32) for key, array in imported.weights.items()}
        if not all(np.isfinite(array).all() for key, array in arrays.items() if key != "limit"):
            raise Refused("holds weights that are not finite once their gains are applied")
        return Outcome(num_classes=imported.num_classes, notes=imported.notes), save(arrays)
    except ClassNeeded as needed:
        return Outcome(num_classes=needed.num_classes, class_needed=True), b""
    except Refused as reason:
        return Outcome(_printable(str(reason))), b""
    except MemoryError:
        return Outcome("would take more memory than any checkpoint needs"), b""
    except _DAMAGE_ERRORS as error:
        missing = f" ({error.args[0]} is missing)" if isinstance(error, KeyError) and error.args else ""
        return Outcome(_printable(f"is damaged, or not a StyleGAN2 checkpoint{missing}")), b""


def _printable(message: str) -> str:
    """Shorten a message, which may quote the file, and replace its control characters, which a terminal would act
    on."""
    short = message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in short)
