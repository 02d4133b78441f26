"""What the canvas draws: the layout with its underlay, class names, mirror axis and brush outline."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Literal

import cv2
import numpy as np
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen, QPixmap

from smis_desktop.document.brush import MirrorAxis
from smis_desktop.document.document import Document
from smis_desktop.document.layers import Rect
from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.ui.canvas.viewport import Viewport
from smis_desktop.ui.tools.tool import outline_pens
from smis_desktop.ui.widgets.qimage import argb_table, argb_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController

UnderlayMode = Literal["off", "under", "over"]

_PATTERN_SIDE = 12
_PATTERN_STRENGTH = 0.38
_CHECK_SIDE = 10

_NAMES_SIDE = 256
_LEAST_PIXELS = 12
"""Areas smaller than this, at 256², have no room for a name."""
_NAMES_DELAY_MS = 150

_AXIS_OVERHANG = 24
"""Screen pixels from the layout's edge to where the mirror axis ends."""
_HANDLE_RADIUS = 6.0
"""Radius of the handles at the ends of the mirror axis, in screen pixels."""


class LayoutImage:
    """An image of the composite in class colours, updated rectangle by rectangle, and drawn with its underlay."""

    def __init__(self) -> None:
        self.size = 0
        self.image = QImage()
        self.shows_patterns = False
        self.underlay: QImage | None = None
        self.underlay_mode: UnderlayMode = "off"
        self.underlay_opacity = 0.5
        """0–1, of what lies on top: the layout over its underlay, or the picture over the layout."""
        self.heat_map: QImage | None = None
        self.class_names: dict[int, str] = {}
        self._colors = np.zeros(256, np.uint32)
        self._pattern_of = np.zeros(256, np.uint8)

    def follow(self, document: Document) -> None:
        """Show another document, or other classes."""
        self.class_names = {one.class_id: one.name for one in document.palette.classes}
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
        """Look up the rectangle's colours again."""
        ids = document.label_map[rect.slices]
        argb = self._colors[ids]
        if self.shows_patterns:
            argb = self._hatched(argb, ids, rect)
        painter = QPainter(self.image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.left, rect.top, argb_to_qimage(argb))
        painter.end()

    def draw(self, painter: QPainter) -> None:
        """Draw all of it, in document coordinates."""
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
        """Draw a checkerboard where nothing is painted, of the same size on screen at every zoom."""
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
    """Turn float32 [h, w], 0–1, into a translucent red image: the stronger, the less the picture follows the layout."""
    strength = np.clip(heat, 0, 1)
    alpha = (strength * 200).astype(np.uint32)
    red, green = alpha, (alpha * 0.25).astype(np.uint32)  # premultiplied
    return argb_to_qimage(alpha << np.uint32(24) | red << np.uint32(16) | green << np.uint32(8))


def _patterns() -> np.ndarray:
    """Return bool [P, side, side]: plain, diagonals both ways, vertical, horizontal, dots, crossed, wide diagonals."""
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


def name_places(label_map: np.ndarray, palette: Palette) -> list[tuple[str, float, float]]:
    """Find where to write the class names over uint8 `label_map` [H, H].

    Returns (name, x, y) in layout pixels, for each class that covers enough of it: the point farthest from the part's
    border, so that names stand inside even where a part is bent.
    """
    size = label_map.shape[0]
    at = np.minimum(((np.arange(_NAMES_SIDE) + 0.5) * size / _NAMES_SIDE).astype(np.int64), size - 1)
    small = label_map[np.ix_(at, at)]
    places = []
    for semantic_class in palette.classes:
        mask = (small == semantic_class.class_id).astype(np.uint8)
        if int(mask.sum()) < _LEAST_PIXELS:
            continue
        bordered = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        scale = size / _NAMES_SIDE
        places.append((semantic_class.name, (float(column) + 0.5) * scale, (float(row) + 0.5) * scale))
    return places


