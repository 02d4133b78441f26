"""Rectangle and ellipse: dragged from corner to corner, filled on release."""

from __future__ import annotations

import math
from typing import ClassVar

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QTransform

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup, outline_pens
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP


class RectangleTool(Tool):
    """Fills a rectangle; with Shift, a square."""

    name = "rectangle"
    title = QT_TRANSLATE_NOOP("Command", "&Rectangle")
    icon = "rectangle"
    keys = ("R",)
    group = ToolGroup.SHAPE
    order = 1
    hint = QT_TRANSLATE_NOOP("Command", "Drag from corner to corner; Shift makes a square")
    paints_class = True
    is_ellipse: ClassVar[bool] = False

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._start: PenEvent | None = None
        self._end: Point = (0, 0)

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    def press(self, pen: PenEvent) -> None:
        self._start, self._end = pen, pen.at
        self.context.repaint()

    def move(self, pen: PenEvent) -> None:
        if self._start is not None:
            self._end = _squared(self._start.at, pen.at) if pen.shift else pen.at
            self.context.repaint()

    def release(self, pen: PenEvent) -> None:
        self.move(pen)
        start, end = self._start, self._end
        self.cancel()
        class_id = None if start is None else self.class_to_paint(start)
        if start is None or class_id is None:
            return
        corner = start.at
        if self.is_ellipse:
            self.context.controller.do(lambda editor: editor.fill_ellipse(corner, end, class_id))
        else:
            self.context.controller.do(lambda editor: editor.fill_rectangle(corner, end, class_id))

    def cancel(self) -> None:
        self._start = None
        self.context.repaint()

    def paint(self, painter: QPainter) -> None:
        if self._start is None:
            return
        (x0, y0), (x1, y1) = self._start.at, self._end
        left, right = math.floor(min(x0, x1)), math.floor(max(x0, x1)) + 1
        top, bottom = math.floor(min(y0, y1)), math.floor(max(y0, y1)) + 1
        painter.save()
        painter.setTransform(QTransform(*self.context.viewport.matrix), True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            pen.setCosmetic(True)
            painter.setPen(pen)
            box = QRectF(left, top, right - left, bottom - top)
            if self.is_ellipse:
                painter.drawEllipse(box)
            else:
                painter.drawRect(box)
        painter.restore()


class EllipseTool(RectangleTool):
    """Fills an ellipse; with Shift, a circle."""

    name = "ellipse"
    title = QT_TRANSLATE_NOOP("Command", "E&llipse")
    icon = "ellipse"
    keys = ("O",)
    order = 2
    hint = QT_TRANSLATE_NOOP("Command", "Drag from corner to corner; Shift makes a circle")
    is_ellipse = True


def _squared(start: Point, end: Point) -> Point:
    side = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    return start[0] + math.copysign(side, end[0] - start[0]), start[1] + math.copysign(side, end[1] - start[1])
