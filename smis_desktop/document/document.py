"""The document: layers of class ids, the palette, and the composite that people see and networks get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from smis_desktop.document.layers import Layer, LayerBuffer, Rect, united
from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.errors import UserError

MIN_SIZE, MAX_SIZE, DEFAULT_SIZE = 64, 2048, 512


def paintable_size(label_map: np.ndarray) -> np.ndarray:
    """Scale a layout, uint8 [H, H] of any size, to between 64² and 2048² pixels; ids are never blended."""
    side = label_map.shape[0]
    if side < MIN_SIZE:
        times = -(-MIN_SIZE // side)
        return np.repeat(np.repeat(label_map, times, axis=0), times, axis=1)
    return reduce_label_map(label_map, MAX_SIZE) if side > MAX_SIZE else label_map


@dataclass(frozen=True, eq=False)
class DocumentState:
    """A whole document as an immutable value: for files, autosave and kept pictures. Layers are ordered from bottom to
    top."""

    size: int
    palette: Palette
    layers: tuple[Layer, ...]
    active_id: int

    def equals(self, other: DocumentState) -> bool:
        """Return whether both are the same document, pixel by pixel."""
        return (
            (self.size, self.palette, self.active_id) == (other.size, other.palette, other.active_id)
            and len(self.layers) == len(other.layers)
            and all(a.equals(b) for a, b in zip(self.layers, other.layers, strict=True))
        )

    def label_map(self) -> np.ndarray:
        """Return the composite, uint8 [size, size], 255 where no visible layer has a class."""
        return Document.from_state(self).label_map.copy()


@dataclass(frozen=True, eq=False)
class Entry:
    """A layer's place in the stack. x, y: document position of the buffer's origin."""

    layer_id: int
    name: str
    buffer: LayerBuffer
    visible: bool = True
    locked: bool = False
    x: int = 0
    y: int = 0

    def document_rect(self) -> Rect | None:
        """Return the rectangle of its stored pixels in the document; None if none are stored."""
        rect = self.buffer.rect
        return None if rect is None else rect.shifted(self.x, self.y)


@dataclass(frozen=True, eq=False)
class DocumentStructure:
    """A document without its pixels: what edits of layers and classes change."""

    entries: tuple[Entry, ...]
    active_id: int
    palette: Palette

    def index(self, layer_id: int) -> int:
        """Return the position of a layer, 0 at the bottom. Raises KeyError when there is none of that id."""
        for i, entry in enumerate(self.entries):
            if entry.layer_id == layer_id:
                return i
        raise KeyError(layer_id)


class Document:
    """Layers over an empty ground; the topmost visible pixel with a class shows.

    Pixels are ids of the palette, other ids that a loaded layout brought along (they stay as they are), or 255 where
    there is no class. A document belongs to one thread; other threads get `snapshot()` or `state()`. Its history is
    kept by its `DocumentEditor`.
    """

    def __init__(self, size: int, palette: Palette, layers: Sequence[Layer] = (), active_id: int | None = None) -> None:
        """layers: from bottom to top; none means one empty "Layer 1". active_id: the topmost unless given.

        Raises ValueError for a size outside 64–2048, layer ids that are there twice, and an active one that is not.
        """
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ValueError(f"a document is {MIN_SIZE} to {MAX_SIZE} pixels wide, not {size}")
        given = tuple(layers) or (Layer(1, "Layer 1"),)
        ids = [layer.layer_id for layer in given]
        if len(set(ids)) != len(ids):
            raise ValueError("two layers have the same id")
        if active_id is None:
            active_id = ids[-1]
        if active_id not in ids:
            raise ValueError(f"there is no layer {active_id} to be the active one")
        self._size = size
        self._structure = DocumentStructure(tuple(_entry(layer) for layer in given), active_id, palette)
        self._next_id = max(ids) + 1
        self._composite = np.full((size, size), EMPTY, np.uint8)
        self._revision = 0
        self._snapshot: np.ndarray | None = None
        self._pictures: dict[int, tuple[Entry, int, Layer]] = {}
        self._compose(self.rect)

    @classmethod
    def blank(cls, palette: Palette, size: int = DEFAULT_SIZE) -> Document:
        """Make a document with one empty layer."""
        return cls(size, palette)

    @classmethod
    def of_label_map(cls, label_map: np.ndarray, palette: Palette, name: str = "Layer 1") -> Document:
        """Make a document with one layer that holds a label map, uint8 [size, size].

        Raises ValueError for any other.
        """
        if label_map.dtype != np.uint8 or label_map.ndim != 2 or label_map.shape[0] != label_map.shape[1]:
            raise ValueError(f"a document needs uint8 [size, size], not {label_map.dtype} {list(label_map.shape)}")
        return cls(label_map.shape[0], palette, (Layer(1, name, pixels=label_map),))

    @classmethod
    def from_state(cls, state: DocumentState) -> Document:
        """Make the document that a state describes."""
        return cls(state.size, state.palette, state.layers, state.active_id)

    @property
    def size(self) -> int:
        """Width and height in pixels."""
        return self._size

    @property
    def rect(self) -> Rect:
        """The rectangle of the whole document."""
        return Rect(0, 0, self._size, self._size)

    @property
    def palette(self) -> Palette:
        return self._structure.palette

    @property
    def revision(self) -> int:
        """0 at first; grows with every change, undo and redo included."""
        return self._revision

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, from bottom to top. Layers that have not changed are the same objects as before."""
        return tuple(self._picture(entry) for entry in self._structure.entries)

    @property
    def active_id(self) -> int:
        """The layer that is painted on."""
        return self._structure.active_id

    @active_id.setter
    def active_id(self, layer_id: int) -> None:
        self._structure.index(layer_id)
        self._structure = replace(self._structure, active_id=layer_id)

    def layer(self, layer_id: int) -> Layer:
        """Return a layer. Raises KeyError when there is none of that id."""
        return self._picture(self.entry(layer_id))

    @property
    def label_map(self) -> np.ndarray:
        """The live composite, uint8 [size, size]: a read-only view that follows every change."""
        view = self._composite.view()
        view.flags.writeable = False
        return view

    def snapshot(self) -> np.ndarray:
        """Return the composite of this revision, uint8 [size, size], read-only. It is copied once per revision."""
        if self._snapshot is None:
            self._snapshot = self._composite.copy()
            self._snapshot.flags.writeable = False
        return self._snapshot

    def state(self) -> DocumentState:
        """Return the whole document as an immutable value, for other threads and for files."""
        return DocumentState(self._size, self.palette, self.layers, self.active_id)

    # Changes by edits

    @property
    def structure(self) -> DocumentStructure:
        """The order and properties of the layers, and the palette."""
        return self._structure

    def restructure(self, structure: DocumentStructure) -> Rect | None:
        """Replace the structure. Returns the rectangle in which the composite may have changed; None if nowhere."""
        before = self._structure
        self._structure = structure
        self._next_id = max([self._next_id, *(e.layer_id + 1 for e in structure.entries)])
        dirty = self._difference(before, structure)
        if dirty is not None:
            self._compose(dirty)
        self._changed()
        return dirty

    def new_layer_id(self) -> int:
        """Return an id that no layer of this document has had."""
        self._next_id += 1
        return self._next_id - 1

    def entry(self, layer_id: int) -> Entry:
        """Return the entry of a layer. Raises KeyError when there is none of that id."""
        return self._structure.entries[self._structure.index(layer_id)]

    def touched(self, layer_id: int, rect: Rect) -> Rect | None:
        """Update the composite and the revision after pixels of a buffer were written in `rect` (document coordinates).

        Returns the part of `rect` that lies in the document.
        """
        entry = self.entry(layer_id)
        inside = rect.common(self.rect)
        if inside is not None and entry.visible:
            self._compose(inside)
        self._changed()
        return inside

    def _changed(self) -> None:
        self._revision += 1
        self._snapshot = None

    def _compose(self, rect: Rect) -> None:
        target = self._composite[rect.slices]
        target.fill(EMPTY)
        for entry in self._structure.entries:
            stored = entry.document_rect()
            common = stored.common(rect) if stored is not None and entry.visible else None
            if common is None:
                continue
            pixels = entry.buffer.view(common.shifted(-entry.x, -entry.y))
            assert pixels is not None
            part = target[common.shifted(-rect.left, -rect.top).slices]
            np.copyto(part, pixels, where=pixels != EMPTY)

    def _difference(self, before: DocumentStructure, after: DocumentStructure) -> Rect | None:
        """Return the rectangle in which the composites of two structures can differ."""
        shown_before, shown_after = ([_looks(e) for e in s.entries if e.visible] for s in (before, after))
        if shown_before == shown_after:
            return None
        same = 0  # layers below the first difference play no part
        while same < min(len(shown_before), len(shown_after)) and shown_before[same] == shown_after[same]:
            same += 1
        kept = set(shown_before[same:]) & set(shown_after[same:])
        moved_order = [k for k in shown_before[same:] if k in kept] != [k for k in shown_after[same:] if k in kept]
        rects = [
            e.document_rect()
            for s in (before, after)
            for e in s.entries
            if e.visible and (moved_order or _looks(e) not in kept)
        ]
        whole = united(rects)
        return None if whole is None else whole.common(self.rect)

    def _picture(self, entry: Entry) -> Layer:
        known = self._pictures.get(entry.layer_id)
        if known is not None and known[0] is entry and known[1] == entry.buffer.version:
            return known[2]
        rect = entry.buffer.rect
        pixels = np.empty((0, 0), np.uint8) if rect is None else entry.buffer.read(rect)
        pixels.flags.writeable = False
        left, top = (0, 0) if rect is None else (rect.left + entry.x, rect.top + entry.y)
        layer = Layer(entry.layer_id, entry.name, entry.visible, entry.locked, left, top, pixels).trimmed()
        self._pictures[entry.layer_id] = entry, entry.buffer.version, layer
        return layer


def _entry(layer: Layer) -> Entry:
    buffer = LayerBuffer(layer.pixels, layer.left, layer.top)
    return Entry(layer.layer_id, layer.name, buffer, layer.visible, layer.locked)


def _looks(entry: Entry) -> tuple[int, int, int]:
    """Return what determines how a visible layer looks: its buffer, and its position."""
    return id(entry.buffer), entry.x, entry.y


class LayerNotPaintable(UserError):
    """Raised when the layer cannot be changed: it is locked, or hidden."""


def require_unlocked(entry: Entry, verb: str) -> None:
    """Raise LayerNotPaintable when the layer is locked. verb: completes "unlock it to … it" in the message."""
    if entry.locked:
        raise LayerNotPaintable(f"The layer “{entry.name}” is locked; unlock it to {verb} it.")
