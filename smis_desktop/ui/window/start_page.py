"""The start page: ways to begin, before anything is painted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from smis_desktop.ui.widgets.theme import application_icon

_MOST_RECENT = 6


class StartPage(QWidget):
    """The start page: three ways to begin, recent projects, and a button for personal models."""

    paint_wanted = Signal()
    new_wanted = Signal()
    open_wanted = Signal()
    recent_wanted = Signal(Path)
    model_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        sign = QLabel()
        sign.setPixmap(application_icon().pixmap(QSize(72, 72)))
        title = QLabel(self.tr("Paint what goes where, and see it as a photograph."))
        title.setProperty("role", "title")
        title.setWordWrap(True)
        lead = QLabel(self.tr("Choose a class and paint on the layout; the photograph beside it follows every stroke."))
        lead.setProperty("role", "muted")
        lead.setWordWrap(True)
        self.paint_button = QPushButton(self.tr("Paint with Faces"))
        self.paint_button.setProperty("role", "primary")
        self.paint_button.setMinimumHeight(40)
        self.paint_button.clicked.connect(self.paint_wanted)
        self.new_button = QPushButton(self.tr("Empty layout…"))
        self.new_button.clicked.connect(self.new_wanted)
        self.open_button = QPushButton(self.tr("Open…"))
        self.open_button.clicked.connect(self.open_wanted)
        row = QHBoxLayout()
        row.setSpacing(10)
        for button in (self.paint_button, self.new_button, self.open_button):
            row.addWidget(button)
        row.addStretch(1)
        self._recent_title = QLabel(self.tr("Recent projects"))
        self._recent_title.setProperty("role", "heading")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(4)
        own = QLabel(self.tr("Have your own photos? Label one to five of them, then paint with your own classes."))
        own.setProperty("role", "muted")
        own.setWordWrap(True)

        self.model_button = QPushButton(self.tr("New personal model…"))
        self.model_button.clicked.connect(self.model_wanted)

        column = QVBoxLayout()
        column.setSpacing(14)
        column.addStretch(2)
        column.addWidget(sign)
        column.addWidget(title)
        column.addWidget(lead)
        column.addSpacing(6)
        column.addLayout(row)
        column.addSpacing(14)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        column.addSpacing(8)
        column.addWidget(own)
        column.addWidget(self.model_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(3)
        sides = QHBoxLayout(self)
        sides.addStretch(1)
        sides.addLayout(column, 4)
        sides.addStretch(1)
        self.show_recent(())

    def show_recent(self, paths: Sequence[Path]) -> None:
        """Show the recent projects, newest first."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for path in paths[:_MOST_RECENT]:
            button = QPushButton(path.stem)
            button.setToolTip(str(path))
            button.setProperty("role", "link")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(lambda _=False, path=path: self.recent_wanted.emit(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._recent_title.setVisible(bool(paths))
