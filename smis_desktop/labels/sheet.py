"""The living pixels of one layer: a buffer that grows as it is painted on, in the layer's own coordinates."""

from __future__ import annotations

import numpy as np

from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.rect import Rect


class Sheet:
    """Class ids around a layer's origin, 255 where empty; endless in principle, stored where something is.

    Its identity matters, not its content: history holds sheets, and a deleted layer's sheet is what undo puts back.
    """

    def __init__(self, pixels: np.ndarray | None = None, left: int = 0, top: int = 0) -> None:
        """pixels: uint8 [h, w], copied; their first lies at (left, top) of the layer."""
        self._pixels = np.empty((0, 0), np.uint8) if pixels is None else np.array(pixels, np.uint8)
        self._left, self._top = left, top
        self._version = 0

    @property
    def version(self) -> int:
        """Higher after every call of `edit`."""
        return self._version

    @property
    def rect(self) -> Rect | None:
        """What is stored, in layer coordinates; outside, all is empty. None when nothing is."""
        height, width = self._pixels.shape
        if not height or not width:
            return None
        return Rect(self._left, self._top, self._left + width, self._top + height)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self._pixels.nbytes

    def read(self, rect: Rect) -> np.ndarray:
        """uint8 [rect.height, rect.width]: a copy of those pixels, stored or not."""
        pixels = np.full((rect.height, rect.width), EMPTY, np.uint8)
        common = None if self.rect is None else rect.common(self.rect)
        if common is not None:
            pixels[common.shifted(-rect.left, -rect.top).slices] = self._stored(common)
        return pixels

    def view(self, rect: Rect) -> np.ndarray | None:
        """The live pixels of the stored part of `rect`, uint8, read-only; None if nothing is stored there."""
        common = None if self.rect is None else rect.common(self.rect)
        if common is None:
            return None
        view = self._stored(common)
        view.flags.writeable = False
        return view

    def edit(self, rect: Rect) -> np.ndarray:
        """The live pixels of `rect`, uint8 [rect.height, rect.width], to write to; stores more if it must."""
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
