"""The polygon: corner by corner, filled with Enter, a double click, or a click on the first corner."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup, outline_pens
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP

_CLOSING_REACH = 9.0
"""View pixels around the first corner in which a click closes the polygon."""


class PolygonTool(Tool):
    """Fills the area between the corners. Backspace removes the last corner, Esc all of them."""

    name = "polygon"
    title = QT_TRANSLATE_NOOP("Command", "&Polygon")
    icon = "polygon"
    keys = ("P",)
    group = ToolGroup.SHAPE
    order = 3
    hint = QT_TRANSLATE_NOOP("Command", "Click each corner; Enter closes, Backspace removes the last, Esc cancels")
    gestures = ((QT_TRANSLATE_NOOP("Command", "Close a polygon"), QT_TRANSLATE_NOOP("Command", "Enter, double click")),)
    paints_class = True
    takes_double_click = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._corners: list[Point] = []
        self._first: PenEvent | None = None
        self._pointer: QPointF | None = None
        context.controller.replaced.connect(self.cancel)

    @property
    def is_busy(self) -> bool:
        return bool(self._corners)

    def press(self, pen: PenEvent) -> None:
        if len(self._corners) >= 3 and self._is_near_first(pen.view):
            self.finish()
            return
        if not self._corners:
            self._first = pen
        self._corners.append(pen.at)
        self._pointer = pen.view
        self.context.repaint()

    def move(self, pen: PenEvent) -> None:
        if self._corners:
            self._pointer = pen.view
            self.context.repaint()

    def double_click(self, pen: PenEvent) -> None:
        self.finish()

    def finish(self) -> None:
        corners, first = self._corners, self._first
        self.cancel()
        class_id = None if first is None else self.class_to_paint(first)
        if class_id is not None and len(corners) >= 3:
            self.context.controller.do(lambda editor: editor.fill_polygon(corners, class_id))

    def step_back(self) -> None:
        if self._corners:
            self._corners.pop()
            self.context.repaint()

    def cancel(self) -> None:
        self._corners, self._first, self._pointer = [], None, None
        self.context.repaint()

    def paint(self, painter: QPainter) -> None:
        if not self._corners:
            return
        points = [self.view_point(corner) for corner in self._corners]
        line = [*points, self._pointer] if self._pointer is not None else points
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(line)
        painter.setPen(QColor(0, 0, 0, 180))
        closes = self._pointer is not None and len(points) >= 3 and self._is_near_first(self._pointer)
        for index, point in enumerate(points):
            painter.setBrush(QColor(255, 255, 255))
            radius = 6.0 if index == 0 and closes else 3.5
            painter.drawEllipse(point, radius, radius)

    def _is_near_first(self, at: QPointF) -> bool:
        first = self.view_point(self._corners[0])
        return math.hypot(at.x() - first.x(), at.y() - first.y()) <= _CLOSING_REACH
