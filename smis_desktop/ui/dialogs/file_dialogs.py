"""Asking for files in dialogs that block nothing, and saying in one sentence what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from smis_desktop.ui.widgets.icons import plain_icon
from smis_desktop.ui.widgets.theme import current_colors


class FileDialogs(QObject):
    """Remembers the folder of the last file."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        self.folder = Path(pictures) if pictures and Path(pictures).is_dir() else Path.home()

    def ask_to_open(self, title: str, name_filter: str, then: Callable[[Path], None]) -> None:
        """For a file that exists."""
        dialog = QFileDialog(self._window, title, str(self.folder), name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._run(dialog, then)

    def ask_to_open_several(self, title: str, name_filter: str, then: Callable[[list[Path]], None]) -> None:
        """For one or more files that exist, all of one folder."""
        dialog = QFileDialog(self._window, title, str(self.folder), name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(names: list[str]) -> None:
            self.folder = Path(names[0]).parent
            then([Path(name) for name in names])

        dialog.filesSelected.connect(take)
        dialog.open()

    def ask_for_folder(self, title: str, then: Callable[[Path], None]) -> None:
        """For a folder that exists."""
        dialog = QFileDialog(self._window, title, str(self.folder))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        self._run(dialog, then)

    def ask_to_save(self, title: str, name: str, name_filter: str, then: Callable[[Path], None]) -> None:
        """For a file to write; the ending of `name` is added to names without one."""
        dialog = QFileDialog(self._window, title, str(self.folder / name), name_filter)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(Path(name).suffix)
        self._run(dialog, then)

    def complain(self, sentence: str) -> None:
        """A dialog that says what went wrong and waits for nobody."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("SMIS Desktop"), sentence, parent=self._window)
        box.setIconPixmap(plain_icon("warning", current_colors().danger).pixmap(32, 32))
        box.setStandardButtons(QMessageBox.StandardButton.Ok)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def ask_to_save_changes(self, name: str, save: Callable[[], None], discard: Callable[[], None]) -> None:
        """Save, discard, or go back to painting."""
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
