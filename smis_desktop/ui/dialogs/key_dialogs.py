"""Keys and mouse: the cheat sheet, and the dialog that changes keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.ui.widgets.translation import translated

if TYPE_CHECKING:
    from smis_desktop.ui.window.actions import CommandActions

_ID_ROLE = Qt.ItemDataRole.UserRole


class CheatSheet(QDialog):
    """Lists all keys by menu, and what the pointer does."""

    def __init__(self, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys and mouse"))
        self.resize(860, 680)
        groups: dict[str, list[tuple[str, str]]] = {
            self.tr("On the canvas"): [(translated(what), translated(how)) for what, how in commands.gestures]
        }
        for heading, command in commands.by_heading():
            keys = commands.native_keys(command.command_id)
            if keys and not command.command_id[-1:].isdigit():
                groups.setdefault(heading, []).append((command.plain_words, keys))
        groups[self.tr("On the canvas")].append((self.tr("Choose a class"), self.tr("1 – 9")))
        columns = [QVBoxLayout(), QVBoxLayout()]
        heights = [0, 0]
        for title, rows in groups.items():
            side = 0 if heights[0] <= heights[1] else 1
            heights[side] += len(rows) + 2
            columns[side].addWidget(_group(title, rows))
        body = QWidget()
        sides = QHBoxLayout(body)
        sides.setSpacing(36)
        for column in columns:
            column.addStretch(1)
            sides.addLayout(column, 1)
        scroll = QScrollArea()
        scroll.setWidget(body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 18)
        layout.addWidget(scroll)
        layout.addWidget(close_button(self))


class RebindDialog(QDialog):
    """Gives commands other keys, and warns before a key is taken from another command."""

    def __init__(self, commands: CommandActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Change keys"))
        self.resize(560, 620)
        self._commands = commands
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search commands and keys"))
        self._search.setAccessibleName(self.tr("Search commands and keys"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(self.tr("Commands and their keys"))
        self.tree.setHeaderLabels([self.tr("Command"), self.tr("Keys")])
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.currentItemChanged.connect(self._show_keys)
        self._edit = QKeySequenceEdit()
        self._edit.setMaximumSequenceLength(1)
        self._edit.setAccessibleName(self.tr("New key of the command"))
        self._edit.keySequenceChanged.connect(self._warn)
        self._warning = QLabel()
        self._warning.setProperty("role", "muted")
        self._warning.setWordWrap(True)
        self._set = QPushButton(self.tr("Set"))
        self._set.clicked.connect(self._bind)
        self._remove = QPushButton(self.tr("Remove"))
        self._remove.clicked.connect(lambda: self._rebind(()))
        reset = QPushButton(self.tr("Reset all keys"))
        reset.clicked.connect(self._reset)
        row = QHBoxLayout()
        for widget in (self._edit, self._set, self._remove):
            row.addWidget(widget)
        foot = QHBoxLayout()
        foot.addWidget(reset)
        foot.addWidget(close_button(self), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.addWidget(self._search)
        layout.addWidget(self.tree, 1)
        layout.addLayout(row)
        layout.addWidget(self._warning)
        layout.addLayout(foot)
        self._fill()

    def _fill(self) -> None:
        chosen = self._chosen()
        self.tree.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for heading, command in self._commands.by_heading():
            group = groups.get(heading)
            if group is None:
                group = QTreeWidgetItem([heading])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                self.tree.addTopLevelItem(group)
                groups[heading] = group
            item = QTreeWidgetItem([command.plain_words, self._commands.native_keys(command.command_id)])
            item.setData(0, _ID_ROLE, command.command_id)
            group.addChild(item)
            if command.command_id == chosen:
                self.tree.setCurrentItem(item)
        self.tree.expandAll()
        self._filter(self._search.text())
        self._show_keys()

    def _filter(self, text: str) -> None:
        wanted = text.casefold()
        for index in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(index)
            if group is None:
                continue
            shown = 0
            for row in range(group.childCount()):
                item = group.child(row)
                if item is None:
                    continue
                hides = wanted not in f"{item.text(0)} {item.text(1)}".casefold()
                item.setHidden(hides)
                shown += not hides
            group.setHidden(not shown)

    def _chosen(self) -> str | None:
        item = self.tree.currentItem()
        value = None if item is None else item.data(0, _ID_ROLE)
        return value if isinstance(value, str) else None

    def _show_keys(self) -> None:
        chosen = self._chosen()
        for widget in (self._edit, self._set, self._remove):
            widget.setEnabled(chosen is not None)
        keys = self._commands.keys(chosen) if chosen else ()
        self._edit.setKeySequence(QKeySequence(keys[0]) if keys else QKeySequence())
        self._warning.setText("")

    def _warn(self, key: QKeySequence) -> None:
        chosen = self._chosen()
        holder = None
        if chosen is not None and not key.isEmpty():
            holder = self._commands.holder_of(key.toString(QKeySequence.SequenceFormat.PortableText), except_for=chosen)
        words = self.tr("“{name}” uses this key and would lose it.")
        self._warning.setText("" if holder is None else words.format(name=holder.plain_words))

    def _bind(self) -> None:
        key = self._edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        self._rebind((key,) if key else ())

    def _rebind(self, keys: tuple[str, ...]) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._commands.rebind(chosen, keys)
            self._fill()

    def _reset(self) -> None:
        self._commands.reset()
        self._fill()


def close_button(dialog: QDialog) -> QDialogButtonBox:
    """Return a button row with "Close" at its right end."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    box.rejected.connect(dialog.reject)
    return box


def _group(title: str, rows: list[tuple[str, str]]) -> QWidget:
    box = QWidget()
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, 12)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(6)
    heading = QLabel(title)
    heading.setProperty("role", "heading")
    grid.addWidget(heading, 0, 0, 1, 2)
    for row, (what, keys) in enumerate(rows, start=1):
        cap = QLabel(keys)
        cap.setProperty("role", "key")
        grid.addWidget(QLabel(what), row, 0)
        grid.addWidget(cap, row, 1, Qt.AlignmentFlag.AlignRight)
    grid.setColumnStretch(0, 1)
    return box
