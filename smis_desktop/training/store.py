"""Where an unfinished training keeps its stages, so that it resumes to the same result."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors


class TrainingStore(Protocol):
    """Where a training keeps what it has made so far, by name."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """What was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Replaces what is under that name, atomically."""
        ...


class ReadOnly:
    """The store of a process that is not the first: it only reads."""

    def __init__(self, store: TrainingStore) -> None:
        self._store = store

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._store.read(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """The first process does it."""


_KIND, _VERSION = "training-stage", 1
_DESCRIPTION = "training.json"


class TrainingFolder:
    """`fewshot.training_store.TrainingStore` on disk. Every file is written atomically; a stop at any moment
    loses at most the stage in hand."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, model_path: Path) -> TrainingFolder:
        """`my.smismodel` → `my.smismodel.training/`."""
        return cls(model_path.with_name(model_path.name + ".training"))

    def open(self, description: Mapping[str, Any], resume: bool) -> bool:
        """Makes the folder, or checks that it holds the same training. Returns whether there is something to resume.

        Raises UserError when an unfinished training is there and `resume` is off, or when it is another training.
        """
        text = json.dumps(description, sort_keys=True)
        told = self.path / _DESCRIPTION
        if told.is_file():
            if not resume:
                raise UserError(
                    f"{self.path} holds an unfinished training; add --resume to go on with it, "
                    "or delete that folder to start anew."
                )
            if told.read_text(encoding="utf-8") != text:
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
        write_bytes(told, text.encode())
        return False

    def begun(self) -> dict[str, Any]:
        """The description that the unfinished training here was opened with; empty where there is none."""
        try:
            found = json.loads((self.path / _DESCRIPTION).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, name: str) -> dict[str, Tensor] | None:
        path = self._file(name)
        if not path.is_file():
            return None
        tensors, _ = read_tensors(path, _KIND, _VERSION, "delete it and resume: it is made again")
        return tensors

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        write_tensors(self._file(name), _KIND, _VERSION, tensors, {"name": name})

    def write_picture(self, name: str, content: bytes) -> Path:
        """Keeps an encoded picture beside the stages, for the person to look at; returns its path."""
        write_bytes(self.path / name, content)
        return self.path / name

    def remove(self) -> None:
        """Deletes the folder, once the model is written."""
        shutil.rmtree(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"


def shots_digest(arrays: Mapping[str, Any]) -> str:
    """A fingerprint of the shots' pixels and labels, {name: numpy arrays}: a resumed training must be the same one."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        for array in arrays[name]:
            digest.update(str(array.shape).encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
