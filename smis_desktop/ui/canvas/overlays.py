"""What the canvas draws over the layout: class names, the mirror axis, the brush outline."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from smis_desktop.document.geometry import MirrorAxis
from smis_desktop.document.palette import Palette
from smis_desktop.ui.canvas.viewport import Viewport
from smis_desktop.ui.tools.tool import outline_pens
from smis_desktop.ui.window.document_controller import DocumentController

_SIDE = 256
_LEAST_PIXELS = 12
"""Parts smaller than this, at 256², have no room for a name."""


def name_places(label_map: np.ndarray, palette: Palette) -> list[tuple[str, float, float]]:
    """(name, x, y) in layout pixels, for each class of the palette that holds enough of uint8 `label_map` [H, H].

    The point that is farthest from the part's border: names stand inside even where a part is bent.
    """
    size = label_map.shape[0]
    at = np.minimum(((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(np.int64), size - 1)
    small = label_map[np.ix_(at, at)]
    places = []
    for semantic_class in palette.classes:
        mask = (small == semantic_class.class_id).astype(np.uint8)
        if int(mask.sum()) < _LEAST_PIXELS:
            continue
        bordered = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        scale = size / _SIDE
        places.append((semantic_class.name, (float(column) + 0.5) * scale, (float(row) + 0.5) * scale))
    return places


_OVERHANG = 24
"""Screen pixels from the layout's edge to where the axis ends."""


class MirrorHandle:
    """Drags the axis while one paints with a mirror; else there is nothing to take."""

    def __init__(self, controller: DocumentController, viewport: Viewport) -> None:
        self._controller, self._viewport = controller, viewport
        self.is_held = False

    def takes(self, at: QPointF) -> bool:
        """Whether a press there is ours: only the ends, past the layout's edges, for within it one paints."""
        return any(math.hypot(at.x() - end.x(), at.y() - end.y()) <= 2 * AXIS_REACH for end in self._line() or ())

    def begin(self) -> None:
        self.is_held = True

    def follow(self, at: QPointF) -> None:
        """The axis stands on edges and middles of pixels."""
        editor = self._controller.editor
        if editor is None or editor.mirror is None:
            return
        x, y = self._viewport.to_document(at.x(), at.y())
        place = x if editor.mirror.orientation == "vertical" else y
        place = min(max(math.floor(2 * place + 0.5) / 2, 0.0), float(editor.document.size))
        self._controller.set_mirror(MirrorAxis(editor.mirror.orientation, place))

    def end(self) -> None:
        self.is_held = False

    def paint(self, painter: QPainter) -> None:
        line = self._line()
        if line is not None:
            draw_axis(painter, line)

    def _line(self) -> tuple[QPointF, QPointF] | None:
        editor = self._controller.editor
        if editor is None or editor.mirror is None:
            return None
        size, at = editor.document.size, editor.mirror.position
        overhang = _OVERHANG / self._viewport.scale
        if editor.mirror.orientation == "vertical":
            ends = ((at, -overhang), (at, size + overhang))
        else:
            ends = ((-overhang, at), (size + overhang, at))
        return QPointF(*self._viewport.to_view(*ends[0])), QPointF(*self._viewport.to_view(*ends[1]))


AXIS_REACH = 6.0
"""Radius of the handles at the ends of the mirror axis, in screen pixels."""


def draw_names(painter: QPainter, names: Iterable[tuple[str, QPointF]]) -> None:
    """Each centred on its place."""
    for name, at in names:
        width, height = painter.fontMetrics().horizontalAdvance(name) + 12, painter.fontMetrics().height() + 4
        box = QRectF(at.x() - width / 2, at.y() - height / 2, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


def draw_axis(painter: QPainter, line: tuple[QPointF, QPointF]) -> None:
    """Dashed, with a handle at each end."""
    for color, width in ((QColor(0, 0, 0, 130), 3.0), (QColor(255, 255, 255, 220), 1.2)):
        pen = QPen(color, width)
        pen.setDashPattern([6 / width, 5 / width])
        painter.setPen(pen)
        painter.drawLine(*line)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1.5))
    painter.setBrush(QColor(255, 255, 255))
    for end in line:
        painter.drawEllipse(end, AXIS_REACH, AXIS_REACH)


def draw_brush(painter: QPainter, at: QPointF, diameter: float, angle: float, is_square: bool) -> None:
    """The outline of a brush of that diameter in screen pixels, turned with the view by `angle` degrees."""
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
