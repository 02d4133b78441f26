"""Everything that leaves the program but the project itself: pictures, layouts, layered files, variations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Signal

from smis_desktop.document.document import DocumentState
from smis_desktop.document.style import Look
from smis_desktop.errors import UserError
from smis_desktop.formats.class_masks import write_class_masks
from smis_desktop.formats.contact_sheet import contact_sheet
from smis_desktop.formats.image_file import PICTURE_FORMATS, write_picture
from smis_desktop.formats.index_png import encode_label_map
from smis_desktop.formats.open_raster import write_ora
from smis_desktop.formats.photoshop import write_psd
from smis_desktop.formats.project import Project
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.dialogs.small_dialogs import VariationsDialog
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController


class Exports(QObject):
    """Asks where to, and writes."""

    message = Signal(str)
    """A short message for the status bar."""
    _sheet_done = Signal(str, str)
    _layout_done = Signal(str, str)

    def __init__(
        self,
        controller: DocumentController,
        preview: PreviewController,
        dialogs: FileDialogs,
        collect: Callable[[], Project],
        preview_picture: Callable[[], np.ndarray | None],
        stem: Callable[[], str],
    ) -> None:
        """collect: the painting as it is. preview_picture: uint8 [S, S, 3] on screen, if any. stem: a file's name."""
        super().__init__()
        self._controller, self._preview, self._dialogs = controller, preview, dialogs
        self._collect, self._preview_picture, self._stem = collect, preview_picture, stem
        self._waiting: dict[Path, Path] = {}
        self._sheet: list[Path] = []
        preview.saved.connect(self._follow_saved)
        self._sheet_done.connect(self._tell_sheet)
        self._layout_done.connect(self._tell_layout)

    def ask_for_picture(self) -> None:
        """The photograph at full size; a PNG carries the whole project."""
        endings = " ".join(f"*{ending}" for ending in PICTURE_FORMATS)
        self._dialogs.ask_to_save(
            self.tr("Export photograph"),
            f"{self._stem()}.png",
            self.tr("Pictures ({endings})").format(endings=endings),
            self.save_picture,
        )

    def save_picture(self, path: Path) -> None:
        """In the background; `PreviewController.saved` tells when it is there."""
        self.message.emit(self.tr("Saving {name}…").format(name=path.name))
        self._preview.save(path, self._collect())

    def ask_for_layout(self) -> None:
        """An index PNG, OpenRaster or Photoshop file, as the name's ending says."""
        self._dialogs.ask_to_save(
            self.tr("Export layout"),
            f"{self._stem()}-layout.png",
            self.tr("Index image (*.png);;OpenRaster (*.ora);;Photoshop (*.psd)"),
            self.save_layout,
        )

    def save_layout(self, path: Path) -> None:
        """In the background: Photoshop files of large paintings take seconds. `told` or a dialog says how it went."""
        document = self._controller.document
        if document is None:
            return
        self.message.emit(self.tr("Saving {name}…").format(name=path.name))
        work = (path, document.state(), document.snapshot(), self._preview_picture())
        threading.Thread(target=self._write_layout, args=work, name="export").start()

    def _write_layout(
        self, path: Path, state: DocumentState, label_map: np.ndarray, picture: np.ndarray | None
    ) -> None:
        try:
            suffix = path.suffix.lower()
            if suffix == ".ora":
                write_ora(path, state, picture)
            elif suffix == ".psd":
                write_psd(path, state, picture)
            elif suffix == ".png":
                write_bytes(path, encode_label_map(label_map, state.palette))
            else:
                raise UserError(f"{path} does not say which kind of file to write: end the name in .png, .ora or .psd.")
        except UserError as error:
            self._layout_done.emit(str(path), str(error))
        else:
            self._layout_done.emit(str(path), "")

    def _tell_layout(self, path: str, failure: str) -> None:
        if failure:
            self._dialogs.complain(failure)
        else:
            self.message.emit(self.tr("Saved {path}").format(path=path))

    def ask_for_masks(self) -> None:
        """One black and white picture a class, in a folder."""
        self._dialogs.ask_for_folder(self.tr("Export one mask a class"), self.save_masks)

    def save_masks(self, folder: Path) -> None:
        document = self._controller.document
        if document is None:
            return
        try:
            written = write_class_masks(folder, self._stem(), document.snapshot(), document.palette)
        except UserError as error:
            self._dialogs.complain(str(error))
        else:
            self.message.emit(self.tr("Saved {count} files in {folder}").format(count=len(written), folder=folder))

    def ask_for_variations(self) -> None:
        """How many, then where."""
        dialog = VariationsDialog(self._dialogs.parent())  # type: ignore[arg-type]

        def take() -> None:
            count = dialog.count
            self._dialogs.ask_for_folder(
                self.tr("Folder for the variations"), lambda folder: self.save_variations(folder, count)
            )

        dialog.accepted.connect(take)
        dialog.open()

    def save_variations(self, folder: Path, count: int) -> None:
        """The layout in `count` styles, and a contact sheet of them, in the background."""
        project = self._collect()
        style = project.style.style
        first = style.look.seed
        self._sheet = [folder / f"{self._stem()}-{first + n}.png" for n in range(count)]
        self._waiting = dict.fromkeys(self._sheet, folder)
        for number, path in enumerate(list(self._sheet)):
            self._preview.save(path, project, replace(style, look=Look(first + number)))
        self.message.emit(self.tr("Making {count} variations…").format(count=count))

    def _follow_saved(self, path: Path) -> None:
        if path not in self._waiting:
            return
        folder = self._waiting.pop(path)
        done = len(self._sheet) - len(self._waiting)
        self.message.emit(self.tr("Variation {done} of {count}").format(done=done, count=len(self._sheet)))
        if not self._waiting:
            target = folder / f"{self._stem()}-contact-sheet.png"
            threading.Thread(target=self._make_sheet, args=(tuple(self._sheet), target), name="contact sheet").start()

    def _make_sheet(self, paths: tuple[Path, ...], target: Path) -> None:
        try:
            pictures = []
            for path in paths:
                with Image.open(path) as image:
                    pictures.append(np.array(image.convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)))
            write_picture(target, contact_sheet(pictures, [path.stem for path in paths]))
        except (UserError, OSError) as error:
            self._sheet_done.emit(str(target), str(error))
        else:
            self._sheet_done.emit(str(target), "")

    def _tell_sheet(self, target: str, failure: str) -> None:
        if failure:
            self._dialogs.complain(failure)
        else:
            self.message.emit(self.tr("All variations are saved; {path} shows them together.").format(path=target))
