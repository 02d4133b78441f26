"""The variations: the present layout in many looks, rendered in the background; a click takes one."""

from __future__ import annotations

import random

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.style import Look
from smis_desktop.ui.widgets.controls import PictureList
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.ui.window.style_model import MAX_DRAWN_SEED

_COUNT = 12
_SIDE = 180


class VariationsWall(QDialog):
    """A window of variations that stays open while painting. Emits `wanted` for each look; `show_picture` shows its
    picture."""

    wanted = Signal(int, Look)
    """Index of the picture, and its look."""
    taken = Signal(Look)
    pinned = Signal(Look)
    others_wanted = Signal()
    """Twelve other looks are wanted."""

    def __init__(self, seeds: random.Random, parent: QWidget) -> None:
        """seeds: where random looks are drawn from."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Variations"))
        self._seeds = seeds
        self._looks: list[Look] = []
        self._awaited: set[int] = set()
        self.list = PictureList(
            self.tr("Variations of the layout"), _SIDE, (12, 30), QAbstractItemView.SelectionMode.SingleSelection
        )
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._take)
        self.list.itemActivated.connect(self._take)
        self._hint = QLabel()
        self._hint.setProperty("role", "muted")
        self.others_button = QPushButton(self.tr("Other looks"))
        self.others_button.setToolTip(self.tr("Show twelve other looks"))
        self.others_button.clicked.connect(self.others_wanted)
        self.pin_button = QPushButton(self.tr("Pin"))
        self.pin_button.setToolTip(self.tr("Pin the selected look to return to it later"))
        self.pin_button.setEnabled(False)
        self.pin_button.clicked.connect(self._pin)
        self.list.itemSelectionChanged.connect(lambda: self.pin_button.setEnabled(bool(self.list.selectedItems())))
        row = QHBoxLayout()
        row.addWidget(self._hint, 1)
        row.addWidget(self.pin_button)
        row.addWidget(self.others_button)
        column = QVBoxLayout(self)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        self.resize(4 * (_SIDE + 12) + 44, 3 * (_SIDE + 30) + 80)

    @property
    def missing(self) -> int:
        """The number of pictures still being rendered."""
        return len(self._awaited)

    def draw_looks(self) -> None:
        """Draw other random looks, all different."""
        self._looks = [Look(seed) for seed in self._seeds.sample(range(MAX_DRAWN_SEED), _COUNT)]
        self.list.clear()
        blank = QPixmap(_SIDE, _SIDE)
        blank.fill(QColor(current_colors().raised))
        for look in self._looks:
            item = QListWidgetItem(QIcon(blank), self.tr("Seed {seed}").format(seed=look.seed))
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.list.addItem(item)
        self.render_again()

    def render_again(self) -> None:
        """Request all pictures again, because the layout or the strengths have changed."""
        self._awaited = set(range(len(self._looks)))
        self._show_missing()
        for number, look in enumerate(self._looks):
            self.wanted.emit(number, look)

    def show_picture(self, number: int, picture: QImage) -> None:
        """Show the picture of one look."""
        item = self.list.item(number)
        if item is not None:
            ratio = self.devicePixelRatioF()
            side = round(_SIDE * ratio)
            smooth = Qt.TransformationMode.SmoothTransformation
            pixmap = QPixmap.fromImage(picture.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, smooth))
            pixmap.setDevicePixelRatio(ratio)
            item.setIcon(QIcon(pixmap))
        self._awaited.discard(number)
        self._show_missing()

    def _show_missing(self) -> None:
        rendering = self.tr("Rendering… {done} of {count}").format(done=_COUNT - self.missing, count=_COUNT)
        self._hint.setText(rendering if self.missing else self.tr("Click a picture to use its look."))

    def _take(self, item: QListWidgetItem) -> None:
        self.taken.emit(self._looks[self.list.row(item)])

    def _pin(self) -> None:
        self.pinned.emit(self._looks[self.list.currentRow()])
