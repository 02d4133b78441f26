"""How far a film is, beside the painting, and a way to call it off."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from smis_desktop.ui.progress_line import ProgressLine


class FilmProgressDialog(QDialog):
    """Closing it only puts it out of sight; `cancelled` tells that the film is not wanted any more."""

    cancelled = Signal()

    def __init__(self, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Film"))
        self._name = path.name
        self._words = QLabel()
        self._line = ProgressLine()
        self.cancel_button = QPushButton(self.tr("Cancel the film"))
        self.cancel_button.clicked.connect(self.cancelled)
        self.cancel_button.clicked.connect(self.close)
        hint = QLabel(self.tr("You can paint on meanwhile."))
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
        """0–1."""
        self._line.set_fraction(fraction)
        words = self.tr("Making {name}: {percent} %")
        self._words.setText(words.format(name=self._name, percent=round(100 * fraction)))
