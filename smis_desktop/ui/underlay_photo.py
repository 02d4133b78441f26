"""A photo of one's own to paint after: asked for, read the right way up, cut square."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QImageReader

from smis_desktop.ui.file_dialogs import FileDialogs
from smis_desktop.ui.underlay_bar import UnderlayBar


class UnderlayPhoto(QObject):
    """Brings photos to the underlay bar."""

    def __init__(self, bar: UnderlayBar, dialogs: FileDialogs, parent: QObject) -> None:
        super().__init__(parent)
        self._bar, self._dialogs = bar, dialogs
        bar.photo_wanted.connect(self.ask)

    def ask(self) -> None:
        """For a photo's file."""
        words = self.tr("Photos (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff)")
        self._dialogs.ask_to_open(self.tr("Photo as underlay"), words, self.take)

    def take(self, path: Path) -> None:
        """The middle square of that photo; one that cannot be read is said so in a dialog."""
        reader = QImageReader(str(path))
        reader.setAutoTransform(True)
        photo = reader.read()
        if photo.isNull():
            self._dialogs.complain(self.tr("{path} cannot be shown as a photo; choose another.").format(path=path))
            return
        side = min(photo.width(), photo.height())
        left, top = (photo.width() - side) // 2, (photo.height() - side) // 2
        self._bar.set_photo(photo.copy(left, top, side, side))
