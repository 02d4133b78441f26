"""The table of all docks of the window: where each goes, whether *Hide panels* hides it, and how it is toggled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QVBoxLayout, QWidget

from smis_desktop.ui.widgets.translation import QT_TRANSLATE_NOOP, translated

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow

LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea


@dataclass(frozen=True)
class Dock:
    """A row of the dock table."""

    name: str
    """Stored with the window's layout and, where the dock has a command, with a person's own keys: never change one."""
    title: str
    area: Qt.DockWidgetArea
    content: Callable[[MainWindow], QWidget]
    """What the dock holds; a QDockWidget is the dock itself."""
    height: int = 0
    """Its height at first, next to others in one column; 0: what its content asks for."""
    is_hidden_with_panels: bool = True
    starts_hidden: bool = False
    split_with: str = ""
    """The dock that it shares a row with, instead of going below the others of its area."""
    toggle_text: str = ""
    """The words of its command in the View menu, `view.NAME`; without them it has none."""
    keys: tuple[str, ...] = ()
    icon: str | None = None


DOCKS: tuple[Dock, ...] = (
    Dock("palette", QT_TRANSLATE_NOOP("Command", "Classes"), LEFT, lambda w: w.classes, height=520),
    Dock("layers", QT_TRANSLATE_NOOP("Command", "Layers"), LEFT, lambda w: w.layers, height=250),
    Dock("photograph", QT_TRANSLATE_NOOP("Command", "Photograph"), RIGHT, lambda w: w.picture_pane),
    Dock(
        "style",
        QT_TRANSLATE_NOOP("Command", "Style"),
        RIGHT,
        lambda w: w.style_controller.panel,
        is_hidden_with_panels=False,
        starts_hidden=True,
        split_with="photograph",
        toggle_text=QT_TRANSLATE_NOOP("Command", "&Style panel"),
        keys=("Y",),
        icon="faders",
    ),
)


def add_docks(window: MainWindow) -> dict[str, QDockWidget]:
    """Add all docks to the window. Returns them by name."""
    added: dict[str, QDockWidget] = {}
    for dock in DOCKS:
        widget = added[dock.name] = _dock_widget(dock, window)
        window.addDockWidget(dock.area, widget)
        if dock.split_with:
            window.splitDockWidget(added[dock.split_with], widget, Qt.Orientation.Horizontal)
        widget.setVisible(not dock.starts_hidden)
    sized = [dock for dock in DOCKS if dock.height]
    window.resizeDocks([added[d.name] for d in sized], [d.height for d in sized], Qt.Orientation.Vertical)
    return added


def _dock_widget(dock: Dock, window: MainWindow) -> QDockWidget:
    content = dock.content(window)
    if isinstance(content, QDockWidget):
        widget = content
    else:
        widget = QDockWidget()
        holder = QWidget()
        margin = QVBoxLayout(holder)
        margin.setContentsMargins(0, 0, 8, 8)
        margin.addWidget(content)
        widget.setWidget(holder)
    widget.setObjectName(dock.name)
    widget.setWindowTitle(translated(dock.title))
    widget.setTitleBarWidget(QWidget())  # what it holds has a heading of its own
    return widget
