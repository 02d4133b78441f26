"""The canvas: shows the layout, moves the view, and hands the pointer to the tool in hand."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
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

from smis_desktop.document.geometry import Rect
from smis_desktop.ui.canvas.layout_image import CanvasPicture, UnderlayMode, heat_image
from smis_desktop.ui.canvas.overlays import MirrorHandle, draw_brush, draw_names, name_places
from smis_desktop.ui.canvas.viewport import Navigation, Viewport
from smis_desktop.ui.tools.brush import BrushTool
from smis_desktop.ui.tools.bucket import BucketTool
from smis_desktop.ui.tools.lasso import LassoTool
from smis_desktop.ui.tools.move_layer import MoveTool
from smis_desktop.ui.tools.options import ToolOptions
from smis_desktop.ui.tools.picker import PickerTool
from smis_desktop.ui.tools.polygon import PolygonTool
from smis_desktop.ui.tools.shapes import ShapeTool
from smis_desktop.ui.tools.tool import Bench, PenEvent, Tool
from smis_desktop.ui.tools.view_tools import PanTool, ZoomTool
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.ui.window.document_controller import DocumentController

_ZOOM_PER_NOTCH = 1.15
_WHEEL_NOTCH = 120.0
# Up to this many screen pixels per layout pixel edges look better smoothed; past it, pixels are what one wants to see.
_SMOOTH_BELOW = 3.0
_SMALLEST_OUTLINE = 5.0
_ROTATION_STEP = 15.0


class Canvas(QWidget):
    """The layout with zoom, pan and rotation. The left button uses the tool, the right one erases with it."""

    view_changed = Signal(float)
    """The zoom, in screen pixels per layout pixel."""
    viewport_moved = Signal()
    """Zoom, place or rotation of the layout changed."""
    hovered = Signal(int, int)
    """Column and row of the layout pixel under the cursor."""
    left = Signal()
    """The cursor is over no layout pixel any more."""

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
        self._picture = CanvasPicture()
        self._navigation = Navigation(self.viewport, self._tell_view)
        bench = Bench(controller, self.options, self.viewport, self.update, self._tell_view)
        self._tools: dict[str, Tool] = {
            "brush": BrushTool(bench, erases=False),
            "eraser": BrushTool(bench, erases=True),
            "rectangle": ShapeTool(bench, is_ellipse=False),
            "ellipse": ShapeTool(bench, is_ellipse=True),
            "polygon": PolygonTool(bench),
            "lasso": LassoTool(bench),
            "bucket": BucketTool(bench),
            "picker": PickerTool(bench),
            "move": MoveTool(bench),
            "pan": PanTool(bench),
            "zoom": ZoomTool(bench),
        }
        self._in_hand: Tool | None = None
        self._button = Qt.MouseButton.NoButton
        self._mirror_handle = MirrorHandle(controller, self.viewport)
        self._cursor_at: QPointF | None = None
        self._shows_names = False
        self._names: list[tuple[str, float, float]] = []
        self._name_timer = QTimer(self)
        self._name_timer.setSingleShot(True)
        self._name_timer.setInterval(150)
        self._name_timer.timeout.connect(self._place_names)
        controller.replaced.connect(self._show_document)
        controller.palette_changed.connect(self._show_document)
        controller.painted.connect(self._show_changes)
        controller.settings_changed.connect(self.update)
        controller.layers_changed.connect(self._follow_layers)
        self.options.changed.connect(self._follow_options)

    # What the window asks for

    @property
    def tool(self) -> Tool:
        """The tool in hand, or the chosen one."""
        return self._in_hand or self._tools[self.options.tool]

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

    def zoom_to_pixels(self) -> None:
        """One screen pixel for each layout pixel."""
        factor = 1 / (self.viewport.scale * self.devicePixelRatioF())
        self._zoom(factor, QPointF(self.width() / 2, self.height() / 2))

    def rotate_left(self) -> None:
        self._turn(-_ROTATION_STEP)

    def rotate_right(self) -> None:
        self._turn(_ROTATION_STEP)

    def reset_rotation(self) -> None:
        """Upright, not mirrored."""
        self.viewport.reset_rotation()
        self._tell_view()

    def mirror_view(self) -> None:
        """Swap left and right of what is seen; the layout stays as it is."""
        self.viewport.mirror()
        self._tell_view()

    def cancel(self) -> None:
        """Give up what the tool has in hand."""
        self.tool.cancel()
        self._in_hand = None
        self._button = Qt.MouseButton.NoButton

    def set_underlay(self, image: QImage | None) -> None:
        """A photo, or the preview, to see under or over the layout."""
        self._picture.underlay = image
        self.update()

    def set_underlay_mode(self, mode: UnderlayMode) -> None:
        self._picture.underlay_mode = mode
        self.update()

    def set_underlay_opacity(self, opacity: float) -> None:
        """0–1, of what lies on top."""
        self._picture.underlay_opacity = opacity
        self.update()

    @property
    def underlay_mode(self) -> UnderlayMode:
        return self._picture.underlay_mode

    def set_heat_map(self, heat: np.ndarray | None) -> None:
        """float32 [h, w], 0–1: where the picture does not follow the layout; None: show none."""
        self._picture.heat_map = None if heat is None else heat_image(heat)
        self.update()

    def set_patterns(self, shows_patterns: bool) -> None:
        """Hatch the classes, so that they can be told apart without colours."""
        self._picture.shows_patterns = shows_patterns
        if self._controller.document is not None:
            self._show_changes(self._controller.document.rect)

    def set_names(self, shows_names: bool) -> None:
        """Write the classes' names over the layout."""
        self._shows_names = shows_names
        self._place_names()

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
        if event.button() == Qt.MouseButton.LeftButton and self.tool.is_busy and self.options.tool == "polygon":
            self.tool.double_click(self._pen(event))
        else:
            self._begin(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        """A pen, with its pressure and its eraser end; without this its strokes would come as a mouse's."""
        kind = event.type()
        if kind == QEvent.Type.TabletPress and event.button() == Qt.MouseButton.LeftButton:
            self._begin(event)
        elif kind == QEvent.Type.TabletMove:
            self._follow(event)
        elif kind == QEvent.Type.TabletRelease:
            self._end(event)
        else:
            event.ignore()  # a barrel button: Qt makes a mouse event of it
            return
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / _WHEEL_NOTCH
        if notches and not self._controller.is_painting:
            self._zoom(_ZOOM_PER_NOTCH**notches, event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Space:
            self._navigation.hold(True)
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
                self._navigation.hold(False)
                self._update_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._navigation.hold(False)  # its release will go to somebody else
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
        if self._in_hand is not None or self._navigation.is_moving or self._mirror_handle.is_held:
            return
        if self._navigation.takes(button):
            self._navigation.begin(at, bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
            self._update_cursor()
        elif button == Qt.MouseButton.LeftButton and self._mirror_handle.takes(at):
            self._mirror_handle.begin()
        elif button in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self._press(self._pen(event), button, modifiers)

    def _follow(self, event: QMouseEvent | QTabletEvent) -> None:
        at = event.position()
        if self._navigation.is_moving:
            self._navigation.follow(at)
        elif self._mirror_handle.is_held:
            self._mirror_handle.follow(at)
        else:
            self.tool.move(self._pen(event))
        self._move_cursor(at)

    def _end(self, event: QMouseEvent | QTabletEvent) -> None:
        if self._navigation.is_moving and event.button() != Qt.MouseButton.RightButton:
            self._navigation.end()
            self._update_cursor()
        elif self._mirror_handle.is_held and event.button() == Qt.MouseButton.LeftButton:
            self._mirror_handle.end()
        elif event.button() == self._button:
            self._release(self._pen(event))

    def _press(self, pen: PenEvent, button: Qt.MouseButton, modifiers: Qt.KeyboardModifier) -> None:
        tool = self._tools[self.options.tool]
        if pen.is_eraser_end and self.options.tool == "brush":
            tool = self._tools["eraser"]
        wants_pick = modifiers & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        self._in_hand = self._tools["picker"] if tool.picks and wants_pick and not tool.is_busy else tool
        self._button = button
        self._in_hand.press(pen)

    def _release(self, pen: PenEvent) -> None:
        if self._in_hand is not None:
            self._in_hand.release(pen)
        self._in_hand = None
        self._button = Qt.MouseButton.NoButton
        if self._shows_names:
            self._name_timer.start()

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
        self._tell_view()

    def _zoom(self, factor: float, at: QPointF) -> None:
        self.viewport.zoom(factor, at.x(), at.y())
        self._tell_view()

    def _turn(self, degrees: float) -> None:
        self.viewport.rotate(degrees)
        self._tell_view()

    def _tell_view(self) -> None:
        self.update()
        self.view_changed.emit(self.viewport.scale)
        self.viewport_moved.emit()

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
        if self._navigation.is_moving:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._navigation.is_held:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._is_closed_layer() and (self.tool.picks or self.tool.has_outline):
            shape = Qt.CursorShape.ForbiddenCursor
        elif self._outline_is_visible:
            shape = Qt.CursorShape.BlankCursor
        else:
            shape = self.tool.cursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def _is_closed_layer(self) -> bool:
        document = self._controller.document
        if document is None:
            return False
        entry = document.entry(document.active_id)
        return entry.locked or not entry.visible

    # Painting the widget

    def _show_document(self) -> None:
        document = self._controller.document
        assert document is not None, "told of a document that is not there"
        is_other_size = document.size != self._picture.size
        self._picture.follow(document)
        if is_other_size:
            self.viewport.set_document_size(document.size)
            self._tell_view()
        self._place_names()
        self.update()

    def _show_changes(self, rect: Rect) -> None:
        """Look the rectangle's colours up anew, and repaint the part of the widget that shows it."""
        document = self._controller.document
        assert document is not None, "told of changes to nothing"
        self._picture.update(document, rect)
        left, top, right, bottom = self.viewport.bounds(rect.left, rect.top, rect.right, rect.bottom)
        # One layout pixel more all around: smoothing reaches across the edge.
        around = math.ceil(self.viewport.scale) + 1
        self.update(
            QRectF(left, top, right - left, bottom - top).toAlignedRect().adjusted(-around, -around, around, around)
        )
        if self._shows_names and not self._controller.is_painting:
            self._name_timer.start()

    def _follow_layers(self) -> None:
        self._update_cursor()
        if self.options.tool == "move":
            self.update()

    def _follow_options(self) -> None:
        chosen = self._tools[self.options.tool]
        for tool in self._tools.values():
            if tool is not chosen and tool is not self._in_hand and tool.is_busy:
                tool.cancel()
        self._update_cursor()
        self.update()

    def _place_names(self) -> None:
        document = self._controller.document
        self._names = name_places(document.label_map, document.palette) if self._shows_names and document else []
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(current_colors().canvas_ground))
        if self._picture.size:
            is_smooth = self.viewport.scale * self.devicePixelRatioF() < _SMOOTH_BELOW or self.viewport.angle % 90 != 0
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth)
            painter.save()
            painter.setTransform(QTransform(*self.viewport.matrix), True)
            self._picture.draw(painter)
            painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_names(painter, [(name, QPointF(*self.viewport.to_view(x, y))) for name, x, y in self._names])
        self._mirror_handle.paint(painter)
        self.tool.paint(painter)
        if self._cursor_at is not None and self._outline_is_visible:
            is_square = self.options.shape == "square"
            draw_brush(painter, self._cursor_at, self._outline_diameter, self.viewport.angle, is_square)
        painter.end()

    @property
    def _outline_is_visible(self) -> bool:
        shows = self._picture.size and self.tool.has_outline and not self._is_closed_layer()
        return bool(shows) and not self._navigation.is_held and self._outline_diameter >= _SMALLEST_OUTLINE

    @property
    def _outline_diameter(self) -> float:
        return self.options.diameter * self.viewport.scale

    def _outline_area(self, at: QPointF) -> QRect:
        reach = math.ceil(self._outline_diameter * 0.75) + 3
        return QRect(math.floor(at.x()) - reach, math.floor(at.y()) - reach, 2 * reach + 2, 2 * reach + 2)
