"""The canvas: shows the layout, moves the view, and passes pointer and keys to the chosen tool."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPointingDevice,
    QResizeEvent,
    QTabletEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from smis_desktop.document.layers import Rect
from smis_desktop.ui.canvas.drawing import (
    ClassNames,
    LayoutImage,
    MirrorHandle,
    UnderlayMode,
    draw_brush,
    heat_image,
)
from smis_desktop.ui.canvas.viewport import Navigation, Viewport
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolOptions
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.ui.window.document_controller import DocumentController

_WHEEL_NOTCH = 120.0
# Up to this many screen pixels per layout pixel edges look better smoothed; above it people want to see the pixels.
_SMOOTH_BELOW = 3.0
_SMALLEST_OUTLINE = 5.0


class Canvas(QWidget):
    """The layout with zoom, pan and rotation. The left button uses the chosen tool, the right one erases with it."""

    view_changed = Signal(float)
    """The zoom, in screen pixels per layout pixel."""
    viewport_moved = Signal()
    """Zoom, place or rotation of the layout changed."""
    under_cursor = Signal(str)
    """Class and place of the layout pixel under the cursor, in words; empty outside the layout."""

    def __init__(
        self, controller: DocumentController, options: ToolOptions | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Layout canvas"))
        self.setAccessibleDescription(self.tr("Paint classes here with the left button, erase with the right one"))
        self.setMinimumSize(240, 240)
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.viewport = Viewport(512)
        self.options = options or ToolOptions(self)
        self._controller = controller
        self._image = LayoutImage()
        self._ground = QColor(current_colors().canvas_ground)
        self.navigation = Navigation(self.viewport, self._emit_view)
        context = ToolContext(controller, self.options, self.viewport, self.update, self._emit_view)
        self._tools: dict[str, Tool] = {name: tool(context) for name, tool in self.options.tools.items()}
        self._pressed_tool: Tool | None = None
        self._button = Qt.MouseButton.NoButton
        self._mirror_handle = MirrorHandle(controller, self.viewport)
        self._names = ClassNames(controller, self.viewport, self.update, self)
        self._cursor_at: QPointF | None = None
        controller.replaced.connect(self._show_document)
        controller.palette_changed.connect(self._show_document)
        controller.painted.connect(self._show_changes)
        controller.settings_changed.connect(self.update)
        controller.layers_changed.connect(self._follow_layers)
        self.options.changed.connect(self._follow_options)

    @property
    def tool(self) -> Tool:
        """The tool that the pressed button uses, or the chosen one."""
        return self._pressed_tool or self._tools[self.options.tool]

    def cancel(self) -> None:
        """Cancel what the tool has begun."""
        self.tool.cancel()
        self._pressed_tool = None
        self._button = Qt.MouseButton.NoButton

    def set_underlay(self, image: QImage | None) -> None:
        """Show a photo, or the preview, under or over the layout."""
        self._image.underlay = image
        self.update()

    def set_underlay_mode(self, mode: UnderlayMode) -> None:
        """Show the underlay under or over the layout, or not at all."""
        self._image.underlay_mode = mode
        self.update()

    def set_underlay_opacity(self, opacity: float) -> None:
        """Set the opacity, 0–1, of what lies on top."""
        self._image.underlay_opacity = opacity
        self.update()

    def set_heat_map(self, heat: np.ndarray | None) -> None:
        """Show where the picture does not follow the layout: float32 [h, w], 0–1; None: show nothing."""
        self._image.heat_map = None if heat is None else heat_image(heat)
        self.update()

    def set_patterns(self, shows_patterns: bool) -> None:
        """Hatch the classes, so that they can be told apart without colours."""
        self._image.shows_patterns = shows_patterns
        if self._controller.document is not None:
            self._show_changes(self._controller.document.rect)

    def set_names(self, shows_names: bool) -> None:
        """Write the classes' names over the layout."""
        self._names.show(shows_names)

    def sizeHint(self) -> QSize:
        return QSize(600, 600)

    # Pointer and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._begin(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._follow(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._end(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.tool.is_busy and self.tool.takes_double_click:
            self.tool.double_click(self._pen(event))
        else:
            self._begin(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        """Take a pen's pressure and eraser end; Qt would turn an ignored event into a mouse event."""
        kind = event.type()
        if kind == QEvent.Type.TabletPress and event.button() == Qt.MouseButton.LeftButton:
            self._begin(event)
        elif kind == QEvent.Type.TabletMove:
            self._follow(event)
        elif kind == QEvent.Type.TabletRelease:
            self._end(event)
        else:
            event.ignore()  # a barrel button: Qt turns it into a mouse event
            return
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / _WHEEL_NOTCH
        if notches and not self._controller.is_painting:
            self.navigation.turn_wheel(notches, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Space:
            self.navigation.hold(True)
            self._update_cursor()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.tool.is_busy:
            self.tool.finish()
        elif key == Qt.Key.Key_Backspace and self.tool.is_busy:
            self.tool.step_back()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self.navigation.hold(False)
                self._update_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.navigation.hold(False)  # the key's release goes to another widget
        self._update_cursor()
        super().focusOutEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._update_cursor()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._move_cursor(None)
        super().leaveEvent(event)

    def _begin(self, event: QMouseEvent | QTabletEvent) -> None:
        at, button, modifiers = event.position(), event.button(), event.modifiers()
        if self._pressed_tool is not None or self.navigation.is_moving or self._mirror_handle.is_dragged:
            return
        if self.navigation.takes(button):
            self.navigation.begin(at, bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
            self._update_cursor()
        elif button == Qt.MouseButton.LeftButton and self._mirror_handle.takes(at):
            self._mirror_handle.begin()
        elif button in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self._press(self._pen(event), button, modifiers)

    def _follow(self, event: QMouseEvent | QTabletEvent) -> None:
        at = event.position()
        if self.navigation.is_moving:
            self.navigation.follow(at)
        elif self._mirror_handle.is_dragged:
            self._mirror_handle.follow(at)
        else:
            self.tool.move(self._pen(event))
        self._move_cursor(at)

    def _end(self, event: QMouseEvent | QTabletEvent) -> None:
        if self.navigation.is_moving and event.button() != Qt.MouseButton.RightButton:
            self.navigation.end()
            self._update_cursor()
        elif self._mirror_handle.is_dragged and event.button() == Qt.MouseButton.LeftButton:
            self._mirror_handle.end()
        elif event.button() == self._button:
            self._release(self._pen(event))

    def _press(self, pen: PenEvent, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier) -> None:
        tool = self._tools[self.options.tool]
        if pen.is_eraser_end and tool.eraser_end:
            tool = self._tools[tool.eraser_end]
        wants_pick = modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        self._pressed_tool = self._tools["picker"] if tool.paints_class and wants_pick and not tool.is_busy else tool
        self._button = button
        self._pressed_tool.press(pen)

    def _release(self, pen: PenEvent) -> None:
        if self._pressed_tool is not None:
            self._pressed_tool.release(pen)
        self._pressed_tool = None
        self._button = Qt.MouseButton.NoButton
        self._names.place_soon()

    def _pen(self, event: QMouseEvent | QTabletEvent) -> PenEvent:
        pressure, is_eraser_end, erases = 1.0, False, self._button == Qt.MouseButton.RightButton
        if event.type() == QEvent.Type.MouseButtonPress:
            erases = event.button() == Qt.MouseButton.RightButton
        if isinstance(event, QTabletEvent):
            pressure = event.pressure()
            is_eraser_end = erases = event.pointerType() == QPointingDevice.PointerType.Eraser
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        return PenEvent(self._in_layout(event.position()), event.position(), pressure, erases, shift, is_eraser_end)

    def _in_layout(self, at: QPointF) -> tuple[float, float]:
        return self.viewport.to_document(at.x(), at.y())

    # View

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.viewport.resize(self.width(), self.height())
        self._emit_view()

    def _emit_view(self) -> None:
        self.update()
        self.view_changed.emit(self.viewport.scale)
        self.viewport_moved.emit()

    def _move_cursor(self, at: QPointF | None) -> None:
        if self._cursor_at is not None:
            self.update(self._outline_area(self._cursor_at))
        was_over, self._cursor_at = self._cursor_at, at
        if at is not None:
            self.update(self._outline_area(at))
            self.under_cursor.emit(self._words_at(at))
        elif was_over is not None:
            self.under_cursor.emit("")
        self._update_cursor()

    def _words_at(self, at: QPointF) -> str:
        column, row = (math.floor(v) for v in self._in_layout(at))
        document = self._controller.document
        if document is None or not (0 <= column < document.size and 0 <= row < document.size):
            return ""
        name = self._image.class_names.get(int(document.label_map[row, column]), self.tr("empty"))
        return self.tr("{name} · {x}, {y}").format(name=name, x=column, y=row)

    def _update_cursor(self) -> None:
        if self.navigation.is_moving:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self.navigation.is_held:
            shape = Qt.CursorShape.OpenHandCursor
        elif not self._is_layer_paintable() and (self.tool.paints_class or self.tool.size is not None):
            shape = Qt.CursorShape.ForbiddenCursor
        elif self._outline_is_visible:
            shape = Qt.CursorShape.BlankCursor
        else:
            shape = self.tool.cursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def _is_layer_paintable(self) -> bool:
        document = self._controller.document
        if document is None:
            return True
        entry = document.entry(document.active_id)
        return entry.visible and not entry.locked

    # Painting the widget

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._ground = QColor(current_colors().canvas_ground)

    def _show_document(self) -> None:
        document = self._controller.document
        assert document is not None, "a document was placed"
        is_other_size = document.size != self._image.size
        self._image.follow(document)
        if is_other_size:
            self.viewport.set_document_size(document.size)
            self._emit_view()
        self._names.place()
        self.update()

    def _show_changes(self, rect: Rect) -> None:
        """Look up the colours of the rectangle again, and repaint the part of the widget that shows it."""
        document = self._controller.document
        assert document is not None, "a document was painted on"
        self._image.update(document, rect)
        left, top, right, bottom = self.viewport.bounds(rect.left, rect.top, rect.right, rect.bottom)
        # One layout pixel more all around: smoothing reaches across the edge.
        around = math.ceil(self.viewport.scale) + 1
        self.update(
            QRectF(left, top, right - left, bottom - top).toAlignedRect().adjusted(-around, -around, around, around)
        )
        if not self._controller.is_painting:
            self._names.place_soon()

    def _follow_layers(self) -> None:
        self._update_cursor()
        if self.tool.follows_layers:
            self.update()

    def _follow_options(self) -> None:
        chosen = self._tools[self.options.tool]
        for tool in self._tools.values():
            if tool is not chosen and tool is not self._pressed_tool and tool.is_busy:
                tool.cancel()
        self._update_cursor()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), self._ground)
        if self._image.size:
            is_smooth = self.viewport.scale * self.devicePixelRatioF() < _SMOOTH_BELOW or self.viewport.angle % 90 != 0
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
            painter.save()
            painter.setTransform(QTransform(*self.viewport.matrix), True)
            self._image.draw(painter)
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._names.paint(painter)
        self._mirror_handle.paint(painter)
        self.tool.paint(painter)
        if self._cursor_at is not None and self._outline_is_visible:
            is_square = self.tool.shape is not None and self.options[self.tool.shape] == "square"
            draw_brush(painter, self._cursor_at, self._outline_diameter, self.viewport.angle, is_square)
        painter.end()

    @property
    def _outline_is_visible(self) -> bool:
        if not self._image.size or self.navigation.is_held or not self._is_layer_paintable():
            return False
        return self._outline_diameter >= _SMALLEST_OUTLINE

    @property
    def _outline_diameter(self) -> float:
        return 0.0 if self.tool.size is None else self.options[self.tool.size] * self.viewport.scale

    def _outline_area(self, at: QPointF) -> QRect:
        reach = math.ceil(self._outline_diameter * 0.75) + 3
        return QRect(math.floor(at.x()) - reach, math.floor(at.y()) - reach, 2 * reach + 2, 2 * reach + 2)
