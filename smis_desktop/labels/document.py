"""What is being painted: a label map, its palette, and a count of its changes."""

from __future__ import annotations

import numpy as np

from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.palette import Palette
from smis_desktop.labels.rect import Rect

MIN_SIZE, MAX_SIZE, DEFAULT_SIZE = 64, 2048, 512


class Document:
    """One square label map, changed only through `paint` and `write`, which count the revision up.

    Values are ids of the palette, or others that a loaded layout brought along (they stay as they are), or 255 where
    nothing is said. For one thread; other threads get `snapshot()`.
    """

    def __init__(self, label_map: np.ndarray, palette: Palette) -> None:
        """label_map: uint8 [size, size], 64 ≤ size ≤ 2048; copied. Raises ValueError for any other."""
        if label_map.dtype != np.uint8 or label_map.ndim != 2 or label_map.shape[0] != label_map.shape[1]:
            raise ValueError(f"a document needs uint8 [size, size], not {label_map.dtype} {list(label_map.shape)}")
        if not MIN_SIZE <= label_map.shape[0] <= MAX_SIZE:
            raise ValueError(f"a document is {MIN_SIZE} to {MAX_SIZE} pixels wide, not {label_map.shape[0]}")
        self.palette = palette
        self._pixels = label_map.copy()
        self._revision = 0
        self._snapshot: np.ndarray | None = None

    @classmethod
    def blank(cls, palette: Palette, size: int = DEFAULT_SIZE, class_id: int = EMPTY) -> Document:
        """A document filled with one class, or with nothing said (255)."""
        return cls(np.full((size, size), class_id, np.uint8), palette)

    @property
    def size(self) -> int:
        """Width and height in pixels."""
        return int(self._pixels.shape[0])

    @property
    def revision(self) -> int:
        """0 at first, higher after every change, undo and redo included; never lower."""
        return self._revision

    @property
    def label_map(self) -> np.ndarray:
        """uint8 [size, size], the live pixels to look at: a read-only view that follows every change."""
        view = self._pixels.view()
        view.flags.writeable = False
        return view

    def snapshot(self) -> np.ndarray:
        """uint8 [size, size], read-only: the label map of this revision, for good. Free between two changes."""
        if self._snapshot is None:
            self._snapshot = self._pixels.copy()
            self._snapshot.flags.writeable = False
        return self._snapshot

    def paint(self, rect: Rect, mask: np.ndarray, class_id: int) -> Rect | None:
        """Set the pixels of bool `mask` [rect.height, rect.width] to `class_id`, of the palette or 255.

        Returns `rect`, or None if they all were of that class already (the revision then stays).
        Raises ValueError for a class that the palette lacks and for a rectangle that reaches outside.
        """
        if class_id != EMPTY and class_id not in self.palette.class_ids:
            raise ValueError(f"the palette has no class {class_id}")
        region = self._region(rect, mask)
        if not (mask & (region != class_id)).any():
            return None
        region[mask] = class_id
        self._changed()
        return rect

    def write(self, rect: Rect, pixels: np.ndarray) -> None:
        """Replace the rectangle by uint8 `pixels` [rect.height, rect.width] (undo, paste); always a new revision."""
        if pixels.dtype != np.uint8:
            raise ValueError(f"class ids are uint8, not {pixels.dtype}")
        self._region(rect, pixels)[:] = pixels
        self._changed()

    def _region(self, rect: Rect, like: np.ndarray) -> np.ndarray:
        if not Rect(0, 0, self.size, self.size).contains(rect):
            raise ValueError(f"{rect} reaches outside a document of {self.size} pixels")
        if like.shape != (rect.height, rect.width):
            raise ValueError(f"{list(like.shape)} pixels do not fill {rect}")
        return self._pixels[rect.slices]

    def _changed(self) -> None:
        self._revision += 1
        self._snapshot = None
