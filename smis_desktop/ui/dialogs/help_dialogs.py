"""About SMIS Desktop: version, components and networks, with their licences."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

import smis_desktop
from smis_desktop.distributions import licence_text, parts
from smis_desktop.generators.catalog import network_origins
from smis_desktop.ui.widgets.theme import application_icon

_NAME = Qt.ItemDataRole.UserRole


class AboutDialog(QDialog):
    """Shows the program, its components and its networks, with their licences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("About SMIS Desktop"))
        self.resize(560, 560)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)  # else the system's style paints its own ground behind the pages
        self.tabs.addTab(self._program(), self.tr("Program"))
        self.tabs.addTab(self._parts(), self.tr("Components"))
        self.tabs.addTab(self._networks(), self.tr("Networks"))
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(12)
        column.addWidget(self.tabs, 1)
        column.addWidget(_close_button(self))

    def _program(self) -> QWidget:
        sign = QLabel()
        sign.setPixmap(application_icon().pixmap(64, 64))
        version = QLabel(self.tr("Version {version}, under the MIT licence").format(version=smis_desktop.__version__))
        version.setProperty("role", "muted")
        words = QLabel(
            self.tr(
                "Paint what goes where, and see a photograph of it. A frozen generator already knows what pictures "
                "look like; a personal model, learned from one to five labelled photos, tells it what your classes "
                "mean.\n\nThe method is “Few-shot Semantic Image Synthesis Using StyleGAN Prior” by Endo and Kanamori "
                "(2021). Faces come from MobileStyleGAN, distilled from StyleGAN2 (FFHQ): the people in its pictures "
                "do not exist.\n\nEverything runs on this computer; nothing you paint leaves it."
            )
        )
        words.setWordWrap(True)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 16, 12, 12)
        column.setSpacing(12)
        for widget in (sign, _title("SMIS Desktop"), version, words):
            column.addWidget(widget)
        column.addStretch(1)
        return page

    def _parts(self) -> QWidget:
        self.parts = QListWidget()
        self.parts.setAccessibleName(self.tr("Components of the program"))
        self.parts.setWordWrap(True)
        for part in parts():
            licence = part.licence or self.tr("see its text")
            item = QListWidgetItem(f"{part.name} {part.version} — {licence}")
            item.setData(_NAME, part.name)
            self.parts.addItem(item)
        self.licence = QPlainTextEdit()
        self.licence.setReadOnly(True)
        self.licence.setAccessibleName(self.tr("Licence text"))
        self.parts.currentItemChanged.connect(self._show_licence)
        self.parts.setCurrentRow(0)
        page = QWidget()
        column = QVBoxLayout(page)
        column.addWidget(self.parts, 2)
        column.addWidget(self.licence, 3)
        return page

    def _show_licence(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            text = licence_text(item.data(_NAME))
            self.licence.setPlainText(text or self.tr("This component names its licence but includes no licence text."))

    def _networks(self) -> QWidget:
        self.networks = QListWidget()
        self.networks.setAccessibleName(self.tr("Networks on this computer"))
        self.networks.setWordWrap(True)
        self.networks.setSpacing(6)
        for origin in network_origins():
            source, licence = origin.source or self.tr("unknown"), origin.licence or self.tr("not stated")
            words = self.tr("{name} ({kind})\nsource: {source}\nlicence: {licence}")
            kind = origin.kind.replace("-", " ")
            self.networks.addItem(words.format(name=origin.name, kind=kind, source=source, licence=licence))
        page = QWidget()
        QVBoxLayout(page).addWidget(self.networks)
        return page


def _title(text: str) -> QLabel:
    title = QLabel(text)
    title.setProperty("role", "title")
    return title


def _close_button(dialog: QDialog) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    return buttons
