"""Opening and saving: the dialogs, the reading and writing, and the sentence when it does not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QStandardPaths, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from smis_desktop.errors import UserError
from smis_desktop.jobs.picture_file import PICTURE_FORMATS
from smis_desktop.labels.index_png import encode_label_map
from smis_desktop.labels.palette import Palette
from smis_desktop.labels.shots import read_layout
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.ui.icons import plain_icon
from smis_desktop.ui.theme import current_colors


class FileTasks(QObject):
    """Asks for files in dialogs that block nothing, and tells what came of it."""

    layout_read = Signal(object, tuple)
    """uint8 [H, H], and sentences about what was done to it."""
    layout_saved = Signal(Path)
    model_chosen = Signal(Path)
    picture_target_chosen = Signal(Path)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        self._folder = Path(pictures) if pictures and Path(pictures).is_dir() else Path.home()

    def ask_for_layout(self) -> None:
        """Then `layout_read`."""
        self._ask_to_open(self.tr("Open layout"), self.tr("Layouts (*.png)"), self.read_layout)

    def read_layout(self, path: Path) -> None:
        """Read without asking; `layout_read` follows, or a dialog that says why not."""
        try:
            layout = read_layout(path)
        except UserError as error:
            self.complain(str(error))
        else:
            self.layout_read.emit(layout.label_map, layout.notes)

    def ask_for_model(self) -> None:
        """Then `model_chosen`."""
        self._ask_to_open(
            self.tr("Open personal model"), self.tr("Personal models (*.smismodel)"), self.model_chosen.emit
        )

    def ask_where_to_save_picture(self) -> None:
        """Then `picture_target_chosen`, with an ending that says the format."""
        endings = " ".join(f"*{ending}" for ending in PICTURE_FORMATS)
        self._ask_to_save(
            self.tr("Save picture"),
            "photograph.png",
            self.tr("Pictures ({endings})").format(endings=endings),
            self.picture_target_chosen.emit,
        )

    def ask_where_to_save_layout(self, label_map: np.ndarray, palette: Palette) -> None:
        """Then `layout_saved`. The file is an index PNG with the palette's colours."""

        def save(path: Path) -> None:
            try:
                write_bytes(path, encode_label_map(label_map, palette))
            except UserError as error:
                self.complain(str(error))
            else:
                self.layout_saved.emit(path)

        self._ask_to_save(self.tr("Save layout"), "layout.png", self.tr("Layouts (*.png)"), save)

    def complain(self, sentence: str) -> None:
        """A dialog that says what went wrong and waits for nobody."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("SMIS Desktop"), sentence, parent=self._window)
        box.setIconPixmap(plain_icon("warning", current_colors().danger).pixmap(32, 32))
        box.setStandardButtons(QMessageBox.StandardButton.Ok)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _ask_to_open(self, title: str, name_filter: str, then: Callable[[Path], None]) -> None:
        dialog = QFileDialog(self._window, title, str(self._folder), name_filter)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._run(dialog, then)

    def _ask_to_save(self, title: str, name: str, name_filter: str, then: Callable[[Path], None]) -> None:
        dialog = QFileDialog(self._window, title, str(self._folder / name), name_filter)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(Path(name).suffix)
        self._run(dialog, then)

    def _run(self, dialog: QFileDialog, then: Callable[[Path], None]) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(name: str) -> None:
            path = Path(name)
            self._folder = path.parent
            then(path)

        dialog.fileSelected.connect(take)
        dialog.open()
