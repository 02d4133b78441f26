"""The window's commands as actions, with a person's own keys where there are any."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, QSettings, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from smis_desktop.ui.widgets.icons import tool_icon
from smis_desktop.ui.window.commands import COMMANDS, Command

_SETTINGS_GROUP = "keys"


class Shortcuts(QObject):
    """One action for each command. Keys are kept in the settings where they differ from the defaults."""

    changed = Signal()
    """Keys were changed."""

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._settings = settings
        self._commands = {command.command_id: command for command in COMMANDS}
        self._actions: dict[str, QAction] = {}
        for command in COMMANDS:
            action = QAction(command.words, self)
            action.setCheckable(command.checkable)
            action.setEnabled(not command.needs_document)
            if not command.on_canvas:
                window.addAction(action)
            self._actions[command.command_id] = action
            self._give_keys(command, self._stored(command))
        self.redraw_icons()

    def __getitem__(self, command_id: str) -> QAction:
        return self._actions[command_id]

    def commands(self) -> Iterable[Command]:
        """All of them, in the table's order."""
        return COMMANDS

    def keys(self, command_id: str) -> tuple[str, ...]:
        """The keys now, as portable text."""
        shortcuts = self._actions[command_id].shortcuts()
        return tuple(key.toString(QKeySequence.SequenceFormat.PortableText) for key in shortcuts)

    def native_keys(self, command_id: str) -> str:
        """The keys now, as the person's system writes them."""
        shortcuts = self._actions[command_id].shortcuts()
        return "   ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in shortcuts)

    def add_canvas_actions(self, canvas: QWidget) -> None:
        """Commands whose keys count on the canvas alone."""
        for command in COMMANDS:
            if command.on_canvas:
                action = self._actions[command.command_id]
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                canvas.addAction(action)

    def holder_of(self, key: str, besides: str) -> Command | None:
        """The other command that has this key."""
        wanted = QKeySequence(key)
        for command in COMMANDS:
            held = self._actions[command.command_id].shortcuts()
            if command.command_id != besides and any(wanted == shortcut for shortcut in held):
                return command
        return None

    def rebind(self, command_id: str, keys: tuple[str, ...]) -> None:
        """Gives a command other keys; whoever had them before loses them."""
        for key in keys:
            holder = self.holder_of(key, besides=command_id)
            if holder is not None:
                self._keep(
                    holder, tuple(k for k in self.keys(holder.command_id) if QKeySequence(k) != QKeySequence(key))
                )
        self._keep(self._commands[command_id], keys)
        self.changed.emit()

    def reset(self) -> None:
        """All default keys again."""
        self._settings.remove(_SETTINGS_GROUP)
        for command in COMMANDS:
            self._give_keys(command, command.keys)
        self.changed.emit()

    def redraw_icons(self) -> None:
        """In the colours of the present theme."""
        for command in COMMANDS:
            if command.icon is not None:
                self._actions[command.command_id].setIcon(tool_icon(command.icon))
                self._actions[command.command_id].setIconVisibleInMenu(False)

    def set_document_actions(self, enabled: bool) -> None:
        """There is a document now, or none."""
        for command in COMMANDS:
            if command.needs_document:
                self._actions[command.command_id].setEnabled(enabled)

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
