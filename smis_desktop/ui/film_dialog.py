"""Asks which kept pictures change into each other, how slowly, and how large."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.jobs.morph import FilmSettings
from smis_desktop.storage.project_file import KeptPicture
from smis_desktop.ui.number_boxes import roomy

_SIDE = 96


class FilmDialog(QDialog):
    """Two pictures or more must be chosen, in the order of the strip; drag to change it."""

    def __init__(self, kept: tuple[KeptPicture, ...], full_size: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Film from kept pictures"))
        self._kept = kept
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Pictures of the film, in its order"))
        self.list.setFlow(QListView.Flow.LeftToRight)
        self.list.setIconSize(QSize(_SIDE, _SIDE))
        self.list.setFixedHeight(_SIDE + 40)
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        for number, picture in enumerate(kept):
            item = QListWidgetItem(QIcon(QPixmap.fromImage(QImage.fromData(picture.png))), str(number + 1))
            item.setData(Qt.ItemDataRole.UserRole, number)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            self.list.addItem(item)
        self.list.itemChanged.connect(self._check)
        self.seconds = roomy(QDoubleSpinBox())
        self.seconds.setRange(0.2, 20)
        self.seconds.setSingleStep(0.5)
        self.seconds.setValue(2.0)
        self.seconds.setSuffix(self.tr(" s"))
        self.size_box = QComboBox()
        for side in (256, 512, 1024):
            if side <= full_size:
                self.size_box.addItem(self.tr("{side} × {side}").format(side=side), side)
        self.size_box.setCurrentIndex(min(1, self.size_box.count() - 1))
        self.loop = QCheckBox(self.tr("Back to the first at the end"))
        self.loop.setChecked(True)
        form = QFormLayout()
        form.addRow(self.tr("From one to the next"), self.seconds)
        form.addRow(self.tr("Size"), self.size_box)
        form.addRow("", self.loop)
        hint = QLabel(self.tr("Drag the pictures into their order; take the tick from those that are not to be in it."))
        hint.setProperty("role", "muted")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel | QDialogButtonBox.StandardButton.Save)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.list)
        column.addWidget(hint)
        column.addLayout(form)
        column.addWidget(self.buttons)
        self.resize(560, 300)
        self._check()

    @property
    def chosen(self) -> tuple[KeptPicture, ...]:
        """In the film's order."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return tuple(
            self._kept[item.data(Qt.ItemDataRole.UserRole)]
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        )

    @property
    def settings(self) -> FilmSettings:
        """As chosen."""
        return FilmSettings(seconds=self.seconds.value(), size=self.size_box.currentData(), loop=self.loop.isChecked())

    def _check(self) -> None:
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(len(self.chosen) >= 2)
