"""One layer of a document, as an immutable picture of it that may travel between threads and into files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.rect import Rect


@dataclass(frozen=True, eq=False)
class Layer:
    """Class ids on a transparent ground.

    layer_id: unique within a document, never used again there, kept in files.
    left, top: document position of `pixels[0, 0]`; the layer may reach outside the document.
    pixels: uint8 [h, w], read-only; class ids, 255 = empty. Documents cut them to what is not empty; an empty layer has
    0 × 0 at (0, 0).
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
        """Where its pixels lie in the document; None for an empty layer."""
        height, width = self.pixels.shape
        return Rect(self.left, self.top, self.left + width, self.top + height) if height and width else None

    def trimmed(self) -> Layer:
        """The same layer cut to what is not empty, the one form in which equal layers are equal."""
        inner = filled_rect(self.pixels)
        if inner is None:
            pixels, left, top = np.empty((0, 0), np.uint8), 0, 0
        else:
            pixels, left, top = self.pixels[inner.slices].copy(), self.left + inner.left, self.top + inner.top
        pixels.flags.writeable = False
        return Layer(self.layer_id, self.name, self.visible, self.locked, left, top, pixels)

    def equals(self, other: Layer) -> bool:
        """Whether both are the same layer with the same properties and the same visible pixels."""
        a, b = self.trimmed(), other.trimmed()
        return (a.layer_id, a.name, a.visible, a.locked, a.left, a.top) == (
            b.layer_id, b.name, b.visible, b.locked, b.left, b.top,
        ) and np.array_equal(a.pixels, b.pixels)  # fmt: skip


def filled_rect(pixels: np.ndarray) -> Rect | None:
    """The smallest rectangle of uint8 `pixels` [h, w] that holds all that is not empty; None if all is."""
    if pixels.size == 0:
        return None
    filled = pixels != EMPTY
    rows, columns = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
    if not len(rows):
        return None
    return Rect(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def layer_thumbnail(layer: Layer, size: int, side: int, color_table: np.ndarray) -> np.ndarray:
    """The layer as a small picture of the whole document: uint8 [side, side, 4] RGBA, empty where it is empty.

    size: the document's side in pixels; color_table: uint8 [256, 3]. Nearest pixels: cheap enough for every stroke.
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
