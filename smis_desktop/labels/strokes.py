"""A stroke in progress: pointer positions in, painted pixels at once, one edit at the end."""

from __future__ import annotations

import numpy as np

from smis_desktop.labels.brush import Brush, Point
from smis_desktop.labels.document import Document
from smis_desktop.labels.history import Edit
from smis_desktop.labels.rect import Rect

_BLOCK = 64
"""The remembered rectangle grows in blocks, so that a long stroke does not copy it at every step."""


class Stroke:
    """One press–drag–release of a brush on a document. Erasing is painting 255 or the ground's class.

    `begin` once, `extend` any number of times, then `end` or `cancel`. While it lasts nobody else may change the
    document: its calls raise RuntimeError if somebody did, or if they come in another order.
    """

    def __init__(self, document: Document, brush: Brush, class_id: int) -> None:
        """class_id: one of the document's palette, or 255. Raises ValueError for any other, at `begin`."""
        self._document = document
        self._brush = brush
        self._class_id = class_id
        self._last: Point | None = None
        self._over = False
        self._revision = document.revision
        self._touched: Rect | None = None
        self._kept: tuple[Rect, np.ndarray] | None = None  # the pixels before the stroke, and where

    def begin(self, point: Point) -> Rect | None:
        """Set the brush down. Returns the rectangle in which pixels changed, None if none did."""
        if self._last is not None:
            raise RuntimeError("the stroke has begun already")
        return self._paint(point, point)

    def extend(self, point: Point) -> Rect | None:
        """Draw on to `point`, without a gap. Returns the rectangle in which pixels changed, None if none did."""
        if self._last is None:
            raise RuntimeError("the stroke has not begun")
        return self._paint(self._last, point)

    def end(self) -> Edit | None:
        """Lift the brush. Returns what the stroke did, for the history; None if it changed nothing."""
        self._check()
        self._over = True
        before = self._before()
        if before is None:
            return None
        rect, pixels = before
        return Edit.between(rect, pixels, self._document.label_map[rect.slices])

    def cancel(self) -> Rect | None:
        """Take back what the stroke painted. Returns the changed rectangle, None if it had changed nothing."""
        self._check()
        self._over = True
        before = self._before()
        if before is None:
            return None
        rect, pixels = before
        self._document.write(rect, pixels)
        return rect

    def _paint(self, start: Point, end: Point) -> Rect | None:
        self._check()
        covered = self._brush.segment(start, end, self._document.size)
        self._last = end
        if covered is None:
            return None
        rect, mask = covered
        self._keep(rect)
        changed = self._document.paint(rect, mask, self._class_id)
        self._revision = self._document.revision
        if changed is not None:
            self._touched = changed.united(self._touched)
        return changed

    def _check(self) -> None:
        if self._over:
            raise RuntimeError("the stroke is over")
        if self._document.revision != self._revision:
            raise RuntimeError("the document was changed by others during a stroke")

    def _keep(self, rect: Rect) -> None:
        """Remember the pixels of `rect` as they were before the stroke."""
        if self._kept is not None and self._kept[0].contains(rect):
            return
        wanted = rect.united(self._kept[0] if self._kept else None)
        size = self._document.size
        wanted = Rect(
            wanted.left // _BLOCK * _BLOCK,
            wanted.top // _BLOCK * _BLOCK,
            min(-(-wanted.right // _BLOCK) * _BLOCK, size),
            min(-(-wanted.bottom // _BLOCK) * _BLOCK, size),
        )
        # Outside the rectangle remembered so far the stroke has painted nothing yet.
        pixels = self._document.label_map[wanted.slices].copy()
        if self._kept is not None:
            old_rect, old_pixels = self._kept
            pixels[old_rect.shifted(-wanted.left, -wanted.top).slices] = old_pixels
        self._kept = wanted, pixels

    def _before(self) -> tuple[Rect, np.ndarray] | None:
        """The touched rectangle and its pixels before the stroke; None if nothing was touched."""
        if self._kept is None or self._touched is None:
            return None
        kept_rect, pixels = self._kept
        return self._touched, pixels[self._touched.shifted(-kept_rect.left, -kept_rect.top).slices]
