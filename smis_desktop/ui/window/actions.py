"""One action for each command: with a person's own keys, an icon in the theme's colours, and its effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, QSettings, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from smis_desktop.ui.widgets.theme import tool_icon
from smis_desktop.ui.window.commands import Command, CommandTable, PaintingSurface, Slot, When

if TYPE_CHECKING:
    from smis_desktop.ui.window.main_window import MainWindow

_SETTINGS_GROUP = "keys"


class CommandActions(QObject):
    """The commands as actions of a window. Keys are stored in the settings where they differ from the defaults."""

    changed = Signal()
    """Keys were changed."""

    def __init__(self, window: QWidget, settings: QSettings, table: CommandTable) -> None:
        super().__init__(window)
        self._settings = settings
        self._menus = table.menus
        self.gestures = table.gestures
        """What the pointer does on the canvas, and how, in the words of the table."""
        self._commands: dict[str, Command] = {}
        self._headings: dict[str, str] = {}
        self._actions: dict[str, QAction] = {}
        for menu in self._menus:
            for command in menu.rows:
                if isinstance(command, Command):
                    self._commands[command.command_id] = command
                    self._headings[command.command_id] = menu.heading(command)
                    self._add(command, window)
        self.redraw_icons()

    def _add(self, command: Command, window: QWidget) -> None:
        action = QAction(command.words, self)
        action.setCheckable(command.toggle is not None or command.is_choice)
        action.setEnabled(command.when == When.ALWAYS)
        if not command.on_canvas:
            window.addAction(action)
        self._actions[command.command_id] = action
        self._give_keys(command, self._stored(command))

    def __getitem__(self, command_id: str) -> QAction:
        return self._actions[command_id]

    def by_heading(self) -> Iterator[tuple[str, Command]]:
        """Yield each command with its heading in the lists of keys, in the order of the menus."""
        for command_id, command in self._commands.items():
            yield self._headings[command_id], command

    def connect_painting(self, surface: PaintingSurface) -> None:
        """Connect the commands that work on any painting surface to `surface`."""
        for command in self._commands.values():
            if command.edit is not None:
                self._on_trigger(command, partial(command.edit, surface))
        controller = surface.controller
        controller.replaced.connect(lambda: self.enable(When.DOCUMENT, True))
        controller.can_undo_changed.connect(self["edit.undo"].setEnabled)
        controller.can_redo_changed.connect(self["edit.redo"].setEnabled)
        controller.undo_text_changed.connect(self["edit.undo"].setText)

    def connect_window(self, window: MainWindow) -> None:
        """Connect all commands to the main window."""
        self.connect_painting(window)
        window.preview.picture_available.connect(partial(self.enable, When.PICTURE))
        for command in self._commands.values():
            if command.run is not None:
                self._on_trigger(command, partial(command.run, window))
            elif command.toggle is not None:
                self._actions[command.command_id].toggled.connect(partial(command.toggle, window))

    def _on_trigger(self, command: Command, act: Callable[[], object]) -> None:
        self._actions[command.command_id].triggered.connect(lambda _=False: act())

    def keys(self, command_id: str) -> tuple[str, ...]:
        """The present keys, as portable text."""
        shortcuts = self._actions[command_id].shortcuts()
        return tuple(key.toString(QKeySequence.SequenceFormat.PortableText) for key in shortcuts)

    def native_keys(self, command_id: str) -> str:
        """The present keys, as the person's system writes them."""
        shortcuts = self._actions[command_id].shortcuts()
        return "   ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in shortcuts)

    def add_canvas_actions(self, canvas: QWidget) -> None:
        """Give the canvas the commands whose keys work only there."""
        for command in self._commands.values():
            if command.on_canvas:
                action = self._actions[command.command_id]
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                canvas.addAction(action)

    def holder_of(self, key: str, except_for: str) -> Command | None:
        """Return the command other than `except_for` that has this key."""
        wanted = QKeySequence(key)
        for command in self._commands.values():
            held = self._actions[command.command_id].shortcuts()
            if command.command_id != except_for and any(wanted == shortcut for shortcut in held):
                return command
        return None

    def rebind(self, command_id: str, keys: tuple[str, ...]) -> None:
        """Give a command other keys; commands that had them lose them."""
        for key in keys:
            holder = self.holder_of(key, except_for=command_id)
            if holder is not None:
                self._keep(
                    holder, tuple(k for k in self.keys(holder.command_id) if QKeySequence(k) != QKeySequence(key))
                )
        self._keep(self._commands[command_id], keys)
        self.changed.emit()

    def reset(self) -> None:
        """Give all commands their default keys again."""
        self._settings.remove(_SETTINGS_GROUP)
        for command in self._commands.values():
            self._give_keys(command, command.keys)
        self.changed.emit()

    def redraw_icons(self) -> None:
        """Draw the icons in the colours of the present theme."""
        for command in self._commands.values():
            if command.icon is not None:
                self._actions[command.command_id].setIcon(tool_icon(command.icon))
                self._actions[command.command_id].setIconVisibleInMenu(False)

    def enable(self, when: When, is_there: bool) -> None:
        """Enable or disable the commands that depend on something, as it appears or disappears."""
        for command in self._commands.values():
            if command.when == when:
                self._actions[command.command_id].setEnabled(is_there)

    def _stored(self, command: Command) -> tuple[str, ...]:
        value = self._settings.value(f"{_SETTINGS_GROUP}/{command.command_id}")
        if not isinstance(value, str):
            return command.keys
        return tuple(key for key in value.split("\n") if key and not QKeySequence(key).isEmpty())

    def _keep(self, command: Command, keys: tuple[str, ...]) -> None:
        name = f"{_SETTINGS_GROUP}/{command.command_id}"
        if keys == command.keys:
            self._settings.remove(name)
        else:
            self._settings.setValue(name, "\n".join(keys))
        self._give_keys(command, keys)

    def _give_keys(self, command: Command, keys: tuple[str, ...]) -> None:
        action = self._actions[command.command_id]
        action.setShortcuts([QKeySequence(key) for key in keys])
        shown = action.shortcuts()[0].toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
        action.setToolTip(f"{command.plain_words} ({shown})" if shown else command.plain_words)

    def fill_menu_bar(self, window: QMainWindow) -> QMenu:
        """Fill the menu bar. Returns the submenu of recent projects, which is still empty."""
        recent = QMenu(QCoreApplication.translate("Menus", "Open &recent"), window)
        for menu in self._menus:
            shown = window.menuBar().addMenu(menu.words)
            for row in menu.rows:
                if row is Slot.LINE:
                    shown.addSeparator()
                elif row is Slot.RECENT:
                    shown.addMenu(recent)
                elif isinstance(row, Command) and row.in_menu:
                    shown.addAction(self._actions[row.command_id])
        return recent


def fill_recent(menu: QMenu, paths: tuple[Path, ...], open_project: Callable[[Path], object]) -> None:
    """Fill the submenu of recent projects, newest first."""
    menu.clear()
    for path in paths:
        menu.addAction(path.name, partial(open_project, path)).setToolTip(str(path))
    if not paths:
        menu.addAction(QCoreApplication.translate("Menus", "No recent projects")).setEnabled(False)
