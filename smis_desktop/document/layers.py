"""Layers: rectangles of pixels, immutable layers, and the growing buffers that are painted on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from smis_desktop.document.palette import EMPTY


@dataclass(frozen=True)
class Rect:
    """The pixels left ≤ x < right, top ≤ y < bottom; never empty."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError(f"empty rectangle {self.left}, {self.top} – {self.right}, {self.bottom}")

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of these pixels in an array [H, W, …]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def united(self, other: Rect | None) -> Rect:
        """Return the smallest rectangle that holds both."""
        if other is None:
            return self
        return Rect(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def common(self, other: Rect) -> Rect | None:
        """Return the intersection; None if it is empty."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(left, top, right, bottom) if left < right and top < bottom else None

    def contains(self, other: Rect) -> bool:
        """Return whether `other` lies wholly inside."""
        return self.united(other) == self

    def shifted(self, x: int, y: int) -> Rect:
        """Return the rectangle moved by x to the right and y down."""
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)


def united(rects: Iterable[Rect | None]) -> Rect | None:
    """Return the smallest rectangle that holds all given ones; None if there are none."""
    whole: Rect | None = None
    for rect in rects:
        if rect is not None:
            whole = rect.united(whole)
    return whole


@dataclass(frozen=True, eq=False)
class Layer:
    """Class ids on a transparent ground.

    layer_id: unique within a document, never used again there, kept in files. left, top: document position of
    `pixels[0, 0]`; the layer may reach outside the document. pixels: uint8 [h, w], read-only; class ids, 255 = empty.
    Documents trim them; an empty layer has 0 × 0 at (0, 0).
    """

    layer_id: int
    name: str
    visible: bool = True
    locked: bool = False
    left: int = 0
    top: int = 0
    pixels: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.uint8), repr=False)

    def __post_init__(self) -> None:
        if self.layer_id < 0:
            raise ValueError(f"layer ids count from 0, not {self.layer_id}")
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 2:
            raise ValueError(f"a layer needs uint8 [h, w], not {self.pixels.dtype} {list(self.pixels.shape)}")
        if self.pixels.flags.writeable:
            pixels = self.pixels.copy()
            pixels.flags.writeable = False
            object.__setattr__(self, "pixels", pixels)

    @property
    def rect(self) -> Rect | None:
        """The rectangle of its pixels in the document; None for an empty layer."""
        height, width = self.pixels.shape
        return Rect(self.left, self.top, self.left + width, self.top + height) if height and width else None

    def trimmed(self) -> Layer:
        """Return the layer without empty margins: the one form in which equal layers are equal."""
        inner = filled_rect(self.pixels)
        if inner is None:
            pixels, left, top = np.empty((0, 0), np.uint8), 0, 0
        else:
            pixels, left, top = self.pixels[inner.slices].copy(), self.left + inner.left, self.top + inner.top
        pixels.flags.writeable = False
        return Layer(self.layer_id, self.name, self.visible, self.locked, left, top, pixels)

    def equals(self, other: Layer) -> bool:
        """Return whether both layers have the same properties and the same visible pixels."""
        a, b = self.trimmed(), other.trimmed()
        return (a.layer_id, a.name, a.visible, a.locked, a.left, a.top) == (
            b.layer_id, b.name, b.visible, b.locked, b.left, b.top,
        ) and np.array_equal(a.pixels, b.pixels)  # fmt: skip


def filled_rect(pixels: np.ndarray) -> Rect | None:
    """Return the smallest rectangle of uint8 `pixels` [h, w] that holds all pixels with a class; None if there are
    none.
    """
    if pixels.size == 0:
        return None
    filled = pixels != EMPTY
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not len(rows):
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def layer_thumbnail(layer: Layer, size: int, side: int, color_table: np.ndarray) -> np.ndarray:
    """Draw a layer as a small picture of the whole document: uint8 [side, side, 4] RGBA, transparent where empty.

    size: the document's side in pixels; color_table: uint8 [256, 3]. It takes the nearest pixels: cheap enough for
    every stroke.
    """
    picture = np.zeros((side, side, 4), np.uint8)
    height, width = layer.pixels.shape
    at = ((np.arange(side) + 0.5) * size / side).astype(np.int64)
    rows, columns = at - layer.top, at - layer.left
    inside_rows, inside_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    if inside_rows.any() and inside_columns.any():
        ids = layer.pixels[np.ix_(rows[inside_rows], columns[inside_columns])]
        block = np.dstack((color_table[ids], np.where(ids == EMPTY, 0, 255).astype(np.uint8)))
        picture[np.ix_(inside_rows, inside_columns)] = block
    return picture


class LayerBuffer:
    """Class ids around a layer's origin, 255 where empty; unbounded, and stored only where something is.

    Buffers are distinguished by identity, not content: the history holds them, and undo puts a deleted layer's buffer
    back.
    """

    def __init__(self, pixels: np.ndarray | None = None, left: int = 0, top: int = 0) -> None:
        """pixels: uint8 [h, w], copied; the first one lies at (left, top) of the layer."""
        self._pixels = np.empty((0, 0), np.uint8) if pixels is None else np.array(pixels, np.uint8)
        self._left, self._top = left, top
        self._version = 0

    @property
    def version(self) -> int:
        """A number that grows with every call of `edit`."""
        return self._version

    @property
    def rect(self) -> Rect | None:
        """The stored rectangle, in layer coordinates; None when nothing is stored. Everything outside is empty."""
        height, width = self._pixels.shape
        if not height or not width:
            return None
        return Rect(self._left, self._top, self._left + width, self._top + height)

    @property
    def nbytes(self) -> int:
        """Its size in memory."""
        return self._pixels.nbytes

    def read(self, rect: Rect) -> np.ndarray:
        """Return a copy of those pixels, uint8 [rect.height, rect.width], whether they are stored or not."""
        pixels = np.full((rect.height, rect.width), EMPTY, np.uint8)
        common = None if self.rect is None else rect.common(self.rect)
        if common is not None:
            pixels[common.shifted(-rect.left, -rect.top).slices] = self._stored(common)
        return pixels

    def view(self, rect: Rect) -> np.ndarray | None:
        """Return the live pixels of the stored part of `rect`, uint8, read-only; None if nothing is stored there."""
        common = None if self.rect is None else rect.common(self.rect)
        if common is None:
            return None
        view = self._stored(common)
        view.flags.writeable = False
        return view

    def edit(self, rect: Rect) -> np.ndarray:
        """Return the live pixels of `rect`, uint8 [rect.height, rect.width], to write to; storage grows as needed."""
        self._version += 1
        mine = self.rect
        if mine is None or not mine.contains(rect):
            whole = rect.united(mine)
            self._pixels = self.read(whole)
            self._left, self._top = whole.left, whole.top
        return self._stored(rect)

    def _stored(self, rect: Rect) -> np.ndarray:
        view: np.ndarray = self._pixels[rect.shifted(-self._left, -self._top).slices].view()
        return view
