"""The places of the window's panes, bars and docks, stored between sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from smis_desktop.ui.panels.tool_bars import ToolsBar
from smis_desktop.ui.window import docks

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow

_CLASSES_WIDTH = 236


class Arrangement:
    """Arranges the window: classes and layers at the left, the layout or start page in the middle, photograph and style
    at the right."""

    def __init__(self, window: MainWindow) -> None:
        """window: its parts exist already; they are placed here."""
        self._window = window
        # Its width must not keep the window wide while it is hidden.
        window.start_page.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._stack = QStackedWidget()
        for page in (window.layout_pane, window.start_page):
            self._stack.addWidget(page)
        middle = QWidget()
        margin = QVBoxLayout(middle)
        margin.setContentsMargins(0, 0, 0, 8)
        margin.addWidget(self._stack)
        window.setCentralWidget(middle)
        self._tools_bar = ToolsBar(window.commands, window.options)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, window.tools)
        window.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self._tools_bar)
        self._docks = docks.add_docks(window)
        window.resizeDocks(
            [self._docks["palette"], self._docks["photograph"]],
            [_CLASSES_WIDTH, (window.width() - _CLASSES_WIDTH - 60) // 2],
            Qt.Orientation.Horizontal,
        )

    @property
    def shows_painting(self) -> bool:
        """Whether the layout is in the middle, and not the start page."""
        return self._stack.currentWidget() is self._window.layout_pane

    def show_painting(self) -> None:
        """Show the layout in the middle."""
        self._stack.setCurrentWidget(self._window.layout_pane)

    def show_start_page(self) -> None:
        """Show the start page in the middle."""
        self._stack.setCurrentWidget(self._window.start_page)

    def hide_panels(self, hidden: bool) -> None:
        """Hide everything but the layout, or show it again."""
        hideable = [self._docks[dock.name] for dock in docks.DOCKS if dock.is_hidden_with_panels]
        for widget in (*hideable, self._tools_bar, self._window.tools):
            widget.setVisible(not hidden)

    def show_dock(self, name: str, is_shown: bool) -> None:
        """Show or hide a dock of the table."""
        self._docks[name].setVisible(is_shown)
        beside = next(dock.split_with for dock in docks.DOCKS if dock.name == name)
        if is_shown and beside:  # Qt takes all of its room from the one beside it
            half = (self._docks[beside].width() + self._stack.width()) // 2
            self._window.resizeDocks([self._docks[beside]], [half], Qt.Orientation.Horizontal)

    def connect_dock_commands(self) -> None:
        """Check each dock's command while the dock is visible."""
        for dock in docks.DOCKS:
            if dock.toggle_text:
                action = self._window.commands[f"view.{dock.name}"]
                action.setChecked(not self._docks[dock.name].isHidden())
                self._docks[dock.name].visibilityChanged.connect(action.setChecked)

    def restore(self, settings: QSettings) -> None:
        """Restore the size and places that `keep` stored."""
        for name, restore in (("geometry", self._window.restoreGeometry), ("state", self._window.restoreState)):
            stored = settings.value(f"window/{name}")
            if isinstance(stored, QByteArray):
                restore(stored)

    def keep(self, settings: QSettings) -> None:
        """Store size and places for the next start."""
        settings.setValue("window/geometry", self._window.saveGeometry())
        settings.setValue("window/state", self._window.saveState())


def stacked(tall: QWidget, *low: QWidget) -> QWidget:
    """Put one widget above others; the upper one takes the remaining room."""
    all_of_them = QWidget()
    column = QVBoxLayout(all_of_them)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(tall, 1)
    for widget in low:
        column.addWidget(widget)
    return all_of_them
