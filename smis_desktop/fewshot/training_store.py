"""Where a training leaves what it has made, so that it can stop at any moment and go on to the same result."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


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
