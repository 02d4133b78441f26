"""What this program is, and whose work it stands on."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

import smis_desktop
from smis_desktop.ui.icons import application_icon


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
