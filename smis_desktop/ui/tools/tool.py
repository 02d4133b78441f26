"""The base class of tools, what the canvas gives to them, and the options that people set."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen

import smis_desktop.ui.tools
from smis_desktop.document.brush import BrushShape, Point
from smis_desktop.document.palette import EMPTY
from smis_desktop.ui.canvas.viewport import Viewport
from smis_desktop.ui.tools.options import Choice, Diameter, Option
from smis_desktop.ui.window.document_controller import DocumentController

DEFAULT_TOOL = "brush"

T = TypeVar("T")


@dataclass(frozen=True)
class PenEvent:
    """A position of the pointer, mouse and pen alike. `at` in layout pixels, `view` in the canvas, `pressure` 0–1.

    erases: by the right button, or by the eraser end of a pen (which is an eraser, with the eraser's size).
    """

    at: Point
    view: QPointF
    pressure: float = 1.0
    erases: bool = False
    shift: bool = False
    is_eraser_end: bool = False


@dataclass(frozen=True, eq=False)
class ToolContext:
    """What tools work with. `repaint` redraws the canvas's overlays; `view_changed` announces a moved view."""

    controller: DocumentController
    options: ToolOptions
    viewport: Viewport
    repaint: Callable[[], None]
    view_changed: Callable[[], None]


class ToolGroup(IntEnum):
    """The groups of tools, in their order in the bar and the menu."""

    PAINT = 1
    SHAPE = 2
    EDIT = 3
    VIEW = 4


class Tool:
    """Base class of tools. Subclasses declare what they are and override the calls that they need.

    Tool bar, menu, keys dialog, options bar, cheat sheet and tooltips are made from these attributes. All texts are
    marked with QT_TRANSLATE_NOOP("Command", …).
    """

    name: ClassVar[str] = ""
    """Also stored with a person's own keys: never change one. A class without a name is only a base of others."""
    title: ClassVar[str] = ""
    """The name for people, with the menu's mnemonic."""
    icon: ClassVar[str] = ""
    """A file of resources/icons without its suffix, or an SVG drawing in `currentColor`."""
    keys: ClassVar[tuple[str, ...]] = ()
    """The default keys."""
    group: ClassVar[ToolGroup] = ToolGroup.EDIT
    order: ClassVar[int] = 100
    """Place within the group."""
    hint: ClassVar[str] = ""
    """How to use it, for the options bar."""
    gestures: ClassVar[tuple[tuple[str, str], ...]] = ()
    """What the pointer does and how, for the cheat sheet."""
    options: ClassVar[tuple[Option[Any], ...]] = ()
    """The tool's options, in the order of the options bar."""
    size: ClassVar[Diameter | None] = None
    """One of the options: what `[` and `]` change, and how large the outline at the pointer is."""
    shape: ClassVar[Choice[BrushShape] | None] = None
    """One of the options: the shape of that outline."""
    cursor: ClassVar[Qt.CursorShape] = Qt.CursorShape.CrossCursor
    paints_class: ClassVar[bool] = False
    """Whether it paints the current class. Ctrl- or Alt-click then picks a class, and choosing one keeps the tool."""
    eraser_end: ClassVar[str] = ""
    """The tool that a pen's eraser end is instead."""
    takes_double_click: ClassVar[bool] = False
    follows_layers: ClassVar[bool] = False
    """Whether what it draws depends on the layers."""

    def __init__(self, context: ToolContext) -> None:
        self.context = context

    @property
    def is_busy(self) -> bool:
        """Whether Esc would cancel something."""
        return False

    def press(self, pen: PenEvent) -> None:
        """Handle a press."""

    def move(self, pen: PenEvent) -> None:
        """Handle a move, pressed or not (see `is_busy`)."""

    def release(self, pen: PenEvent) -> None:
        """Handle a release."""

    def double_click(self, pen: PenEvent) -> None:
        """Handle two presses at one place; the first came as `press`. Called if `takes_double_click`."""

    def finish(self) -> None:
        """Handle Enter."""

    def step_back(self) -> None:
        """Handle Backspace."""

    def cancel(self) -> None:
        """Drop what was begun."""

    def paint(self, painter: QPainter) -> None:
        """Draw over the layout, in view coordinates."""

    def class_to_paint(self, pen: PenEvent) -> int | None:
        """Return the current class, or 255 when this pointer erases; None while there is no class."""
        return EMPTY if pen.erases else self.context.options.class_id

    def view_point(self, at: Point) -> QPointF:
        """Return where a point of the layout lies in the view."""
        return QPointF(*self.context.viewport.to_view(*at))


def tool_classes() -> dict[str, type[Tool]]:
    """Find the tools in the modules of `ui.tools`. Returns them by name, in the order of the tool bar."""
    found: list[type[Tool]] = []
    package = smis_desktop.ui.tools
    for module_info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            is_tool = isinstance(value, type) and issubclass(value, Tool) and value.__module__ == module.__name__
            if is_tool and value.name:
                found.append(value)
    return {tool.name: tool for tool in sorted(found, key=lambda tool: (tool.group, tool.order, tool.name))}


class ToolOptions(QObject):
    """The chosen tool, the current class, and the value of each option. Emits `changed` for tool and options."""

    changed = Signal()
    class_chosen = Signal(int)
    """Another class is current."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tools: Mapping[str, type[Tool]] = tool_classes()
        self._tool = DEFAULT_TOOL
        self._class_id: int | None = None
        self._last_class_id: int | None = None
        self._values: dict[Option[Any], Any] = {
            option: option.default for tool in self.tools.values() for option in tool.options
        }

    def __getitem__(self, option: Option[T]) -> T:
        value: T = self._values[option]
        return value

    def set(self, option: Option[T], value: T) -> None:
        """Set an option; a value outside its range becomes the nearest one inside."""
        value = option.clamped(value)
        if self._values[option] != value:
            self._values[option] = value
            self.changed.emit()

    @property
    def tool(self) -> str:
        """The name of the chosen tool."""
        return self._tool

    def set_tool(self, name: str) -> None:
        """Choose a tool by its name."""
        assert name in self.tools, name
        if name != self._tool:
            self._tool = name
            self.changed.emit()

    @property
    def class_id(self) -> int | None:
        """The class to paint; None while no palette is known."""
        return self._class_id

    def choose_class(self, class_id: int) -> None:
        """Choose the class to paint; chooses the brush as well if the present tool paints no class."""
        if class_id != self._class_id:
            self._last_class_id, self._class_id = self._class_id, class_id
            self.class_chosen.emit(class_id)
        if not self.tools[self._tool].paints_class:
            self.set_tool(DEFAULT_TOOL)

    def swap_classes(self) -> None:
        """Choose the previous class."""
        if self._last_class_id is not None:
            self.choose_class(self._last_class_id)

    @property
    def size(self) -> Diameter:
        """The size option of the chosen tool, or the brush's."""
        found = self.tools[self._tool].size or self.tools[DEFAULT_TOOL].size
        assert found is not None, "the brush has a size"
        return found

    @property
    def diameter(self) -> int:
        """The size of the chosen tool or the brush, in layout pixels."""
        return self[self.size]

    def set_diameter(self, diameter: int) -> None:
        """Set the size of the chosen tool or the brush, in layout pixels."""
        self.set(self.size, diameter)

    def grow(self) -> None:
        """Make the brush about a fifth larger."""
        self.set_diameter(max(self.diameter + 1, round(self.diameter * 1.2)))

    def shrink(self) -> None:
        """Make the brush about a fifth smaller."""
        self.set_diameter(min(self.diameter - 1, round(self.diameter / 1.2)))


def outline_pens() -> tuple[QPen, QPen]:
    """Return a dark and a light pen: one of the two stands out on any class's colour."""
    return QPen(QColor(0, 0, 0, 150), 2.6), QPen(QColor(255, 255, 255, 235), 1.2)
