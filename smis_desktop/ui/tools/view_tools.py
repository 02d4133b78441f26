"""Pan and zoom: tools that change only the view."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt

from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP

_ZOOM_PER_CLICK = 1.5
_ZOOM_PER_PIXEL = 1.01


class PanTool(Tool):
    """Drags the view."""

    name = "pan"
    title = QT_TRANSLATE_NOOP("Command", "Pa&n")
    icon = "pan"
    keys = ("H",)
    group = ToolGroup.VIEW
    order = 1
    hint = QT_TRANSLATE_NOOP("Command", "Drag the view")
    cursor = Qt.CursorShape.OpenHandCursor

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._from: QPointF | None = None

    @property
    def is_busy(self) -> bool:
        return self._from is not None

    def press(self, pen: PenEvent) -> None:
        self._from = pen.view

    def move(self, pen: PenEvent) -> None:
        if self._from is not None:
            self.context.viewport.pan(pen.view.x() - self._from.x(), pen.view.y() - self._from.y())
            self._from = pen.view
            self.context.view_changed()

    def release(self, pen: PenEvent) -> None:
        self._from = None

    def cancel(self) -> None:
        self._from = None


class ZoomTool(Tool):
    """Zooms in with a click, out with the right button, and by dragging right or left."""

    name = "zoom"
    title = QT_TRANSLATE_NOOP("Command", "&Zoom")
    icon = "zoom_in"
    keys = ("Z",)
    group = ToolGroup.VIEW
    order = 2
    hint = QT_TRANSLATE_NOOP("Command", "Click to zoom in, right-click to zoom out, or drag")

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._start: PenEvent | None = None
        self._last_x = 0.0
        self._has_moved = False

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    def press(self, pen: PenEvent) -> None:
        self._start, self._last_x, self._has_moved = pen, pen.view.x(), False

    def move(self, pen: PenEvent) -> None:
        if self._start is None:
            return
        if self._has_moved or abs(pen.view.x() - self._start.view.x()) > 3:
            self._has_moved = True
            factor = _ZOOM_PER_PIXEL ** (pen.view.x() - self._last_x)
            self._last_x = pen.view.x()
            self.context.viewport.zoom(factor, self._start.view.x(), self._start.view.y())
            self.context.view_changed()

    def release(self, pen: PenEvent) -> None:
        start, self._start = self._start, None
        if start is not None and not self._has_moved:
            factor = 1 / _ZOOM_PER_CLICK if start.erases else _ZOOM_PER_CLICK
            self.context.viewport.zoom(factor, start.view.x(), start.view.y())
            self.context.view_changed()

    def cancel(self) -> None:
        self._start = None
