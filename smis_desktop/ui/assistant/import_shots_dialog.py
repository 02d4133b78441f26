"""Asks which shots of a folder to import, and what their labels mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import likely_label_kind, read_classes, read_shots, shot_names
from smis_desktop.ui.assistant.overlays import overlaid, reduced
from smis_desktop.ui.widgets.controls import PictureList
from smis_desktop.ui.widgets.theme import current_colors

MOST_AT_ONCE = 5
_SIDE = 148
_STRENGTH = 0.5
"""Opacity of the classes over a picture."""


class ImportShotsDialog(QDialog):
    """Shows every shot with its label, the first five chosen. It reads them one by one between other events."""

    def __init__(self, folder: Path, parent: QWidget) -> None:
        """Raises UserError when the folder is not a shots folder."""
        super().__init__(parent)
        names = shot_names(folder)
        path = folder / "classes.json"
        self._zero_is_a_class = path.is_file() and 0 in read_classes(path)
        self.setWindowTitle(self.tr("Labelled shots of {folder}").format(folder=folder.name))
        self._folder, self._names = folder, names
        self._to_read = list(range(len(names)))
        self._fault = ""
        self._read: dict[int, tuple[np.ndarray, np.ndarray, Palette]] = {}
        """Row → a small picture, its label and the label's classes."""
        self.list = PictureList(
            self.tr("Shots of the folder"), _SIDE, (16, 34), QAbstractItemView.SelectionMode.NoSelection
        )
        blank = QPixmap(_SIDE, _SIDE)
        blank.fill(QColor(current_colors().raised))
        for number, name in enumerate(names):
            item = QListWidgetItem(QIcon(blank), name)
            item.setToolTip(name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if number < MOST_AT_ONCE else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.itemChanged.connect(lambda _: self._follow())
        self.kind = QComboBox()
        self.kind.setAccessibleName(self.tr("Kind of labels"))
        self.kind.addItem(self.tr("Areas: 0 is a class like any other"), "dense")
        self.kind.addItem(self.tr("Scribbles or points: 0 means unlabelled"), "sparse")
        self._is_kind_chosen = False
        self.kind.activated.connect(lambda _: self._choose_kind())
        self.kind.currentIndexChanged.connect(lambda _: self._draw_all())
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Import"))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(self.list, 1)
        column.addWidget(self.kind)
        column.addWidget(self.words)
        column.addWidget(self.buttons)
        self.resize(MOST_AT_ONCE * (_SIDE + 16) + 60, 380)
        self._next = QTimer(self)
        self._next.setInterval(0)
        self._next.timeout.connect(self._read_next)
        self._next.start()
        self._follow()

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the shots to import."""
        checked = Qt.CheckState.Checked
        return tuple(name for row, name in enumerate(self._names) if self.list.item(row).checkState() == checked)

    @property
    def label_kind(self) -> LabelKind:
        """What their labels mean."""
        return "sparse" if self.kind.currentData() == "sparse" else "dense"

    def _read_next(self) -> None:
        if not self._to_read:
            self._next.stop()
            self._follow()
            return
        row = self._to_read.pop(0)
        item = self.list.item(row)
        try:
            folder = read_shots(self._folder, "dense", (self._names[row],))
        except UserError as error:
            item.setCheckState(Qt.CheckState.Unchecked)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            item.setToolTip(str(error))
            self._fault = str(error)
            self._follow()
            return
        shot = folder.shots[0]
        self._read[row] = reduced(shot.picture, _SIDE), shot.label_map, folder.palette
        if not self._is_kind_chosen:
            kind = likely_label_kind([label_map for _, label_map, _ in self._read.values()], self._zero_is_a_class)
            self.kind.setCurrentIndex(self.kind.findData(kind))
        self._draw(row)
        self._follow()

    def _draw_all(self) -> None:
        for row in self._read:
            self._draw(row)

    def _draw(self, row: int) -> None:
        picture, label_map, palette = self._read[row]
        if self.label_kind == "sparse":
            label_map = np.where(label_map == UNLABELLED_SPARSE_ID, np.uint8(EMPTY), label_map)
        self.list.item(row).setIcon(QIcon(overlaid(picture, label_map, palette, _STRENGTH, _SIDE)))

    def _choose_kind(self) -> None:
        self._is_kind_chosen = True
        self._follow()

    def _follow(self) -> None:
        count = len(self.chosen)
        is_sparse = self.label_kind == "sparse"
        if self._to_read:
            words = self.tr("Reading the shots…")
        elif count > MOST_AT_ONCE:
            words = self.tr("{count} chosen; import {most} at most at once.")
        elif self._is_kind_chosen:
            words = self.tr("Chosen: {count}")
        elif is_sparse:
            words = self.tr("Chosen: {count}. They look like scribbles or points; 0 stays unlabelled.")
        else:
            words = self.tr("Chosen: {count}. They look like areas.")
        words = words.format(count=count, most=MOST_AT_ONCE)
        self.words.setText(f"{words}\n{self._fault}" if self._fault else words)
        ready = 0 < count <= MOST_AT_ONCE and not self._to_read
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(ready)
