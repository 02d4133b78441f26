"""Layout from a photo: frames the photo, inverts it, labels it with the model, and makes one layer per class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMainWindow

from smis_desktop.document.document import Document, DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.palette import Palette
from smis_desktop.document.style import Anchor
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import read_picture
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, photo_filter
from smis_desktop.ui.dialogs.photo_search import GOOD_DISTANCE, POOR_DISTANCE, PhotoInversionDialog
from smis_desktop.workers.photo_inversion import PhotoLayout, photo_layout

_MESSAGE_MS = 20_000
"""Milliseconds: long enough to read two sentences."""


class PhotoStart(QObject):
    """Asks for a photo and makes a layout of it."""

    begun = Signal(Document, Anchor)
    """The layout, and the photo's latents as the anchor of its pictures."""

    def __init__(
        self,
        dialogs: FileDialogs,
        model: Callable[[], tuple[Path, Palette, str] | None],
        window: QMainWindow,
    ) -> None:
        """model: returns file, classes and generator's name of the open model; None before there is one."""
        super().__init__(window)
        self._dialogs, self._model, self._window = dialogs, model, window

    def ask(self) -> None:
        """Ask for a photo."""
        self._dialogs.ask_to_open(self.tr("Layout from a photo"), photo_filter(), self.begin)

    def begin(self, path: Path) -> None:
        """Let the person frame that photo, then make a layout of it."""
        model = self._model()
        if model is None:
            self._dialogs.complain(self.tr("The model is still being opened; try again in a moment."))
            return
        try:
            photo = read_picture(path)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        model_path, palette, generator = model
        framing = FramingDialog(photo, path.name, generator, self._window)
        framing.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        framing.framed.connect(lambda square: self.search(square, path.name, model_path, palette))
        framing.open()

    def search(self, square: np.ndarray, name: str, model_path: Path, palette: Palette) -> None:
        """Invert the framed photo, uint8 [S, S, 3], and emit `begun`."""
        words = self.tr("This takes about a minute. Then you can repaint the photo class by class.")
        dialog = PhotoInversionDialog(
            square, lambda deliver: photo_layout(square, model_path, deliver), words, self._window
        )

        def take(found: PhotoLayout) -> None:
            layout, ws = found.label_map, found.ws
            for array in (layout, ws):
                array.setflags(write=False)
            self.begun.emit(layered(layout, palette), Anchor(layout, ws, name))
            self._window.statusBar().showMessage(self._quality(found), _MESSAGE_MS)

        dialog.found.connect(take)
        dialog.failed.connect(self._dialogs.complain)
        dialog.show()
        dialog.start()

    def _quality(self, found: PhotoLayout) -> str:
        figures = self.tr("({psnr:.1f} dB, perceptual distance {distance:.2f})").format(
            psnr=found.psnr, distance=found.perceptual
        )
        if found.perceptual < GOOD_DISTANCE:
            return self.tr("Found well {figures}.").format(figures=figures)
        if found.perceptual < POOR_DISTANCE:
            return self.tr(
                "Found {figures}. Where picture and photo differ, the layout fits the photo less well."
            ).format(figures=figures)
        return self.tr(
            "Poorly found {figures}: the layout may not fit. Frame the photo better, or use another one."
        ).format(figures=figures)


def layered(label_map: np.ndarray, palette: Palette) -> Document:
    """Return a document with one layer per class in a label map, uint8 [S, S]; the palette's first is at the bottom."""
    layers: list[Layer] = []
    for semantic_class in palette.classes:
        mask = label_map == semantic_class.class_id
        if mask.any():
            pixels = np.where(mask, label_map, np.uint8(255)).astype(np.uint8)
            layers.append(Layer(len(layers) + 1, semantic_class.name, pixels=pixels).trimmed())
    if not layers:
        return Document.blank(palette, len(label_map))
    return Document.from_state(DocumentState(len(label_map), palette, tuple(layers), layers[-1].layer_id))
