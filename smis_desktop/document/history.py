"""Undo and redo: edits that can be reverted bit for bit, and their two stacks."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from smis_desktop.document.document import Document, DocumentStructure
from smis_desktop.document.geometry import Rect


@dataclass(frozen=True)
class Change:
    """What an operation did, for whoever shows the document.

    rect: composite pixels to look at anew, None if none. layers: the list of layers, their properties or thumbnails
    changed. palette: the classes changed.
    """

    rect: Rect | None = None
    layers: bool = False
    palette: bool = False


class Edit(Protocol):
    """One step of the history."""

    @property
    def name(self) -> str:
        """What was done, for people: `Brush stroke`."""
        ...

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        ...

    def undo(self, document: Document) -> Change: ...
    def redo(self, document: Document) -> Change: ...


@dataclass(frozen=True, eq=False)
class PixelEdit:
    """A rectangle of one layer before and after a change, in the layer's own coordinates. See `PixelEdit.between`."""

    name: str
    layer_id: int
    rect: Rect
    _before: _Packed = field(repr=False)
    _after: _Packed = field(repr=False)

    @classmethod
    def between(cls, name: str, layer_id: int, rect: Rect, before: np.ndarray, after: np.ndarray) -> PixelEdit | None:
        """The edit that turns `before` into `after`, both uint8 [rect.height, rect.width], cut to what differs.

        None if nothing does.
        """
        changed = before != after
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return None
        inner = Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return cls(
            name,
            layer_id,
            inner.shifted(rect.left, rect.top),
            _Packed.of(before[inner.slices]),
            _Packed.of(after[inner.slices]),
        )

    @property
    def nbytes(self) -> int:
        return len(self._before.data) + len(self._after.data)

    def undo(self, document: Document) -> Change:
        return self._write(document, self._before)

    def redo(self, document: Document) -> Change:
        return self._write(document, self._after)

    def _write(self, document: Document, pixels: _Packed) -> Change:
        entry = document.entry(self.layer_id)
        entry.sheet.edit(self.rect)[:] = pixels.pixels(self.rect)
        return Change(document.touched(self.layer_id, self.rect.shifted(entry.x, entry.y)), layers=True)


@dataclass(frozen=True, eq=False)
class StructureEdit:
    """Layers or classes before and after a change. Pixels are held by the sheets that both sides share."""

    name: str
    before: DocumentStructure
    after: DocumentStructure

    @property
    def nbytes(self) -> int:
        """The sheets that only one side has: what would be free if the edit were forgotten."""
        sides = [{id(e.sheet): e.sheet.nbytes for e in s.entries} for s in (self.before, self.after)]
        alone = sides[0].keys() ^ sides[1].keys()
        return sum({**sides[0], **sides[1]}[key] for key in alone)

    def undo(self, document: Document) -> Change:
        return take(document, self.before)

    def redo(self, document: Document) -> Change:
        return take(document, self.after)


def take(document: Document, structure: DocumentStructure) -> Change:
    """Gives the document another structure."""
    palette = document.palette != structure.palette
    layers = document.structure.entries != structure.entries
    rect = document.restructure(structure)
    return Change(rect, layers=layers, palette=palette)


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


class History:
    """The edits that can be undone and redone, bounded in number and in bytes; the oldest are forgotten first.

    The last `min_steps` stay whatever they weigh.
    """

    def __init__(self, max_steps: int = 1000, budget_bytes: int = 256 * 2**20, min_steps: int = 1) -> None:
        if not 1 <= min_steps <= max_steps:
            raise ValueError("a history needs at least one step, and no more kept than allowed")
        self._max_steps = max_steps
        self._min_steps = min_steps
        self._budget_bytes = budget_bytes
        self._done: deque[Edit] = deque()
        self._undone: list[Edit] = []
        self._nbytes = 0
        self._bottom = object()

    @property
    def undo_name(self) -> str | None:
        """What undo would take back, for people; None if there is nothing."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """What redo would make again, for people; None if there is nothing."""
        return self._undone[-1].name if self._undone else None

    @property
    def mark(self) -> object:
        """Tells one state of the document from another: the same object again after undo or redo back to it."""
        return self._done[-1] if self._done else self._bottom

    @property
    def num_steps(self) -> int:
        """How many edits can be undone."""
        return len(self._done)

    @property
    def nbytes(self) -> int:
        """What all edits take in memory."""
        return self._nbytes

    def push(self, edit: Edit) -> None:
        """Add an edit that has just been made; what was undone before can no longer be redone."""
        self._undone.clear()
        self._done.append(edit)
        # Counted anew: an edit that holds a deleted layer weighs what that layer weighs now.
        self._nbytes = sum(done.nbytes for done in self._done)
        while len(self._done) > self._max_steps or (
            self._nbytes > self._budget_bytes and len(self._done) > self._min_steps
        ):
            self._nbytes -= self._done.popleft().nbytes
            self._bottom = object()  # undoing everything leads to another state from now on

    def undo(self, document: Document) -> Change | None:
        """Take the last edit back. Returns what changed, None if there is nothing to undo."""
        if not self._done:
            return None
        change = self._done[-1].undo(document)
        self._undone.append(self._done.pop())
        return change

    def redo(self, document: Document) -> Change | None:
        """Make the last undone edit again. Returns what changed, None if there is nothing to redo."""
        if not self._undone:
            return None
        change = self._undone[-1].redo(document)
        self._done.append(self._undone.pop())
        return change
