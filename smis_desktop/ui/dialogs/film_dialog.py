"""The dialogs for films: what goes into a film, and its progress."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.formats.project import KeptPicture
from smis_desktop.ui.widgets.controls import ProgressLine, roomy
from smis_desktop.workers.film_job import FilmSettings

_SIDE = 96


class FilmDialog(QDialog):
    """Chooses pictures, order, pace and size. Saving needs two pictures or more."""

    def __init__(self, kept: tuple[KeptPicture, ...], full_size: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Film from kept pictures"))
        self._kept = kept
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Pictures of the film, in order"))
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
        self.loop = QCheckBox(self.tr("Loop back to the first picture"))
        self.loop.setChecked(True)
        form = QFormLayout()
        form.addRow(self.tr("Each transition"), self.seconds)
        form.addRow(self.tr("Size"), self.size_box)
        form.addRow("", self.loop)
        hint = QLabel(self.tr("Drag pictures to reorder them; untick those to leave out."))
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
        """The ticked pictures, in the film's order."""
        items = [self.list.item(row) for row in range(self.list.count())]
        return tuple(
            self._kept[item.data(Qt.ItemDataRole.UserRole)]
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        )

    @property
    def settings(self) -> FilmSettings:
        """The chosen settings."""
        return FilmSettings(seconds=self.seconds.value(), size=self.size_box.currentData(), loop=self.loop.isChecked())

    def _check(self) -> None:
        self.buttons.button(QDialogButtonBox.StandardButton.Save).setEnabled(len(self.chosen) >= 2)


class FilmProgressDialog(QDialog):
    """Shows how much of a film is made. Closing it only hides it; `cancelled` is emitted by the cancel button."""

    cancelled = Signal()

    def __init__(self, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Film"))
        self._name = path.name
        self._words = QLabel()
        self._line = ProgressLine()
        self.cancel_button = QPushButton(self.tr("Cancel film"))
        self.cancel_button.clicked.connect(self.cancelled)
        self.cancel_button.clicked.connect(self.close)
        hint = QLabel(self.tr("You can keep painting."))
        hint.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addWidget(hint, 1)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(12)
        column.addWidget(self._words)
        column.addWidget(self._line)
        column.addLayout(row)
        self.resize(380, 0)
        self.show_fraction(0.0)

    def show_fraction(self, fraction: float) -> None:
        """Show how much of the film is made, 0–1."""
        self._line.set_fraction(fraction)
        words = self.tr("Making {name}: {percent} %")
        self._words.setText(words.format(name=self._name, percent=round(100 * fraction)))
