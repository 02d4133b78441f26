"""What trainings keep on the disk: the stages of an unfinished training, and features for the trainings to come."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.generators.layers import Precision

log = logging.getLogger(__name__)

_STAGE_KIND, _FEATURES_KIND, _VERSION = "training-stage", "kept-features", 1
_DESCRIPTION = "training.json"
_MIB = 2**20
CACHE_SIZE = 2048 * _MIB
"""Bytes that the cached features of all generators may take: some 3,500 pictures of one."""


class TrainingStore(Protocol):
    """Keeps what a training has made so far, by name."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """Returns what was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Replaces what is under that name, atomically."""
        ...


class ReadOnly:
    """The store of a process that is not the main process: it reads alone."""

    def __init__(self, store: TrainingStore) -> None:
        self._store = store

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._store.read(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Does nothing: the main process writes."""


class TrainingFolder:
    """A `TrainingStore` in a folder. Files are written atomically: a stop loses at most the current stage."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, model_path: Path) -> TrainingFolder:
        """`my.smismodel` → `my.smismodel.training/`."""
        return cls(model_path.with_name(model_path.name + ".training"))

    def open(self, description: Mapping[str, Any], resume: bool) -> bool:
        """Creates the folder, or checks that it holds the same training. Returns whether there is one to resume.

        Raises UserError when there is one but not `resume`, or when it is a different one.
        """
        text = json.dumps(description, sort_keys=True)
        described = self.path / _DESCRIPTION
        if described.is_file():
            if not resume:
                raise UserError(
                    f"{self.path} holds an unfinished training; add --resume to go on with it, "
                    "or delete that folder to start anew."
                )
            if described.read_text(encoding="utf-8") != text:
                raise UserError(
                    f"{self.path} holds a training with other shots or settings; use the same ones with --resume, "
                    "or delete that folder to start anew."
                )
            return True
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be made ({error.strerror}); choose an --out in a folder you can write to."
            ) from error
        write_bytes(described, text.encode())
        return False

    def begun(self) -> dict[str, Any]:
        """The description that the unfinished training was opened with; empty where there is none."""
        try:
            found = json.loads((self.path / _DESCRIPTION).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, name: str) -> dict[str, Tensor] | None:
        path = self._file(name)
        if not path.is_file():
            return None
        tensors, _ = read_tensors(path, _STAGE_KIND, _VERSION, "delete it and resume: it is made again")
        return tensors

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        write_tensors(self._file(name), _STAGE_KIND, _VERSION, tensors, {"name": name})

    def write_picture(self, name: str, content: bytes) -> Path:
        """Writes an encoded picture beside the stages, for the person to look at; returns its path."""
        write_bytes(self.path / name, content)
        return self.path / name

    def remove(self) -> None:
        """Deletes the folder, once the model is written."""
        shutil.rmtree(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"


def shots_digest(arrays: Mapping[str, Any]) -> str:
    """A fingerprint of the shots' pixels and labels, {name: arrays}, by which a resumed training is recognised."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        for array in arrays[name]:
            digest.update(str(array.shape).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


class SampleSettings(Protocol):
    """The settings of a training that decide its random pictures."""

    @property
    def seed(self) -> int: ...

    @property
    def round_size(self) -> int: ...

    @property
    def precision(self) -> Precision: ...


class FeatureCache:
    """Reduced features of random pictures on disk (a `FeatureStore`), of limited size; writes in the background.

    The next model of the same generator learns from the same pictures. Their features are merely quicker to read than
    to compute: what is missing, damaged or does not fit is computed again, and no training fails because of the cache.
    """

    def __init__(self, folder: Path, max_bytes: int = CACHE_SIZE) -> None:
        """folder: of one generator and kind of features. Folders beside it are deleted when room is needed, the least
        recently used first. max_bytes: for all of them."""
        self._folder, self._max_bytes = folder, max_bytes
        self._is_full = max_bytes <= 0
        self._writer = ThreadPoolExecutor(1, "feature-cache")
        self._writing: Future[None] | None = None
        with suppress(OSError):
            if not self._is_full:
                folder.mkdir(parents=True, exist_ok=True)
                os.utime(folder)

    @classmethod
    def of(cls, generator: Generator, settings: SampleSettings) -> FeatureCache:
        """Return the cache of the features that a training with these settings computes.

        `$SMIS_KEPT_FEATURES_MIB` limits its size; 0 turns it off. Raises UserError when that is not a number.
        """
        asked = os.environ.get("SMIS_KEPT_FEATURES_MIB", str(CACHE_SIZE // _MIB))
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
            return read_tensors(path, _FEATURES_KIND, _VERSION, "it is made again")[0]
        except UserError as error:
            log.warning("%s", error)
            with suppress(OSError):
                path.unlink()
            return None

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.wait()  # one at a time: what is waiting to be written takes memory
        if not self._is_full:
            self._writing = self._writer.submit(self._write, name, tensors)

    def wait(self) -> None:
        """Waits until everything is written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, name: str, tensors: dict[str, Tensor]) -> None:
        needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        try:
            if self._has_room(needed):
                write_tensors(self._file(name), _FEATURES_KIND, _VERSION, tensors, {})
                return
            log.info("the feature cache is full (%d MiB)", self._max_bytes // _MIB)
            self._is_full = True
        except (UserError, OSError) as error:  # somebody may delete the folder at any time
            log.warning("the feature cache is turned off: %s", error)
            self._is_full = True

    def _has_room(self, needed: int) -> bool:
        """Whether there is room for so many bytes, after deleting other folders if need be."""
        others = [other for other in self._folder.parent.iterdir() if other.is_dir() and other != self._folder]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        sizes = {folder: _size(folder) for folder in (self._folder, *others)}
        if sizes[self._folder] + needed > self._max_bytes:
            return False
        while sum(sizes.values()) + needed > self._max_bytes:
            oldest = others.pop()
            shutil.rmtree(oldest, ignore_errors=True)
            del sizes[oldest]
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
