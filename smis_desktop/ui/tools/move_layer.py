"""Move layer: drags the active layer by whole pixels."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTransform

from smis_desktop.document.brush import Point
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup, outline_pens
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP


class MoveTool(Tool):
    """Drags the active layer and shows its bounds."""

    name = "move"
    title = QT_TRANSLATE_NOOP("Command", "&Move layer")
    icon = "move"
    keys = ("T",)
    group = ToolGroup.EDIT
    order = 3
    hint = QT_TRANSLATE_NOOP("Command", "Drag the active layer")
    cursor = Qt.CursorShape.SizeAllCursor
    follows_layers = True

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._start: Point | None = None

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    def press(self, pen: PenEvent) -> None:
        self.context.controller.begin_shift()
        editor = self.context.controller.editor
        if editor is not None and editor.is_shifting:
            self._start = pen.at

    def move(self, pen: PenEvent) -> None:
        if self._start is not None:
            dx, dy = (math.floor(now - then + 0.5) for now, then in zip(pen.at, self._start, strict=True))
            self.context.controller.extend_shift(dx, dy)
            self.context.repaint()

    def release(self, pen: PenEvent) -> None:
        self.move(pen)
        self._start = None
        self.context.controller.end_shift()

    def cancel(self) -> None:
        if self._start is not None:
            self._start = None
            self.context.controller.cancel_stroke()
            self.context.repaint()

    def paint(self, painter: QPainter) -> None:
        document = self.context.controller.document
        rect = None if document is None else document.layer(document.active_id).rect
        if rect is None:
            return
        painter.save()
        painter.setTransform(QTransform(*self.context.viewport.matrix), True)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            dashed = QPen(pen)
            dashed.setCosmetic(True)
            dashed.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(dashed)
            painter.drawRect(QRectF(rect.left, rect.top, rect.width, rect.height))
        painter.restore()
