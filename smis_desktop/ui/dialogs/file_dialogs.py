"""File dialogs that do not block, with filters made from the file formats; and errors in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from smis_desktop.formats.registry import Kind, formats
from smis_desktop.ui.widgets.theme import current_colors, plain_icon


def name_filter(name: str, suffixes: Iterable[str]) -> str:
    """Return a file dialog's filter, as "Photos (*.png *.jpg)"; repeated endings are listed once."""
    return f"{name} ({' '.join('*' + suffix for suffix in dict.fromkeys(suffixes))})"


def kind_filter(name: str, kind: Kind) -> str:
    """Return a file dialog's filter for the files of all formats of a kind."""
    return name_filter(name, (suffix for f in formats() if f.kind == kind for suffix in f.suffixes))


def photo_filter() -> str:
    """Return a file dialog's filter for photos."""
    return kind_filter(QCoreApplication.translate("FileDialogs", "Photos"), "photo")


def readable_filter(name: str, kinds: Iterable[Kind]) -> str:
    """Return a file dialog's filter for the files of those kinds that can be opened, and one for all files."""
    suffixes = (suffix for f in formats() if f.reads and f.kind in kinds for suffix in f.suffixes)
    return ";;".join((name_filter(name, suffixes), QCoreApplication.translate("FileDialogs", "All files (*)")))


class FileDialogs(QObject):
    """Asks for files and folders, starting in the last file's folder; also shows errors and asks about changes."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        self.folder = Path(pictures) if pictures and Path(pictures).is_dir() else Path.home()

    def ask_to_open(self, title: str, name_filter: str, then: Callable[[Path], None]) -> None:
        """Ask for a file that exists; `then` gets its path."""
        dialog = QFileDialog(self._window, title, str(self.folder), name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._run(dialog, then)

    def ask_to_open_several(self, title: str, name_filter: str, then: Callable[[list[Path]], None]) -> None:
        """Ask for one or more files of one folder; `then` gets their paths."""
        dialog = QFileDialog(self._window, title, str(self.folder), name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(names: list[str]) -> None:
            self.folder = Path(names[0]).parent
            then([Path(name) for name in names])

        dialog.filesSelected.connect(take)
        dialog.open()

    def ask_for_folder(self, title: str, then: Callable[[Path], None]) -> None:
        """Ask for a folder that exists; `then` gets its path."""
        dialog = QFileDialog(self._window, title, str(self.folder))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._run(dialog, then)

    def ask_to_save(self, title: str, name: str, name_filter: str, then: Callable[[Path], None]) -> None:
        """Ask for a file to write, `name` at first; a name without an ending gets that of `name`."""
        dialog = QFileDialog(self._window, title, str(self.folder / name), name_filter)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(Path(name).suffix)
        self._run(dialog, then)

    def complain(self, sentence: str) -> None:
        """Show an error in a dialog that does not block."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("SMIS Desktop"), sentence, parent=self._window)
        box.setIconPixmap(plain_icon("warning", current_colors().danger).pixmap(32, 32))
        box.setStandardButtons(QMessageBox.StandardButton.Ok)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def ask_to_save_changes(self, name: str, save: Callable[[], None], discard: Callable[[], None]) -> None:
        """Ask whether to save the changes, discard them, or cancel."""
        words = self.tr("“{name}” has changes that are not saved.").format(name=name)
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("Save changes?"), words, parent=self._window)
        box.setIconPixmap(plain_icon("save", current_colors().accent).pixmap(32, 32))
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Save)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.button(buttons.Save).clicked.connect(save)
        box.button(buttons.Discard).clicked.connect(discard)
        box.open()

    def _run(self, dialog: QFileDialog, then: Callable[[Path], None]) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(name: str) -> None:
            path = Path(name)
            self.folder = path if path.is_dir() else path.parent
            then(path)

        dialog.fileSelected.connect(take)
        dialog.open()
