"""The types of the command table, from which menus, tool bars, keys and the lists of keys are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from smis_desktop.ui.widgets.translation import translated, without_mnemonic

if TYPE_CHECKING:
    from smis_desktop.ui.canvas.canvas import Canvas
    from smis_desktop.ui.tools.tool import ToolOptions
    from smis_desktop.ui.window.document_controller import DocumentController
    from smis_desktop.ui.window.main_window import MainWindow


class ClassList(Protocol):
    """The classes that one paints with, as a list in a dock."""

    def choose_row(self, row: int) -> None:
        """Choose the class in a row."""

    def add_class(self) -> None:
        """Add a class and choose it."""


class PaintingSurface(Protocol):
    """Where people paint: the main window, and the assistant's page of labels."""

    controller: DocumentController
    options: ToolOptions
    canvas: Canvas

    @property
    def classes(self) -> ClassList:
        """The dock of classes."""


class When(Enum):
    """What must exist for a command to be enabled."""

    ALWAYS = auto()
    DOCUMENT = auto()
    PICTURE = auto()
    UNDO = auto()
    REDO = auto()


class Slot(Enum):
    """Entries of a menu that are not rows of the table."""

    LINE = auto()
    RECENT = auto()
    """The submenu of recent projects."""
    TOOLS = auto()
    """One command for each tool of `ui.tools`."""
    FOLDER_IMPORTS = auto()
    FOLDER_EXPORTS = auto()
    """One command for each file format that is a folder of files."""
    DOCKS = auto()
    """One command for each dock that can be shown and hidden."""


@dataclass(frozen=True)
class Command:
    """A row of the command table. Exactly one of `edit`, `run` and `toggle` says what the command does."""

    command_id: str
    """Stored with a person's own keys: never change one."""
    text: str
    """The words of its menu entry, marked for translation, with the mnemonic."""
    keys: tuple[str, ...] = ()
    """The default keys."""
    icon: str | None = None
    edit: Callable[[PaintingSurface], object] | None = None
    """What it does wherever one paints."""
    run: Callable[[MainWindow], object] | None = None
    """What it does in the main window, the only place that has it."""
    toggle: Callable[[MainWindow, bool], object] | None = None
    """Makes the command checkable: what happens when it is switched on or off."""
    when: When = When.ALWAYS
    is_choice: bool = False
    """Checkable, as one of several of which one is checked."""
    on_canvas: bool = False
    """The key counts only while the canvas has the focus: elsewhere it has another meaning."""
    group: str = ""
    """Heading in the lists of keys, if it is not the menu's title."""
    in_menu: bool = True

    @property
    def words(self) -> str:
        """The text in the person's language, with the menu's mnemonic."""
        return translated(self.text)

    @property
    def plain_words(self) -> str:
        """The text in the person's language, for tooltips and lists."""
        return without_mnemonic(self.words)


@dataclass(frozen=True)
class Menu:
    """A menu of the menu bar. Its title is also the heading of its commands in the lists of keys."""

    title: str
    rows: tuple[Command | Slot, ...]

    @property
    def words(self) -> str:
        """The title in the person's language, with its mnemonic."""
        return translated(self.title)

    def heading(self, command: Command) -> str:
        """Return the command's heading in the lists of keys, in the person's language."""
        return translated(command.group or self.title).replace("&", "")


@dataclass(frozen=True)
class CommandTable:
    """All commands in their menus, and what the pointer does on the canvas, and how."""

    menus: tuple[Menu, ...]
    gestures: tuple[tuple[str, str], ...]
