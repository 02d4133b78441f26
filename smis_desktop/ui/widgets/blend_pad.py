"""A pad between two looks: left the one, right the other, upwards stronger."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from smis_desktop.ui.widgets.theme import current_colors

_STEP = 0.05
_MARGIN = 10


class BlendPad(QWidget):
    """`moved` carries (blend, mix), 0–1 each, while a person drags the point or moves it with the arrow keys."""

    moved = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Pad between two looks"))
        self.setToolTip(self.tr("Drag: sideways from one look to the other, upwards stronger; arrow keys too"))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._blend, self._mix = 0.0, 1.0
        self._names = ("", "")

    def sizeHint(self) -> QSize:
        return QSize(200, 112)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 96)

    def show_place(self, blend: float, mix: float, left: str, right: str) -> None:
        """Show a place and the names of both looks without emitting `moved`."""
        self._blend, self._mix, self._names = blend, mix, (left, right)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-_STEP, 0.0),
            Qt.Key.Key_Right: (_STEP, 0.0),
            Qt.Key.Key_Up: (0.0, _STEP),
            Qt.Key.Key_Down: (0.0, -_STEP),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._go(self._blend + step[0], self._mix + step[1])

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = current_colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colors.accent if self.hasFocus() else colors.border), 1))
        painter.setBrush(QColor(colors.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        field = self._field()
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.drawLine(QPointF(field.center().x(), field.top()), QPointF(field.center().x(), field.bottom()))
        painter.drawLine(QPointF(field.left(), field.center().y()), QPointF(field.right(), field.center().y()))
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(colors.muted))
        half = field.width() / 2 - 6
        for name, flag, left in (
            (self._names[0], Qt.AlignmentFlag.AlignLeft, field.left()),
            (self._names[1], Qt.AlignmentFlag.AlignRight, field.center().x() + 6),
        ):
            words = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(half))
            painter.drawText(QRectF(left, field.bottom() - 15, half, 15), flag | Qt.AlignmentFlag.AlignBottom, words)
        place = QPointF(field.left() + self._blend * field.width(), field.bottom() - self._mix * field.height())
        painter.setPen(QPen(QColor(colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(place, 7, 7)
        painter.end()

    def _field(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)

    def _drag(self, point: QPointF) -> None:
        field = self._field()
        self._go((point.x() - field.left()) / field.width(), (field.bottom() - point.y()) / field.height())

    def _go(self, blend: float, mix: float) -> None:
        self._blend, self._mix = min(max(blend, 0.0), 1.0), min(max(mix, 0.0), 1.0)
        self.update()
        self.moved.emit(self._blend, self._mix)
