"""Undo and redo: the edits, the painter that makes them, and the two stacks. Edits can be reverted bit for bit."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from smis_desktop.document.brush import MirrorAxis
from smis_desktop.document.document import Document, DocumentStructure, Entry
from smis_desktop.document.layers import Rect
from smis_desktop.document.palette import EMPTY


@dataclass(frozen=True)
class Change:
    """What an operation changed, for views of the document.

    rect: the pixels of the composite that changed, None if none. layers: whether the list of layers, their properties
    or thumbnails changed. palette: whether the classes changed. picture: whether the picture is another although the
    layout is the same.
    """

    rect: Rect | None = None
    layers: bool = False
    palette: bool = False
    picture: bool = False


class Edit(Protocol):
    """One step of the history."""

    @property
    def name(self) -> str:
        """The name of the step, for people: `Brush stroke`."""
        ...

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        ...

    def undo(self, document: Document) -> Change: ...
    def redo(self, document: Document) -> Change: ...


@dataclass(frozen=True, eq=False)
class PixelEdit:
    """A rectangle of one layer before and after a change, in the layer's coordinates. Made by `PixelEdit.between`."""

    name: str
    layer_id: int
    rect: Rect
    _before: _Packed = field(repr=False)
    _after: _Packed = field(repr=False)

    @classmethod
    def between(cls, name: str, layer_id: int, rect: Rect, before: np.ndarray, after: np.ndarray) -> PixelEdit | None:
        """Make the edit that turns `before` into `after`, both uint8 [rect.height, rect.width].

        It keeps the smallest rectangle that holds all differences; None if there are none.
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
        entry.buffer.edit(self.rect)[:] = pixels.pixels(self.rect)
        return Change(document.touched(self.layer_id, self.rect.shifted(entry.x, entry.y)), layers=True)


@dataclass(frozen=True, eq=False)
class StructureEdit:
    """Layers or classes before and after a change; both sides share the pixel buffers."""

    name: str
    before: DocumentStructure
    after: DocumentStructure

    @property
    def nbytes(self) -> int:
        """The size of the buffers that only one side has: what dropping the edit would free."""
        sides = [{id(e.buffer): e.buffer.nbytes for e in s.entries} for s in (self.before, self.after)]
        alone = sides[0].keys() ^ sides[1].keys()
        return sum({**sides[0], **sides[1]}[key] for key in alone)

    def undo(self, document: Document) -> Change:
        return take(document, self.before)

    def redo(self, document: Document) -> Change:
        return take(document, self.after)


@dataclass(frozen=True, eq=False)
class PictureEdit:
    """A step after which the same layout has another picture. What the pictures are made of is kept by their owner,
    under the history's mark."""

    name: str
    nbytes: int = 0

    def undo(self, document: Document) -> Change:
        return Change(picture=True)

    def redo(self, document: Document) -> Change:
        return Change(picture=True)


def take(document: Document, structure: DocumentStructure) -> Change:
    """Replace the document's structure. Returns what changed."""
    palette = document.palette != structure.palette
    layers = document.structure.entries != structure.entries
    rect = document.restructure(structure)
    return Change(rect, layers=layers, palette=palette)


@dataclass(frozen=True)
class _Packed:
    """Pixels as bytes, compressed where that makes them smaller (label maps: nearly always, a hundredfold)."""

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


class ClassPainter:
    """Paints one class on one layer by masks, and keeps the pixels from before, so that everything becomes one step."""

    def __init__(
        self, document: Document, entry: Entry, class_id: int, mirror: MirrorAxis | None, preserved: frozenset[int]
    ) -> None:
        """mirror and preserved: as in `DocumentEditor`."""
        self._document, self._entry, self._class_id = document, entry, class_id
        self._mirror, self._preserved = mirror, preserved - {class_id}
        self._before = entry.buffer.read(document.rect.shifted(-entry.x, -entry.y))
        self._touched: Rect | None = None

    def apply(self, masks: Iterable[tuple[Rect, np.ndarray]]) -> Change | None:
        """Paint masks and their mirror images. Returns what changed."""
        document, mirror = self._document, self._mirror
        changed: Rect | None = None
        for rect, mask in masks:
            images = [(rect, mask)]
            reflected = None if mirror is None else mirror.reflected(rect, mask, document.size)
            if reflected is not None:
                images.append(reflected)
            for image_rect, image in images:
                if self._paint(image_rect, image):
                    changed = image_rect.united(changed)
        if changed is None:
            return None
        self._touched = changed.united(self._touched)
        return Change(document.touched(self._entry.layer_id, changed))

    def edit(self, name: str) -> PixelEdit | None:
        """Return everything painted as one step; None if nothing changed."""
        if self._touched is None:
            return None
        rect = self._touched.shifted(-self._entry.x, -self._entry.y)
        before = self._before[self._touched.slices]
        return PixelEdit.between(name, self._entry.layer_id, rect, before, self._entry.buffer.read(rect))

    def restore(self) -> Change | None:
        """Restore all touched pixels."""
        if self._touched is None:
            return None
        rect = self._touched.shifted(-self._entry.x, -self._entry.y)
        self._entry.buffer.edit(rect)[:] = self._before[self._touched.slices]
        return Change(self._document.touched(self._entry.layer_id, self._touched), layers=True)

    def _paint(self, rect: Rect, mask: np.ndarray) -> bool:
        allowed = mask
        preserved = self._preserved
        if preserved:
            shown = self._document.label_map[rect.slices]
            allowed = mask & ~np.isin(shown, list(preserved))
        own = rect.shifted(-self._entry.x, -self._entry.y)
        pixels = self._entry.buffer.edit(own)
        if preserved - {EMPTY}:  # what lies under another layer is kept as well
            allowed = allowed & ~np.isin(pixels, list(preserved - {EMPTY}))
        allowed = allowed & (pixels != self._class_id)
        if not allowed.any():
            return False
        pixels[allowed] = self._class_id
        return True


class Mark:
    """The mark of a state that no edit led to."""


class History:
    """The edits that can be undone and redone, limited in number and in bytes; the oldest are dropped first.

    The last `min_steps` are kept whatever their size.
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
        self._bottom = Mark()

    @property
    def undo_name(self) -> str | None:
        """The name of the step that `undo` reverts; None if there is none."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """The name of the step that `redo` repeats; None if there is none."""
        return self._undone[-1].name if self._undone else None

    @property
    def mark(self) -> object:
        """A mark of the document's state: the same object again after undo or redo back to that state."""
        return self._done[-1] if self._done else self._bottom

    def push(self, edit: Edit) -> None:
        """Add an edit that has just been made, and drop the undone ones."""
        self._undone.clear()
        self._done.append(edit)
        # Counted again: the buffer of a deleted layer may have grown.
        self._nbytes = sum(done.nbytes for done in self._done)
        while len(self._done) > self._max_steps or (
            self._nbytes > self._budget_bytes and len(self._done) > self._min_steps
        ):
            self._nbytes -= self._done.popleft().nbytes
            self._bottom = Mark()  # undoing everything leads to another state from now on

    def undo(self, document: Document) -> Change | None:
        """Undo the last edit. Returns what changed, None if there is nothing to undo."""
        if not self._done:
            return None
        change = self._done[-1].undo(document)
        self._undone.append(self._done.pop())
        return change

    def redo(self, document: Document) -> Change | None:
        """Redo the last undone edit. Returns what changed, None if there is nothing to redo."""
        if not self._undone:
            return None
        change = self._undone[-1].redo(document)
        self._done.append(self._undone.pop())
        return change
