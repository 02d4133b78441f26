"""The lasso: an outline drawn in one go, filled on release."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup, outline_pens
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP


class LassoTool(Tool):
    """Fills a freehand outline, closed with a straight line."""

    name = "lasso"
    title = QT_TRANSLATE_NOOP("Command", "L&asso")
    icon = "lasso"
    keys = ("L",)
    group = ToolGroup.SHAPE
    order = 4
    hint = QT_TRANSLATE_NOOP("Command", "Draw the outline in one go")
    paints_class = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._outline: list[Point] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._outline)

    def press(self, pen: PenEvent) -> None:
        self._outline = [pen.at]

    def move(self, pen: PenEvent) -> None:
        if self._outline and pen.at != self._outline[-1]:
            self._outline.append(pen.at)
            self.context.repaint()

    def release(self, pen: PenEvent) -> None:
        outline = self._outline
        self.cancel()
        class_id = self.class_to_paint(pen)
        if class_id is not None and len(outline) >= 3:
            self.context.controller.do(lambda editor: editor.fill_polygon(outline, class_id))

    def cancel(self) -> None:
        self._outline = []
        self.context.repaint()

    def paint(self, painter: QPainter) -> None:
        if len(self._outline) < 2:
            return
        points = [self.view_point(at) for at in self._outline]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(points)
