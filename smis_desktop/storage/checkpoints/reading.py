"""One checkpoint to one safetensors file, in a process that was started for it and has given up its rights."""

from __future__ import annotations

import json
import mmap
import struct
import zipfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from smis_desktop.storage.checkpoints.confinement import confine
from smis_desktop.storage.checkpoints.containers import read_container
from smis_desktop.storage.checkpoints.layouts import ClassNeeded, translate
from smis_desktop.storage.checkpoints.networks import find_generator
from smis_desktop.storage.checkpoints.pickle_machine import Refused

_LONGEST = 300
_DAMAGE = (
    ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, EOFError, RecursionError, struct.error,
    zipfile.BadZipFile, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """refused: why the file is not taken, going on after its name; empty when it was. num_classes: of a conditional
    generator. class_needed: nothing was written because nobody said which of them. notes: for people."""

    refused: str = ""
    num_classes: int = 0
    class_needed: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> bytes:
        """To send it as plain text: nobody unpickles what this process says."""
        return json.dumps(self.__dict__).encode()


def work(connection: Connection, checkpoint: str, target: str, class_index: int | None) -> None:
    """The process: confines itself, sends an `Outcome` and ends. target: a new file, written when nothing is wrong."""
    with Path(checkpoint).open("rb") as file, Path(target).open("wb") as out:
        size = Path(checkpoint).stat().st_size
        if size == 0:
            connection.send_bytes(Outcome("is empty").as_json())
            return
        # Of the file as it is now: nobody can change it under the reader and have it seen.
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        confine(size)
        outcome, weights = read_checkpoint(data, class_index)
        out.write(weights)
    connection.send_bytes(outcome.as_json())


def read_checkpoint(data: memoryview, class_index: int | None) -> tuple[Outcome, bytes]:
    """What is to be said of a file, and the StyleGAN2 in it as safetensors (empty when it is refused)."""
    try:
        root, storages = read_container(data)
        with np.errstate(over="ignore", invalid="ignore"):
            imported = translate(find_generator(root, storages), class_index)
            arrays = {key: np.ascontiguousarray(array, np.float32) for key, array in imported.weights.items()}
        if not all(np.isfinite(array).all() for key, array in arrays.items() if key != "limit"):
            raise Refused("holds weights that are no numbers once their gains are applied")
        return Outcome(num_classes=imported.num_classes, notes=imported.notes), save(arrays)
    except ClassNeeded as needed:
        return Outcome(num_classes=needed.num_classes, class_needed=True), b""
    except Refused as reason:
        return Outcome(_legible(str(reason))), b""
    except MemoryError:
        return Outcome("would take more memory than any checkpoint needs"), b""
    except _DAMAGE as error:
        missing = f" ({error.args[0]} is missing)" if isinstance(error, KeyError) and error.args else ""
        return Outcome(_legible(f"is damaged, or no StyleGAN2 checkpoint{missing}")), b""


def _legible(words: str) -> str:
    """The words of a file that are in it may be long, and may be codes that a terminal would obey."""
    short = words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
    return "".join(letter if letter.isprintable() else "?" for letter in short)
