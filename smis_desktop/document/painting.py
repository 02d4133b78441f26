"""One class being painted on one layer: by masks, mirrored or not, around what is preserved."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from smis_desktop.document.document import Document, Entry
from smis_desktop.document.geometry import MirrorAxis, Rect
from smis_desktop.document.history import Change, PixelEdit
from smis_desktop.document.palette import EMPTY


class ClassPainter:
    """Keeps the layer's pixels as they were before, so that all of it is one step, or none."""

    def __init__(
        self, document: Document, entry: Entry, class_id: int, mirror: MirrorAxis | None, preserved: frozenset[int]
    ) -> None:
        """mirror: everything is painted on its other side too. preserved: classes that are not painted over while they
        show; 255: nothing is painted where nothing shows."""
        self._document, self._entry, self._class_id = document, entry, class_id
        self._mirror, self._preserved = mirror, preserved - {class_id}
        self._before = entry.sheet.read(document.rect.shifted(-entry.x, -entry.y))
        self._touched: Rect | None = None

    def apply(self, masks: Iterable[tuple[Rect, np.ndarray]]) -> Change | None:
        """Paint masks within the document, mirrored ones with them. Returns what changed."""
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
        """All of it as one step; None if nothing changed."""
        if self._touched is None:
            return None
        rect = self._touched.shifted(-self._entry.x, -self._entry.y)
        before = self._before[self._touched.slices]
        return PixelEdit.between(name, self._entry.layer_id, rect, before, self._entry.sheet.read(rect))

    def take_back(self) -> Change | None:
        """Put all touched pixels back."""
        if self._touched is None:
            return None
        rect = self._touched.shifted(-self._entry.x, -self._entry.y)
        self._entry.sheet.edit(rect)[:] = self._before[self._touched.slices]
        return Change(self._document.touched(self._entry.layer_id, self._touched), layers=True)

    def _paint(self, rect: Rect, mask: np.ndarray) -> bool:
        allowed = mask
        preserved = self._preserved
        if preserved:
            shown = self._document.label_map[rect.slices]
            allowed = mask & ~np.isin(shown, list(preserved))
        own = rect.shifted(-self._entry.x, -self._entry.y)
        pixels = self._entry.sheet.edit(own)
        if preserved - {EMPTY}:  # what lies under another layer is kept as well
            allowed = allowed & ~np.isin(pixels, list(preserved - {EMPTY}))
        allowed = allowed & (pixels != self._class_id)
        if not allowed.any():
            return False
        pixels[allowed] = self._class_id
        return True
