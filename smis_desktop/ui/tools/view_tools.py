"""Tools that change the view alone: pan and zoom."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt

from smis_desktop.ui.tools.tool import Bench, PenEvent, Tool

_ZOOM_PER_CLICK = 1.5
_ZOOM_PER_PIXEL = 1.01


class PanTool(Tool):
    """Drags the view."""

    cursor = Qt.CursorShape.OpenHandCursor

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._from: QPointF | None = None

    @property
    def is_busy(self) -> bool:
        return self._from is not None

    def press(self, pen: PenEvent) -> None:
        self._from = pen.view

    def move(self, pen: PenEvent) -> None:
        if self._from is not None:
            self.bench.viewport.pan(pen.view.x() - self._from.x(), pen.view.y() - self._from.y())
            self._from = pen.view
            self.bench.view_changed()

    def release(self, pen: PenEvent) -> None:
        self._from = None

    def cancel(self) -> None:
        self._from = None


class ZoomTool(Tool):
    """Click: nearer; with the right button: farther; drag to the right or left: nearer or farther."""

    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
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
            self.bench.viewport.zoom(factor, self._start.view.x(), self._start.view.y())
            self.bench.view_changed()

    def release(self, pen: PenEvent) -> None:
        start, self._start = self._start, None
        if start is not None and not self._has_moved:
            factor = 1 / _ZOOM_PER_CLICK if start.erases else _ZOOM_PER_CLICK
            self.bench.viewport.zoom(factor, start.view.x(), start.view.y())
            self.bench.view_changed()

    def cancel(self) -> None:
        self._start = None
