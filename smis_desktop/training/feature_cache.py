"""Features of random pictures, kept between trainings: the next model of the same generator learns from the same ones.

They are only quicker to read than to make again: whatever is missing, damaged, or does not fit is made again, and no
training fails because of them.
"""

from __future__ import annotations

import logging
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.errors import UserError
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.generators.generator import Generator
    from smis_desktop.training.training import TrainingSettings

log = logging.getLogger(__name__)

_KIND, _VERSION = "kept-features", 1
_MIB = 2**20
ROOM = 2048 * _MIB
"""Bytes that all of them together may take: some 3,500 pictures of one generator. A training makes the rest anew."""


class FeatureCache:
    """`fewshot.pool.FeatureStore` on disk, of limited size. It writes while its owner goes on."""

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        """folder: one generator's and kind's; others lie beside it and give way, those first that were used least
        lately. room: bytes for all of them."""
        self._folder, self._room = folder, room
        self._is_full = room <= 0
        self._writer = ThreadPoolExecutor(1, "kept-features")
        self._writing: Future[None] | None = None
        with suppress(OSError):
            if not self._is_full:
                folder.mkdir(parents=True, exist_ok=True)
                os.utime(folder)

    @classmethod
    def of(cls, generator: Generator, settings: TrainingSettings) -> FeatureCache:
        """Those of that generator which a training with these settings takes. `$SMIS_KEPT_FEATURES_MIB` is their room,
        0 for none at all. Raises UserError when it is no number."""
        asked = os.environ.get("SMIS_KEPT_FEATURES_MIB", str(ROOM // _MIB))
        if not asked.isdecimal():
            raise UserError(f"SMIS_KEPT_FEATURES_MIB={asked} is no number of MiB; give one, or 0 to keep nothing.")
        kind = f"{settings.seed}-{settings.round_size}-{settings.precision}"
        name = f"{generator.name}-{generator.weights_sha256[:16]}-{kind}"
        return cls(data_folder("features") / name, int(asked) * _MIB)

    def read(self, name: str) -> dict[str, Tensor] | None:
        self.wait()
        path = self._file(name)
        if not path.is_file():
            return None
        try:
            return read_tensors(path, _KIND, _VERSION, "it is made again")[0]
        except UserError as error:
            log.warning("%s", error)
            with suppress(OSError):
                path.unlink()
            return None

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.wait()  # one at a time: what waits to be written takes memory
        if not self._is_full:
            self._writing = self._writer.submit(self._write, name, tensors)

    def wait(self) -> None:
        """Until everything is written that shall be."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, name: str, tensors: dict[str, Tensor]) -> None:
        needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        try:
            if self._has_room(needed):
                write_tensors(self._file(name), _KIND, _VERSION, tensors, {})
                return
            log.info("no more features are kept: %d MiB are full", self._room // _MIB)
            self._is_full = True
        except (UserError, OSError) as error:  # somebody may delete the folder at any time
            log.warning("no more features are kept: %s", error)
            self._is_full = True

    def _has_room(self, needed: int) -> bool:
        """Makes room at the cost of others, if that is enough."""
        others = [other for other in self._folder.parent.iterdir() if other.is_dir() and other != self._folder]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        sizes = {folder: _size(folder) for folder in (self._folder, *others)}
        if sizes[self._folder] + needed > self._room:
            return False
        while sum(sizes.values()) + needed > self._room:
            oldest = others.pop()
            shutil.rmtree(oldest, ignore_errors=True)
            del sizes[oldest]
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
