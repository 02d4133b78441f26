"""Brush and eraser: strokes, straight lines with Shift-click, and their size with Shift-drag."""

from __future__ import annotations

from smis_desktop.document.brush import Brush, Point
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.tools.tool import Bench, PenEvent, Tool

_CLICK_REACH = 4.0
"""View pixels: who moves less meant to click."""


class BrushTool(Tool):
    """Paints the current class; as the eraser, nothing (255)."""

    has_outline = True

    def __init__(self, bench: Bench, erases: bool) -> None:
        super().__init__(bench)
        self.picks = not erases
        self._erases = erases
        self._last: Point | None = None
        self._sizing: _Sizing | None = None
        bench.controller.replaced.connect(self._forget_last)

    @property
    def is_busy(self) -> bool:
        return self._sizing is not None or self.bench.controller.is_painting

    def press(self, pen: PenEvent) -> None:
        if pen.shift:
            self._sizing = _Sizing(pen, self.bench.options.diameter)
            return
        class_id = self._class(pen)
        if class_id is None:
            return
        options = self.bench.options
        brush = Brush(options.diameter_of(self._sized), options.shape)
        self.bench.controller.begin_stroke(brush, class_id, pen.at, self._pressure(pen), options.stabilizer)
        self._last = pen.at

    def move(self, pen: PenEvent) -> None:
        if self._sizing is not None:
            self._sizing.follow(pen, self.bench)
        elif self.bench.controller.is_painting:
            self.bench.controller.extend_stroke(pen.at, self._pressure(pen))
            self._last = pen.at

    def release(self, pen: PenEvent) -> None:
        if self._sizing is not None:
            sizing, self._sizing = self._sizing, None
            if not sizing.moved:
                self._line_to(sizing.start)
        elif self.bench.controller.is_painting:
            self.bench.controller.extend_stroke(pen.at, self._pressure(pen))
            self._last = pen.at
            self.bench.controller.end_stroke()

    def cancel(self) -> None:
        if self._sizing is not None:
            self.bench.options.set_diameter(self._sizing.diameter)
            self._sizing = None
        else:
            self.bench.controller.cancel_stroke()

    def _line_to(self, pen: PenEvent) -> None:
        class_id, options = self._class(pen), self.bench.options
        if class_id is None:
            return
        start = self._last or pen.at
        brush = Brush(options.diameter_of(self._sized), options.shape)
        self.bench.controller.do(lambda editor: editor.draw_line(brush, class_id, start, pen.at))
        self._last = pen.at

    def _class(self, pen: PenEvent) -> int | None:
        return EMPTY if self._erases else self.class_to_paint(pen)

    @property
    def _sized(self) -> str:
        return "eraser" if self._erases else "brush"

    def _pressure(self, pen: PenEvent) -> float:
        return pen.pressure if self.bench.options.pressure_scales else 1.0

    def _forget_last(self) -> None:
        self._last = None


class _Sizing:
    """Shift is held: a drag to the right makes the brush larger, a click will draw a line."""

    def __init__(self, start: PenEvent, diameter: int) -> None:
        self.start, self.diameter = start, diameter
        self.moved = False

    def follow(self, pen: PenEvent, bench: Bench) -> None:
        dx = pen.view.x() - self.start.view.x()
        if self.moved or abs(dx) > _CLICK_REACH:
            self.moved = True
            bench.options.set_diameter(round(self.diameter + 2 * dx / bench.viewport.scale))
