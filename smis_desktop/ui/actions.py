"""Everything that the window can be told to do: words, key, icon and menu of each action."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from smis_desktop.ui.icons import tool_icon


class WindowActions(QObject):
    """The actions, in their menus. What they do is connected by the window."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._in_order: list[QAction] = []

        menu = self._menu(self.tr("&File"))
        self.new_layout = self._action(menu, self.tr("&New layout from example"), "Ctrl+N")
        self.open_layout = self._action(menu, self.tr("&Open layout…"), "Ctrl+O")
        self.open_model = self._action(menu, self.tr("Open personal &model…"), "Ctrl+M")
        menu.addSeparator()
        self.save_picture = self._action(menu, self.tr("&Save picture…"), "Ctrl+S", icon="save")
        self.save_layout = self._action(menu, self.tr("Save &layout…"), "Ctrl+Shift+S")
        menu.addSeparator()
        self.quit = self._action(menu, self.tr("&Quit"), "Ctrl+Q")
        self.quit.setMenuRole(QAction.MenuRole.QuitRole)

        menu = self._menu(self.tr("&Edit"))
        self.undo = self._action(menu, self.tr("&Undo"), "Ctrl+Z", icon="undo")
        self.redo = self._action(menu, self.tr("&Redo"), "Ctrl+Shift+Z", "Ctrl+Y", icon="redo")
        menu.addSeparator()
        self.brush = self._action(menu, self.tr("&Brush"), "B", icon="brush")
        self.eraser = self._action(menu, self.tr("&Eraser"), "E", icon="eraser")
        tools = QActionGroup(self)
        for tool in (self.brush, self.eraser):
            tool.setCheckable(True)
            tools.addAction(tool)
        self.brush.setChecked(True)
        self.larger_brush = self._action(menu, self.tr("&Larger brush"), "]")
        self.smaller_brush = self._action(menu, self.tr("&Smaller brush"), "[")
        self.cancel_stroke = self._action(menu, self.tr("&Cancel the stroke in hand"), "Esc")
        menu.addSeparator()
        self.new_style = self._action(menu, self.tr("&New style"), "N", icon="new_style")

        menu = self._menu(self.tr("&View"))
        self.zoom_in = self._action(menu, self.tr("Zoom &in"), "Ctrl++", "Ctrl+=", icon="zoom_in")
        self.zoom_out = self._action(menu, self.tr("Zoom &out"), "Ctrl+-", icon="zoom_out")
        self.zoom_fit = self._action(menu, self.tr("&Fit in view"), "Ctrl+0", icon="zoom_fit")

        menu = self._menu(self.tr("&Help"))
        self.shortcuts = self._action(menu, self.tr("&Keys and mouse"), "?", "F1")
        self.about = self._action(menu, self.tr("&About SMIS Desktop"))
        self.about.setMenuRole(QAction.MenuRole.AboutRole)

        for needs_document in (self.undo, self.redo, self.save_picture, self.save_layout):
            needs_document.setEnabled(False)

    def keys(self) -> list[tuple[str, str]]:
        """`(what it does, its keys)` of every action that has a key, in the order of the menus."""
        return [
            (
                action.text().replace("&", "").removesuffix("…"),
                "  ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()),
            )
            for action in self._in_order
            if action.shortcuts()
        ]

    def _menu(self, title: str) -> QMenu:
        return self._window.menuBar().addMenu(title)

    def _action(self, menu: QMenu, text: str, *keys: str, icon: str | None = None) -> QAction:
        action = QAction(text, self)
        action.setShortcuts([QKeySequence(key) for key in keys])
        if icon is not None:
            action.setIcon(tool_icon(icon))
            action.setIconVisibleInMenu(False)
        words = text.replace("&", "").removesuffix("…")
        action.setToolTip(f"{words} ({keys[0]})" if keys else words)
        menu.addAction(action)
        self._in_order.append(action)
        return action
