"""The canvas: shows the layout in its palette's colours and turns the pointer into strokes."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from smis_desktop.labels.rect import Rect
from smis_desktop.ui.easel import Easel
from smis_desktop.ui.qimage import argb_table, argb_to_qimage
from smis_desktop.ui.theme import DARK
from smis_desktop.ui.viewport import Viewport

_ZOOM_PER_NOTCH = 1.15
_WHEEL_NOTCH = 120.0
# Up to this many screen pixels per layout pixel edges look better smoothed; past it, pixels are what one wants to see.
_SMOOTH_BELOW = 3.0
_SMALLEST_OUTLINE = 5.0

_PAINTING_BUTTONS = (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton)


class Canvas(QWidget):
    """The layout, with zoom and pan, and the brush in hand.

    The left button paints the current class, the right one (or the eraser) the ground class. Tablets arrive as the
    mouse events that Qt makes of them.
    """

    view_changed = Signal(float)
    """The zoom, in screen pixels per layout pixel."""
    hovered = Signal(int, int)
    """Column and row of the layout pixel under the cursor."""
    left = Signal()
    """The cursor is over no layout pixel any more."""

    def __init__(self, easel: Easel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Layout canvas"))
        self.setAccessibleDescription(self.tr("Paint classes here with the left button, erase with the right one"))
        self.setMinimumSize(240, 240)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport = Viewport(512)
        self._easel = easel
        self._colors = np.zeros(256, np.uint32)
        self._image = QImage()
        self._class_id: int | None = None
        self._diameter = 1
        self._is_erasing = False
        self._stroke_button = Qt.MouseButton.NoButton
        self._pan_from: QPointF | None = None
        self._space_is_down = False
        self._cursor_at: QPointF | None = None
        easel.replaced.connect(self._show_document)
        easel.painted.connect(self._show_changes)

    def set_class(self, class_id: int) -> None:
        """What the left button paints."""
        self._class_id = class_id

    def set_diameter(self, diameter: int) -> None:
        """The brush's size in layout pixels."""
        self._diameter = diameter
        self.update()

    def set_erasing(self, is_erasing: bool) -> None:
        """Whether the left button erases too."""
        self._is_erasing = is_erasing

    def zoom_in(self) -> None:
        """One step, about the middle of the view."""
        self._zoom(_ZOOM_PER_NOTCH**2, QPointF(self.width() / 2, self.height() / 2))

    def zoom_out(self) -> None:
        """One step, about the middle of the view."""
        self._zoom(_ZOOM_PER_NOTCH**-2, QPointF(self.width() / 2, self.height() / 2))

    def zoom_to_fit(self) -> None:
        """Show the whole layout."""
        self.viewport.fit()
        self._tell_view()

    def sizeHint(self) -> QSize:
        return QSize(600, 600)

    # Pointer and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at, button = event.position(), event.button()
        if self._easel.is_painting or self._pan_from is not None:
            return
        if button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and self._space_is_down):
            self._pan_from = at
            self._update_cursor()
        elif button in _PAINTING_BUTTONS and self._class_id is not None:
            erases = self._is_erasing or button == Qt.MouseButton.RightButton
            self._stroke_button = button
            self._easel.begin_stroke(
                self._in_layout(at), self._diameter, self._easel.ground_id if erases else self._class_id
            )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._pan_from is not None:
            self.viewport.pan(at.x() - self._pan_from.x(), at.y() - self._pan_from.y())
            self._pan_from = at
            self._tell_view()
        else:
            self._easel.extend_stroke(self._in_layout(at))
        self._move_cursor(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._easel.is_painting:
            if event.button() == self._stroke_button:
                self._easel.extend_stroke(self._in_layout(event.position()))
                self._easel.end_stroke()
        elif self._pan_from is not None and event.button() in (Qt.MouseButton.MiddleButton, Qt.MouseButton.LeftButton):
            self._pan_from = None
            self._update_cursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / _WHEEL_NOTCH
        if notches and not self._easel.is_painting:
            self._zoom(_ZOOM_PER_NOTCH**notches, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self._space_is_down = True
            self._update_cursor()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space_is_down = False
                self._update_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space_is_down = False  # its release will go to somebody else
        self._update_cursor()
        super().focusOutEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._move_cursor(None)
        super().leaveEvent(event)

    def _in_layout(self, at: QPointF) -> tuple[float, float]:
        return self.viewport.to_document(at.x(), at.y())

    # View

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.viewport.resize(self.width(), self.height())
        self._tell_view()

    def _zoom(self, factor: float, at: QPointF) -> None:
        self.viewport.zoom(factor, at.x(), at.y())
        self._tell_view()

    def _tell_view(self) -> None:
        self.update()
        self.view_changed.emit(self.viewport.scale)

    def _move_cursor(self, at: QPointF | None) -> None:
        if self._cursor_at is not None:
            self.update(self._outline_area(self._cursor_at))
        was_over, self._cursor_at = self._cursor_at, at
        if at is not None:
            self.update(self._outline_area(at))
            column, row = (math.floor(v) for v in self._in_layout(at))
            if 0 <= column < self.viewport.document_size and 0 <= row < self.viewport.document_size:
                self.hovered.emit(column, row)
            else:
                self.left.emit()
        elif was_over is not None:
            self.left.emit()
        self._update_cursor()

    def _update_cursor(self) -> None:
        if self._pan_from is not None:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._space_is_down:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._outline_is_visible:
            shape = Qt.CursorShape.BlankCursor
        else:
            shape = Qt.CursorShape.CrossCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    # Painting the widget

    def _show_document(self) -> None:
        document = self._easel.document
        assert document is not None, "told of a document that is not there"
        self._colors = argb_table(document.palette.color_table)
        if document.size != self._image.width():
            self._image = QImage(document.size, document.size, QImage.Format.Format_RGB32)
            self.viewport.set_document_size(document.size)
            self._tell_view()
        self._show_changes(Rect(0, 0, document.size, document.size))

    def _show_changes(self, rect: Rect) -> None:
        """Look the rectangle's colours up anew, and repaint the part of the widget that shows it."""
        document = self._easel.document
        assert document is not None, "told of changes to nothing"
        painter = QPainter(self._image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.left, rect.top, argb_to_qimage(self._colors[document.label_map[rect.slices]]))
        painter.end()
        left, top = self.viewport.to_view(rect.left, rect.top)
        right, bottom = self.viewport.to_view(rect.right, rect.bottom)
        # One layout pixel more all around: smoothing reaches across the edge.
        around = math.ceil(self.viewport.scale) + 1
        self.update(
            QRectF(left, top, right - left, bottom - top).toAlignedRect().adjusted(-around, -around, around, around)
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(DARK.canvas_ground))
        if not self._image.isNull():
            view = self.viewport
            is_smooth = view.scale * self.devicePixelRatioF() < _SMOOTH_BELOW
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
            side = view.scale * view.document_size
            painter.drawImage(QRectF(view.left, view.top, side, side), self._image)
        if self._cursor_at is not None and self._outline_is_visible:
            self._draw_outline(painter, self._cursor_at)
        painter.end()

    @property
    def _outline_is_visible(self) -> bool:
        is_moving_view = self._space_is_down or self._pan_from is not None
        return not self._image.isNull() and not is_moving_view and self._outline_diameter >= _SMALLEST_OUTLINE

    @property
    def _outline_diameter(self) -> float:
        return self._diameter * self.viewport.scale

    def _outline_area(self, at: QPointF) -> QRect:
        reach = math.ceil(self._outline_diameter / 2) + 3
        return QRect(math.floor(at.x()) - reach, math.floor(at.y()) - reach, 2 * reach + 2, 2 * reach + 2)

    def _draw_outline(self, painter: QPainter, at: QPointF) -> None:
        # Light on dark: one of the two stands out on any class's colour.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        radius = self._outline_diameter / 2
        for color, width in ((QColor(0, 0, 0, 150), 2.6), (QColor(255, 255, 255, 235), 1.2)):
            painter.setPen(QPen(color, width))
            painter.drawEllipse(at, radius, radius)
