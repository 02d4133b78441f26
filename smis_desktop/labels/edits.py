"""Edits: changes of a document that can be taken back and made again, bit for bit."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from smis_desktop.labels.document import Document, Structure
from smis_desktop.labels.rect import Rect


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
    before: Structure
    after: Structure

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


def take(document: Document, structure: Structure) -> Change:
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
