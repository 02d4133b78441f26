"""Exports: pictures, layouts, layered files, folders of masks, and variations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Signal

from smis_desktop.document.style import Look
from smis_desktop.errors import UserError
from smis_desktop.formats.exported_picture import contact_sheet
from smis_desktop.formats.image_file import write_picture
from smis_desktop.formats.project import Project
from smis_desktop.formats.registry import Export, Format, Kind, export_formats, write_export
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, name_filter
from smis_desktop.ui.dialogs.small_dialogs import VariationsDialog
from smis_desktop.ui.widgets.translation import translated, without_mnemonic
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController

_LAYOUTS: tuple[Kind, ...] = ("layout", "layers")


class Exports(QObject):
    """Asks where to export to, and writes in the background."""

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
        """collect: returns the painting as a project.

        preview_picture: uint8 [S, S, 3] on screen, if any. stem: for file names.
        """
        super().__init__()
        self._controller, self._preview, self._dialogs = controller, preview, dialogs
        self._collect, self._preview_picture, self._stem = collect, preview_picture, stem
        self._waiting: dict[Path, Path] = {}
        self._sheet: list[Path] = []
        preview.saved.connect(self._follow_saved)
        self._sheet_done.connect(self._report_sheet)
        self._layout_done.connect(self._report_layout)

    def ask_for_picture(self) -> None:
        """Ask where to export the photograph at full size; a PNG carries the whole project."""
        suffixes = [suffix for f in export_formats(("picture",)) for suffix in f.written_suffixes]
        filters = name_filter(self.tr("Pictures"), suffixes)
        self._dialogs.ask_to_save(self.tr("Export photograph"), f"{self._stem()}.png", filters, self.save_picture)

    def save_picture(self, path: Path) -> None:
        """Write the photograph in the background; `PreviewController.saved` follows."""
        self.message.emit(self.tr("Saving {name}…").format(name=path.name))
        self._preview.save(path, self._collect())

    def ask_for_layout(self) -> None:
        """Ask where to export the layout: as an index PNG or a layered file, by the name's ending."""
        filters = ";;".join(name_filter(translated(f.name), f.written_suffixes) for f in export_formats(_LAYOUTS))
        self._dialogs.ask_to_save(self.tr("Export layout"), f"{self._stem()}-layout.png", filters, self.save_layout)

    def save_layout(self, path: Path) -> None:
        """Write the layout in the background: Photoshop files of large paintings take seconds.

        A message or a dialog shows the result.
        """
        document = self._controller.document
        if document is None:
            return
        self.message.emit(self.tr("Saving {name}…").format(name=path.name))
        export = Export(document.state(), document.snapshot(), self._preview_picture(), self._stem())
        threading.Thread(target=self._write_layout, args=(path, export), name="export").start()

    def _write_layout(self, path: Path, export: Export) -> None:
        try:
            write_export(path, export, _LAYOUTS)
        except UserError as error:
            self._layout_done.emit(str(path), str(error))
        else:
            self._layout_done.emit(str(path), "")

    def _report_layout(self, path: str, failure: str) -> None:
        if failure:
            self._dialogs.complain(failure)
        else:
            self.message.emit(self.tr("Saved {path}").format(path=path))

    def ask_for_folder(self, folder: Format) -> None:
        """Ask where to write a folder of that format."""
        title = without_mnemonic(translated(folder.export_text))
        self._dialogs.ask_for_folder(title, partial(self.save_folder, folder))

    def save_folder(self, folder_format: Format, folder: Path) -> None:
        """Write the layout as a folder of that format; a message or a dialog shows the result."""
        document = self._controller.document
        if document is None or folder_format.write is None:
            return
        export = Export(document.state(), document.snapshot(), self._preview_picture(), self._stem())
        try:
            written = folder_format.write(folder, export)
        except UserError as error:
            self._dialogs.complain(str(error))
        else:
            self.message.emit(self.tr("Saved {count} files in {folder}").format(count=len(written), folder=folder))

    def ask_for_variations(self) -> None:
        """Ask how many variations to export, then where to."""
        dialog = VariationsDialog(self._dialogs.parent())  # type: ignore[arg-type]

        def take() -> None:
            count = dialog.count
            self._dialogs.ask_for_folder(
                self.tr("Folder for the variations"), lambda folder: self.save_variations(folder, count)
            )

        dialog.accepted.connect(take)
        dialog.open()

    def save_variations(self, folder: Path, count: int) -> None:
        """Write the layout in `count` styles, and a contact sheet of them, in the background."""
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

    def _report_sheet(self, target: str, failure: str) -> None:
        if failure:
            self._dialogs.complain(failure)
        else:
            self.message.emit(self.tr("All variations are saved; {path} shows them together.").format(path=target))
