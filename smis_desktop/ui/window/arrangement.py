"""Where everything in the window is: panes, docks and bars, what of them is hidden, and where they were last time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QDockWidget, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from smis_desktop.ui.panels.tool_bars import ToolsBar
from smis_desktop.ui.widgets.controls import Pane

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow

_CLASSES_WIDTH = 236


class Arrangement:
    """Left classes and layers, in the middle the layout or the start page, right the photograph and the style."""

    def __init__(self, window: MainWindow) -> None:
        """window: its parts are there already; they get their places."""
        self._window = window
        self.layout_pane = Pane(window.tr("Layout"), window.canvas, window.underlay)
        self.picture_pane = Pane(
            window.tr("Photograph"), _column(window.panel, window.history), window.style_controller.bar
        )
        # It may be narrow when it is not seen: else the painting could never be.
        window.start_page.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._stack = QStackedWidget()
        for page in (self.layout_pane, window.start_page):
            self._stack.addWidget(page)
        middle = QWidget()
        margin = QVBoxLayout(middle)
        margin.setContentsMargins(0, 0, 0, 8)
        margin.addWidget(self._stack)
        window.setCentralWidget(middle)
        self._tools_bar = ToolsBar(window.commands, window.options)
        window.addToolBar(Qt.ToolBarArea.TopToolBarArea, window.tools)
        window.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self._tools_bar)
        self._photograph_dock = self._dock_of_photograph()
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, window.classes)
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, window.layers)
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._photograph_dock)
        window.splitDockWidget(self._photograph_dock, window.style_controller.panel, Qt.Orientation.Horizontal)
        window.style_controller.panel.hide()
        window.resizeDocks(
            [window.classes, self._photograph_dock],
            [_CLASSES_WIDTH, (window.width() - _CLASSES_WIDTH - 60) // 2],
            Qt.Orientation.Horizontal,
        )
        window.resizeDocks([window.classes, window.layers], [520, 250], Qt.Orientation.Vertical)

    @property
    def shows_painting(self) -> bool:
        """Whether the layout is in the middle, and not the start page."""
        return self._stack.currentWidget() is self.layout_pane

    def show_painting(self) -> None:
        """The layout in the middle."""
        self._stack.setCurrentWidget(self.layout_pane)

    def show_start_page(self) -> None:
        """What one can begin with in the middle."""
        self._stack.setCurrentWidget(self._window.start_page)

    def hide_panels(self, hidden: bool) -> None:
        """Nothing but the layout, or everything again."""
        window = self._window
        for widget in (window.classes, window.layers, self._photograph_dock, self._tools_bar, window.tools):
            widget.setVisible(not hidden)

    def restore(self, settings: QSettings) -> None:
        """Size and places as `keep` wrote them."""
        for name, restore in (("geometry", self._window.restoreGeometry), ("state", self._window.restoreState)):
            stored = settings.value(f"window/{name}")
            if isinstance(stored, QByteArray):
                restore(stored)

    def keep(self, settings: QSettings) -> None:
        """For the next time."""
        settings.setValue("window/geometry", self._window.saveGeometry())
        settings.setValue("window/state", self._window.saveState())

    def _dock_of_photograph(self) -> QDockWidget:
        dock = QDockWidget(self._window.tr("Photograph"))
        dock.setObjectName("photograph")
        dock.setTitleBarWidget(QWidget())
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 8, 8)
        column.addWidget(self.picture_pane)
        dock.setWidget(holder)
        return dock


def _column(tall: QWidget, low: QWidget) -> QWidget:
    both = QWidget()
    column = QVBoxLayout(both)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(tall, 1)
    column.addWidget(low)
    return both