class ClassNames:
    """The classes' names written over the layout, placed again after a pause in painting."""

    def __init__(
        self, controller: DocumentController, viewport: Viewport, repaint: Callable[[], None], parent: QObject
    ) -> None:
        self._controller, self._viewport, self._repaint = controller, viewport, repaint
        self._are_shown = False
        self._names: list[tuple[str, float, float]] = []
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_NAMES_DELAY_MS)
        self._timer.timeout.connect(self.place)

    def show(self, are_shown: bool) -> None:
        """Show or hide the names."""
        self._are_shown = are_shown
        self.place()

    def place(self) -> None:
        """Find the places for the names now."""
        document = self._controller.document
        self._names = name_places(document.label_map, document.palette) if self._are_shown and document else []
        self._repaint()

    def place_soon(self) -> None:
        """Find the places for the names once nothing has been painted for a moment."""
        if self._are_shown:
            self._timer.start()

    def paint(self, painter: QPainter) -> None:
        """Draw each centred on its place, in view coordinates."""
        for name, x, y in self._names:
            at_x, at_y = self._viewport.to_view(x, y)
            width, height = painter.fontMetrics().horizontalAdvance(name) + 12, painter.fontMetrics().height() + 4
            box = QRectF(at_x - width / 2, at_y - height / 2, width, height)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawRoundedRect(box, 5, 5)
            painter.setPen(QColor(255, 255, 255))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


class MirrorHandle:
    """The mirror axis, with handles at its ends to drag it; draws nothing while mirror painting is off."""

    def __init__(self, controller: DocumentController, viewport: Viewport) -> None:
        self._controller, self._viewport = controller, viewport
        self.is_dragged = False

    def takes(self, at: QPointF) -> bool:
        """Return whether a press there drags the axis: only at its ends, outside the layout."""
        return any(math.hypot(at.x() - end.x(), at.y() - end.y()) <= 2 * _HANDLE_RADIUS for end in self._line() or ())

    def begin(self) -> None:
        """Start to drag the axis."""
        self.is_dragged = True

    def follow(self, at: QPointF) -> None:
        """Drag the axis; it snaps to edges and middles of pixels."""
        editor = self._controller.editor
        if editor is None or editor.mirror is None:
            return
        x, y = self._viewport.to_document(at.x(), at.y())
        place = x if editor.mirror.orientation == "vertical" else y
        place = min(max(math.floor(2 * place + 0.5) / 2, 0.0), float(editor.document.size))
        self._controller.set_mirror(MirrorAxis(editor.mirror.orientation, place))

    def end(self) -> None:
        """End the drag."""
        self.is_dragged = False

    def paint(self, painter: QPainter) -> None:
        """Draw the axis, in view coordinates."""
        line = self._line()
        if line is not None:
            _draw_axis(painter, line)

    def _line(self) -> tuple[QPointF, QPointF] | None:
        editor = self._controller.editor
        if editor is None or editor.mirror is None:
            return None
        size, at = editor.document.size, editor.mirror.position
        overhang = _AXIS_OVERHANG / self._viewport.scale
        if editor.mirror.orientation == "vertical":
            ends = ((at, -overhang), (at, size + overhang))
        else:
            ends = ((-overhang, at), (size + overhang, at))
        return QPointF(*self._viewport.to_view(*ends[0])), QPointF(*self._viewport.to_view(*ends[1]))


def _draw_axis(painter: QPainter, line: tuple[QPointF, QPointF]) -> None:
    """Draw the mirror axis dashed, with a handle at each end."""
    for color, width in ((QColor(0, 0, 0, 130), 3.0), (QColor(255, 255, 255, 220), 1.2)):
        pen = QPen(color, width)
        pen.setDashPattern([6 / width, 5 / width])
        painter.setPen(pen)
        painter.drawLine(*line)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1.5))
    painter.setBrush(QColor(255, 255, 255))
    for end in line:
        painter.drawEllipse(end, _HANDLE_RADIUS, _HANDLE_RADIUS)


def draw_brush(painter: QPainter, at: QPointF, diameter: float, angle: float, is_square: bool) -> None:
    """Draw the outline of a brush. diameter: in screen pixels. angle: of the view, in degrees."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    radius = diameter / 2
    painter.save()
    painter.translate(at)
    painter.rotate(angle)
    for pen in outline_pens():
        painter.setPen(pen)
        if is_square:
            painter.drawRect(QRectF(-radius, -radius, diameter, diameter))
        else:
            painter.drawEllipse(QPointF(0, 0), radius, radius)
    painter.restore()
