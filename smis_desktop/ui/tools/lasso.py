"""The lasso: an outline drawn in one go, filled when let go."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import Bench, PenEvent, Tool, outline_pens


class LassoTool(Tool):
    """Closes itself with a straight line."""

    picks = True

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._outline: list[Point] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._outline)

    def press(self, pen: PenEvent) -> None:
        self._outline = [pen.at]

    def move(self, pen: PenEvent) -> None:
        if self._outline and pen.at != self._outline[-1]:
            self._outline.append(pen.at)
            self.bench.repaint()

    def release(self, pen: PenEvent) -> None:
        outline = self._outline
        self.cancel()
        class_id = self.class_to_paint(pen)
        if class_id is not None and len(outline) >= 3:
            self.bench.controller.do(lambda editor: editor.fill_polygon(outline, class_id))

    def cancel(self) -> None:
        self._outline = []
        self.bench.repaint()

    def paint(self, painter: QPainter) -> None:
        if len(self._outline) < 2:
            return
        points = [self.view_point(at) for at in self._outline]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(points)
