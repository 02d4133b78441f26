"""What the canvas draws over the layout: names of classes, the mirror axis, the brush's outline."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from smis_desktop.ui.tools.tool import outline_pens

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
