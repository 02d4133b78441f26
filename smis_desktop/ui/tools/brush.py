"""Brush and eraser: strokes, straight lines with Shift-click, and their size with Shift-drag."""

from __future__ import annotations

from typing import ClassVar

from smis_desktop.document.brush import Brush, BrushShape, Point
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.tools.options import Choice, Diameter, Fraction, Toggle
from smis_desktop.ui.tools.tool import PenEvent, Tool, ToolContext, ToolGroup
from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP

_CLICK_REACH = 4.0
"""View pixels: a shorter movement counts as a click."""


def _diameter() -> Diameter:
    return Diameter(
        label=QT_TRANSLATE_NOOP("Command", "Size"),
        accessible_name=QT_TRANSLATE_NOOP("Command", "Brush size"),
        tip=QT_TRANSLATE_NOOP("Command", "Size in layout pixels. Also: [ and ], or Shift-drag on the canvas"),
        default=36,
        minimum=1,
        maximum=512,
    )


SIZE, ERASER_SIZE = _diameter(), _diameter()
SHAPE: Choice[BrushShape] = Choice(
    label="",
    accessible_name=QT_TRANSLATE_NOOP("Command", "Brush shape"),
    tip=QT_TRANSLATE_NOOP("Command", "Shape of brush and eraser"),
    default="round",
    choices=(
        ("round", QT_TRANSLATE_NOOP("Command", "Round")),
        ("square", QT_TRANSLATE_NOOP("Command", "Square")),
    ),
)
STABILIZER = Fraction(
    label=QT_TRANSLATE_NOOP("Command", "Stabiliser"),
    tip=QT_TRANSLATE_NOOP("Command", "Smooths shaky strokes; off at the left end"),
    default=0.0,
)
PRESSURE = Toggle(
    label=QT_TRANSLATE_NOOP("Command", "Pressure"),
    tip=QT_TRANSLATE_NOOP("Command", "Pen pressure changes the size"),
    default=True,
)


class BrushTool(Tool):
    """Paints the current class."""

    name = "brush"
    title = QT_TRANSLATE_NOOP("Command", "&Brush")
    icon = "brush"
    keys = ("B",)
    group = ToolGroup.PAINT
    order = 1
    options = (SIZE, SHAPE, STABILIZER, PRESSURE)
    size = SIZE
    shape = SHAPE
    gestures: ClassVar[tuple[tuple[str, str], ...]] = (
        (QT_TRANSLATE_NOOP("Command", "Straight line"), QT_TRANSLATE_NOOP("Command", "Shift + click")),
        (QT_TRANSLATE_NOOP("Command", "Brush size"), QT_TRANSLATE_NOOP("Command", "Shift + drag")),
    )
    paints_class = True
    eraser_end = "eraser"

    def __init__(self, context: ToolContext) -> None:
        super().__init__(context)
        self._last: Point | None = None
        self._sizing: _Sizing | None = None
        context.controller.replaced.connect(self._forget_last)

    @property
    def is_busy(self) -> bool:
        return self._sizing is not None or self.context.controller.is_painting

    def press(self, pen: PenEvent) -> None:
        if pen.shift:
            self._sizing = _Sizing(pen, self.context.options.diameter)
            return
        class_id = self.class_to_paint(pen)
        if class_id is None:
            return
        stabilizer = self.context.options[STABILIZER]
        self.context.controller.begin_stroke(self._brush(), class_id, pen.at, self._pressure(pen), stabilizer)
        self._last = pen.at

    def move(self, pen: PenEvent) -> None:
        if self._sizing is not None:
            self._sizing.follow(pen, self.context)
        elif self.context.controller.is_painting:
            self.context.controller.extend_stroke(pen.at, self._pressure(pen))
            self._last = pen.at

    def release(self, pen: PenEvent) -> None:
        if self._sizing is not None:
            sizing, self._sizing = self._sizing, None
            if not sizing.moved:
                self._line_to(sizing.start)
        elif self.context.controller.is_painting:
            self.context.controller.extend_stroke(pen.at, self._pressure(pen))
            self._last = pen.at
            self.context.controller.end_stroke()

    def cancel(self) -> None:
        if self._sizing is not None:
            self.context.options.set_diameter(self._sizing.diameter)
            self._sizing = None
        else:
            self.context.controller.cancel_stroke()

    def _line_to(self, pen: PenEvent) -> None:
        class_id = self.class_to_paint(pen)
        if class_id is None:
            return
        start, brush = self._last or pen.at, self._brush()
        self.context.controller.do(lambda editor: editor.draw_line(brush, class_id, start, pen.at))
        self._last = pen.at

    def _brush(self) -> Brush:
        assert self.size is not None, "brush and eraser have a size"
        return Brush(self.context.options[self.size], self.context.options[SHAPE])

    def _pressure(self, pen: PenEvent) -> float:
        return pen.pressure if self.context.options[PRESSURE] else 1.0

    def _forget_last(self) -> None:
        self._last = None


class EraserTool(BrushTool):
    """Erases where it is drawn: sets pixels to 255."""

    name = "eraser"
    title = QT_TRANSLATE_NOOP("Command", "&Eraser")
    icon = "eraser"
    keys = ("E",)
    order = 2
    options = (ERASER_SIZE, SHAPE, STABILIZER, PRESSURE)
    size = ERASER_SIZE
    gestures = ()
    paints_class = False
    eraser_end = ""

    def class_to_paint(self, pen: PenEvent) -> int | None:
        return EMPTY


class _Sizing:
    """A gesture with Shift: a drag to the right makes the brush larger, a click draws a line."""

    def __init__(self, start: PenEvent, diameter: int) -> None:
        self.start, self.diameter = start, diameter
        self.moved = False

    def follow(self, pen: PenEvent, context: ToolContext) -> None:
        dx = pen.view.x() - self.start.view.x()
        if self.moved or abs(dx) > _CLICK_REACH:
            self.moved = True
            context.options.set_diameter(round(self.diameter + 2 * dx / context.viewport.scale))
