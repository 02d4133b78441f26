"""Says in plain words that the program has failed, and what can be done now."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from smis_desktop.ui.icons import plain_icon
from smis_desktop.ui.theme import current_colors

_WIDTH = 520


class FaultDialog(QDialog):
    """A headline, a few sentences, the details for whoever can help; and what to do, one button each."""

    def __init__(
        self,
        headline: str,
        sentences: str,
        details: str,
        actions: list[tuple[str, Callable[[], object]]],
        parent: QWidget | None = None,
    ) -> None:
        """details: plain text, hidden at first. actions: words and what they do; the first is the recommended one, and
        each closes the dialog."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("SMIS Desktop"))
        self.details = QPlainTextEdit(details)
        self.details.setReadOnly(True)
        self.details.setAccessibleName(self.tr("Details"))
        self.details.setMinimumHeight(220)
        self.details.hide()
        self.copy_button = QPushButton(self.tr("Copy details"))
        self.copy_button.clicked.connect(lambda: QGuiApplication.clipboard().setText(details))
        self.details_button = QPushButton(self.tr("Show details"))
        self.details_button.clicked.connect(self._show_details)
        sign = QLabel()
        sign.setPixmap(plain_icon("warning", current_colors().danger).pixmap(32, 32))
        title = QLabel(headline)
        title.setProperty("role", "title")
        title.setWordWrap(True)
        words = QLabel(sentences)
        words.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(sign)
        head.addSpacing(8)
        head.addWidget(title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 18)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(words)
        column.addWidget(self.details, 1)
        row = QHBoxLayout()
        row.addWidget(self.details_button)
        row.addWidget(self.copy_button)
        row.addStretch(1)
        self.action_buttons: list[QPushButton] = []
        for text, act in reversed(actions):
            button = QPushButton(text)
            button.clicked.connect(lambda _=False, act=act: self._do(act))
            row.addWidget(button)
            self.action_buttons.insert(0, button)
        self.action_buttons[0].setProperty("role", "primary")
        self.action_buttons[0].setDefault(True)
        column.addLayout(row)
        self.action_buttons[0].setFocus()
        self.setMinimumWidth(_WIDTH)

    def _show_details(self) -> None:
        self.details.show()
        self.details_button.setEnabled(False)

    def _do(self, act: Callable[[], object]) -> None:
        self.accept()
        act()
