"""The two dialogs of the Help menu."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

import smis_desktop
from smis_desktop.ui.icons import application_icon


class ShortcutsDialog(QDialog):
    """A sheet of all keys and of what the mouse does on the canvas."""

    def __init__(self, keys: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        """keys: `(what it does, its keys)`."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys and mouse"))
        mouse = [
            (self.tr("Paint"), self.tr("Left button")),
            (self.tr("Erase to the ground"), self.tr("Right button")),
            (self.tr("Move the view"), self.tr("Middle button · Space and drag")),
            (self.tr("Zoom"), self.tr("Wheel")),
            (self.tr("Choose a class"), self.tr("1 – 9")),
        ]
        columns = QGridLayout()
        columns.setHorizontalSpacing(20)
        columns.setVerticalSpacing(9)
        rows = [*mouse, *keys]
        half = (len(rows) + 1) // 2
        for position, (what, key) in enumerate(rows):
            side, row = divmod(position, half)
            cap = QLabel(key)
            cap.setProperty("role", "key")
            columns.addWidget(QLabel(what), row, 3 * side)
            columns.addWidget(cap, row, 3 * side + 1, Qt.AlignmentFlag.AlignLeft)
        columns.setColumnMinimumWidth(2, 24)

        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 20)
        column.setSpacing(18)
        column.addWidget(_title(self.tr("Keys and mouse")))
        column.addLayout(columns)
        column.addWidget(_close_button(self))


class AboutDialog(QDialog):
    """What this is, and whose work it stands on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("About SMIS Desktop"))
        sign = QLabel()
        sign.setPixmap(application_icon().pixmap(64, 64))
        version = QLabel(self.tr("Version {version}").format(version=smis_desktop.__version__))
        version.setProperty("role", "muted")
        words = QLabel(
            self.tr(
                "Paint what goes where, and see a photograph of it. A frozen face generator already knows what "
                "pictures look like; a personal model, learned from one to five labelled photos, tells it what your "
                "classes mean.\n\nThe method is “Few-shot Semantic Image Synthesis Using StyleGAN Prior” by Endo and "
                "Kanamori (2021). Faces come from MobileStyleGAN, distilled from StyleGAN2 (FFHQ): the people in its "
                "pictures do not exist.\n\nEverything is computed on this computer; nothing you paint leaves it."
            )
        )
        words.setWordWrap(True)
        words.setFixedWidth(420)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 26, 28, 20)
        column.setSpacing(12)
        column.addWidget(sign)
        column.addWidget(_title("SMIS Desktop"))
        column.addWidget(version)
        column.addSpacing(4)
        column.addWidget(words)
        column.addSpacing(8)
        column.addWidget(_close_button(self))


def _title(text: str) -> QLabel:
    title = QLabel(text)
    title.setProperty("role", "title")
    return title


def _close_button(dialog: QDialog) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    return buttons
