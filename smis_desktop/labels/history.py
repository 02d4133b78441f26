"""Undo and redo: edits that can be taken back bit for bit, and the stacks they lie on."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from smis_desktop.labels.document import Document
from smis_desktop.labels.rect import Rect


@dataclass(frozen=True, eq=False)
class Edit:
    """A rectangle of a document before and after a change. Make one with `Edit.between`."""

    rect: Rect
    _before: _Packed = field(repr=False)
    _after: _Packed = field(repr=False)

    @classmethod
    def between(cls, rect: Rect, before: np.ndarray, after: np.ndarray) -> Edit | None:
        """The edit that turns `before` into `after`, both uint8 [rect.height, rect.width], cut to what differs.

        None if nothing does.
        """
        changed = before != after
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return None
        inner = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return cls(
            inner.shifted(rect.left, rect.top), _Packed.of(before[inner.slices]), _Packed.of(after[inner.slices])
        )

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return len(self._before.data) + len(self._after.data)

    def undo(self, document: Document) -> Rect:
        """Put the pixels before the change back. Returns the rectangle."""
        document.write(self.rect, self._before.pixels(self.rect))
        return self.rect

    def redo(self, document: Document) -> Rect:
        """Put the pixels after the change back. Returns the rectangle."""
        document.write(self.rect, self._after.pixels(self.rect))
        return self.rect


class History:
    """The edits that can be undone and redone, bounded in number and in bytes; the oldest are forgotten first."""

    def __init__(self, max_steps: int = 1000, budget_bytes: int = 256 * 2**20) -> None:
        if max_steps < 1:
            raise ValueError("a history needs at least one step")
        self._max_steps = max_steps
        self._budget_bytes = budget_bytes
        self._done: deque[Edit] = deque()
        self._undone: list[Edit] = []
        self._nbytes = 0

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    @property
    def num_steps(self) -> int:
        """How many edits can be undone."""
        return len(self._done)

    @property
    def nbytes(self) -> int:
        """What all edits take in memory. Over the budget only while a single edit is."""
        return self._nbytes

    def push(self, edit: Edit) -> None:
        """Add an edit that has just been made; what was undone before can no longer be redone."""
        self._nbytes += edit.nbytes - sum(undone.nbytes for undone in self._undone)
        self._undone.clear()
        self._done.append(edit)
        while len(self._done) > self._max_steps or (self._nbytes > self._budget_bytes and len(self._done) > 1):
            self._nbytes -= self._done.popleft().nbytes

    def undo(self, document: Document) -> Rect | None:
        """Take the last edit back. Returns the changed rectangle, None if there is nothing to undo."""
        if not self._done:
            return None
        rect = self._done[-1].undo(document)
        self._undone.append(self._done.pop())
        return rect

    def redo(self, document: Document) -> Rect | None:
        """Make the last undone edit again. Returns the changed rectangle, None if there is nothing to redo."""
        if not self._undone:
            return None
        rect = self._undone[-1].redo(document)
        self._done.append(self._undone.pop())
        return rect

    def clear(self) -> None:
        """Forget everything: another document was opened."""
        self._done.clear()
        self._undone.clear()
        self._nbytes = 0


@dataclass(frozen=True)
class _Packed:
    """Pixels as bytes, deflated where that makes them fewer (label maps: nearly always, a hundredfold)."""

    data: bytes
    deflated: bool

    @classmethod
    def of(cls, pixels: np.ndarray) -> _Packed:
        raw = pixels.tobytes()
        deflated = zlib.compress(raw, level=1)
        return cls(deflated, True) if len(deflated) < len(raw) else cls(raw, False)

    def pixels(self, rect: Rect) -> np.ndarray:
        raw = zlib.decompress(self.data) if self.deflated else self.data
        return np.frombuffer(raw, np.uint8).reshape(rect.height, rect.width)
