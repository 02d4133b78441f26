"""Small dialogs: the size of a new layout, the number of variations, and paintings to recover."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.document import DEFAULT_SIZE
from smis_desktop.formats.recovery import RecoveryOffer
from smis_desktop.ui.widgets.controls import roomy

SIZES = (64, 128, 256, 512, 1024, 2048)


class NewDialog(QDialog):
    """Asks for the size of an empty layout."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("New layout"))
        self.size_box = QComboBox()
        self.size_box.setAccessibleName(self.tr("Size of the layout"))
        for size in SIZES:
            self.size_box.addItem(self.tr("{side} × {side} pixels").format(side=size), size)
        self.size_box.setCurrentIndex(SIZES.index(DEFAULT_SIZE))
        _form(self, [(self.tr("Size"), self.size_box)], self.tr("Create"))

    @property
    def size_in_pixels(self) -> int:
        return int(self.size_box.currentData())


class VariationsDialog(QDialog):
    """Asks how many styles of one layout to export."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export variations"))
        self._count = roomy(QSpinBox())
        self._count.setRange(2, 100)
        self._count.setValue(9)
        self._count.setAccessibleName(self.tr("Number of variations"))
        _form(self, [(self.tr("Number of styles"), self._count)], self.tr("Choose folder…"))

    @property
    def count(self) -> int:
        return self._count.value()


class RecoveryDialog(QDialog):
    """Offers unsaved paintings of windows that did not close."""

    restored = Signal(RecoveryOffer)
    discarded = Signal(RecoveryOffer)

    def __init__(self, offers: Sequence[RecoveryOffer], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Recover unsaved paintings"))
        lead = QLabel(self.tr("The program ended before these paintings were saved:"))
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 18, 22, 16)
        column.setSpacing(12)
        column.addWidget(lead)
        for offer in offers:
            when = time.strftime("%x %H:%M", time.localtime(offer.saved_at))
            row = QHBoxLayout()
            row.addWidget(QLabel(self.tr("{name}, {when}").format(name=offer.name, when=when)), 1)
            restore = QPushButton(self.tr("Restore"))
            restore.setProperty("role", "primary")
            restore.clicked.connect(lambda _=False, offer=offer: self._restore(offer))
            discard = QPushButton(self.tr("Discard"))
            discard.clicked.connect(lambda _=False, offer=offer: self._discard(offer))
            row.addWidget(restore)
            row.addWidget(discard)
            column.addLayout(row)
        later = QDialogButtonBox()
        later.addButton(self.tr("Ask again next time"), QDialogButtonBox.ButtonRole.RejectRole)
        later.rejected.connect(self.reject)
        column.addWidget(later)
        self._left = len(offers)

    def _restore(self, offer: RecoveryOffer) -> None:
        self.restored.emit(offer)
        self.accept()

    def _discard(self, offer: RecoveryOffer) -> None:
        self.discarded.emit(offer)
        sender = self.sender()
        if isinstance(sender, QPushButton):
            sender.setEnabled(False)
        self._left -= 1
        if not self._left:
            self.accept()


def _form(dialog: QDialog, rows: list[tuple[str, QWidget]], accept: str) -> None:
    form = QFormLayout()
    for words, widget in rows:
        form.addRow(words, widget)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    buttons.button(QDialogButtonBox.StandardButton.Ok).setText(accept)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(22, 18, 22, 16)
    column.setSpacing(16)
    column.addLayout(form)
    column.addWidget(buttons)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
