"""How the training goes, drawn as it goes."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from smis_desktop.ui.theme import current_colors


class LossPlot(QWidget):
    """One line a stage, each on a scale of its own: they measure different things."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Loss over the training"))
        self._points: dict[str, list[tuple[float, float]]] = {}

    def sizeHint(self) -> QSize:
        return QSize(420, 120)

    def clear(self) -> None:
        """Another training."""
        self._points = {}
        self.update()

    def add(self, stage: str, fraction: float, loss: float) -> None:
        """fraction: of the whole training, 0–1."""
        if math.isfinite(loss):
            self._points.setdefault(stage, []).append((fraction, loss))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = current_colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.setBrush(QColor(colors.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        field = QRectF(self.rect()).adjusted(12, 12, -12, -12)
        if not self._points:
            painter.setPen(QColor(colors.muted))
            painter.drawText(field, Qt.AlignmentFlag.AlignCenter, self.tr("The loss appears here"))
        for points in self._points.values():
            losses = [loss for _, loss in points]
            low, high = min(losses), max(losses)
            span = max(high - low, 1e-9)
            line = QPolygonF(
                [
                    QPointF(field.left() + x * field.width(), field.bottom() - (loss - low) / span * field.height())
                    for x, loss in points
                ]
            )
            painter.setPen(QPen(QColor(colors.accent), 1.6))
            painter.drawPolyline(line)
        painter.end()
