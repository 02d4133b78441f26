"""The document as the canvas shows it: class colours, patterns for those who tell colours badly, and an underlay."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPixmap

from smis_desktop.document.document import Document
from smis_desktop.document.geometry import Rect
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.widgets.qimage import argb_table, transparent_argb_to_qimage

UnderlayMode = Literal["off", "under", "over"]

_PATTERN_SIDE = 12
_PATTERN_STRENGTH = 0.38
_CHECK_SIDE = 10


class CanvasPicture:
    """An image of the composite that is kept up to date rectangle by rectangle, and drawn with what lies around it."""

    def __init__(self) -> None:
        self.size = 0
        self.image = QImage()
        self.shows_patterns = False
        self.underlay: QImage | None = None
        self.underlay_mode: UnderlayMode = "off"
        self.underlay_opacity = 0.5
        """Of whatever lies on top: the layout over its underlay, or the picture over the layout."""
        self.heat_map: QImage | None = None
        self._colors = np.zeros(256, np.uint32)
        self._pattern_of = np.zeros(256, np.uint8)

    def follow(self, document: Document) -> None:
        """Another document, or other classes."""
        self._colors = argb_table(document.palette.color_table)
        self._colors[EMPTY] = 0
        self._pattern_of = np.zeros(256, np.uint8)
        for channel, class_id in enumerate(document.palette.class_ids):
            self._pattern_of[class_id] = channel % len(_PATTERNS)
        if document.size != self.image.width():
            self.image = QImage(document.size, document.size, QImage.Format.Format_ARGB32_Premultiplied)
        self.size = document.size
        self.update(document, document.rect)

    def update(self, document: Document, rect: Rect) -> None:
        """Look the rectangle's colours up anew."""
        ids = document.label_map[rect.slices]
        argb = self._colors[ids]
        if self.shows_patterns:
            argb = self._hatched(argb, ids, rect)
        painter = QPainter(self.image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.left, rect.top, transparent_argb_to_qimage(argb))
        painter.end()

    def draw(self, painter: QPainter) -> None:
        """All of it, in document coordinates."""
        place = QRectF(0, 0, self.size, self.size)
        shown = self.underlay_mode if self.underlay is not None else "off"
        self._draw_ground(painter, place)
        if shown == "under" and self.underlay is not None:
            painter.drawImage(place, self.underlay)
            painter.setOpacity(self.underlay_opacity)
        painter.drawImage(place, self.image)
        painter.setOpacity(1.0)
        if shown == "over" and self.underlay is not None:
            painter.setOpacity(self.underlay_opacity)
            painter.drawImage(place, self.underlay)
            painter.setOpacity(1.0)
        if self.heat_map is not None:
            painter.drawImage(place, self.heat_map)

    def _draw_ground(self, painter: QPainter, place: QRectF) -> None:
        """A quiet check where nothing is painted, of the same size on the screen at every zoom."""
        scale = painter.transform().determinant()
        brush = QBrush(_checks())
        brush.setTransform(painter.transform().inverted()[0] if scale else painter.transform())
        painter.fillRect(place, brush)

    def _hatched(self, argb: np.ndarray, ids: np.ndarray, rect: Rect) -> np.ndarray:
        rows = np.arange(rect.top, rect.bottom) % _PATTERN_SIDE
        columns = np.arange(rect.left, rect.right) % _PATTERN_SIDE
        marked = _PATTERNS[self._pattern_of[ids], rows[:, None], columns[None]] & (ids != EMPTY)
        # Dark lines on light colours, light ones on dark.
        channels = np.stack([(argb >> np.uint32(s)) & np.uint32(255) for s in (16, 8, 0)], -1).astype(np.float32)
        light = channels @ np.array([0.299, 0.587, 0.114], np.float32) > 128
        toward = np.where(light, 0.0, 255.0)[..., None]
        hatched = (channels + _PATTERN_STRENGTH * (toward - channels)).astype(np.uint32)
        packed = (
            np.uint32(0xFF000000) | hatched[..., 0] << np.uint32(16) | hatched[..., 1] << np.uint32(8) | hatched[..., 2]
        )
        return np.where(marked, packed, argb)


def heat_image(heat: np.ndarray) -> QImage:
    """float32 [h, w], 0–1 → a warm, translucent image: the stronger, the less the picture follows the layout there."""
    strength = np.clip(heat, 0, 1)
    alpha = (strength * 200).astype(np.uint32)
    red, green = alpha, (alpha * 0.25).astype(np.uint32)  # premultiplied
    return transparent_argb_to_qimage(alpha << np.uint32(24) | red << np.uint32(16) | green << np.uint32(8))


def _patterns() -> np.ndarray:
    """bool [P, side, side]: plain, diagonals both ways, upright, level, dots, crossed, wide diagonals."""
    y, x = np.mgrid[:_PATTERN_SIDE, :_PATTERN_SIDE]
    side = _PATTERN_SIDE
    return np.stack(
        [
            np.zeros((side, side), bool),
            (x + y) % (side // 2) < 2,
            (x - y) % (side // 2) < 2,
            x % (side // 2) < 2,
            y % (side // 2) < 2,
            (x % (side // 2) < 3) & (y % (side // 2) < 3),
            ((x + y) % side < 2) | ((x - y) % side < 2),
            (x + y) % side < 5,
        ]
    )


_PATTERNS = _patterns()


@cache
def _checks() -> QPixmap:
    pixmap = QPixmap(2 * _CHECK_SIDE, 2 * _CHECK_SIDE)
    pixmap.fill(QColor(92, 95, 101))
    painter = QPainter(pixmap)
    painter.setPen(Qt.PenStyle.NoPen)
    for x, y in ((0, 0), (_CHECK_SIDE, _CHECK_SIDE)):
        painter.fillRect(x, y, _CHECK_SIDE, _CHECK_SIDE, QColor(108, 111, 117))
    painter.end()
    return pixmap
