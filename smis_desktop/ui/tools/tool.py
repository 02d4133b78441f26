"""What every tool is: a few calls that the canvas makes as the pointer moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from smis_desktop.document.brush import Point
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.canvas.viewport import Viewport
from smis_desktop.ui.tools.options import ToolOptions
from smis_desktop.ui.window.document_controller import DocumentController


@dataclass(frozen=True)
class PenEvent:
    """Pointer, mouse or pen alike. `at` in layout pixels, `view` in the canvas.

    erases: by the right button, or by the eraser end of a pen (which is an eraser, with the eraser's size).
    """

    at: Point
    view: QPointF
    pressure: float = 1.0
    erases: bool = False
    shift: bool = False
    is_eraser_end: bool = False


@dataclass(frozen=True, eq=False)
class Bench:
    """What tools work with. `repaint` asks the canvas to draw its overlay anew; `tell` shows a sentence."""

    controller: DocumentController
    options: ToolOptions
    viewport: Viewport
    repaint: Callable[[], None]
    view_changed: Callable[[], None]


class Tool:
    """Does nothing: the tools override what they need."""

    has_outline = False
    """Whether the brush's outline follows the pointer."""
    picks = False
    """Whether Ctrl- or Alt-click picks the class under the pointer instead."""
    cursor = Qt.CursorShape.CrossCursor

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @property
    def is_busy(self) -> bool:
        """Whether something is in hand that Esc would cancel."""
        return False

    def press(self, pen: PenEvent) -> None:
        """The pointer went down."""

    def move(self, pen: PenEvent) -> None:
        """It moved, down or not (see `is_busy`)."""

    def release(self, pen: PenEvent) -> None:
        """It was lifted."""

    def double_click(self, pen: PenEvent) -> None:
        """Two presses at one place; the first came as `press`."""

    def finish(self) -> None:
        """Enter was pressed."""

    def step_back(self) -> None:
        """Backspace was pressed."""

    def cancel(self) -> None:
        """Give up what is in hand."""

    def paint(self, painter: QPainter) -> None:
        """Draw over the layout, in view coordinates."""

    def class_to_paint(self, pen: PenEvent) -> int | None:
        """The current class, or 255 when this pointer erases; None while there is none."""
        return EMPTY if pen.erases else self.bench.options.class_id

    def view_point(self, at: Point) -> QPointF:
        """Layout → view."""
        return QPointF(*self.bench.viewport.to_view(*at))


def outline_pens() -> tuple[QPen, QPen]:
    """Dark, then light: one of the two stands out on any class's colour."""
    return QPen(QColor(0, 0, 0, 150), 2.6), QPen(QColor(255, 255, 255, 235), 1.2)
