"""Moving the active layer by whole pixels."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTransform

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import Bench, PenEvent, Tool, outline_pens


class MoveTool(Tool):
    """Drags the layer; its edges are shown."""

    cursor = Qt.CursorShape.SizeAllCursor

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._start: Point | None = None

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    def press(self, pen: PenEvent) -> None:
        self.bench.controller.begin_shift()
        editor = self.bench.controller.editor
        if editor is not None and editor.is_shifting:
            self._start = pen.at

    def move(self, pen: PenEvent) -> None:
        if self._start is not None:
            dx, dy = (math.floor(now - then + 0.5) for now, then in zip(pen.at, self._start, strict=True))
            self.bench.controller.extend_shift(dx, dy)
            self.bench.repaint()

    def release(self, pen: PenEvent) -> None:
        self.move(pen)
        self._start = None
        self.bench.controller.end_shift()

    def cancel(self) -> None:
        if self._start is not None:
            self._start = None
            self.bench.controller.cancel_stroke()
            self.bench.repaint()

    def paint(self, painter: QPainter) -> None:
        document = self.bench.controller.document
        rect = None if document is None else document.layer(document.active_id).rect
        if rect is None:
            return
        painter.save()
        painter.setTransform(QTransform(*self.bench.viewport.matrix), True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            dashed = QPen(pen)
            dashed.setCosmetic(True)
            dashed.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(dashed)
            painter.drawRect(QRectF(rect.left, rect.top, rect.width, rect.height))
        painter.restore()
