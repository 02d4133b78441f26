"""The personal model that is painted with: opening it, another one, and what is said when that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.palette import Palette
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.window.preview_transport import LivePreview, OpenModel
from smis_desktop.workers.messages import Failed, Ready


class ActiveModel(QObject):
    """Its file, and what the preview told about it; the classes may be known before it is open."""

    palette_known = Signal(Palette)
    """Other classes than before."""
    opened = Signal()
    """Pictures can be made, by another model than before."""
    device_changed = Signal(str)
    """They are made by something else, because of too little memory."""

    def __init__(
        self, preview: LivePreview, open_model: OpenModel, panel: PreviewPanel, dialogs: FileDialogs, parent: QObject
    ) -> None:
        """open_model: how model files are opened."""
        super().__init__(parent)
        self._preview, self._open_model, self._panel, self._dialogs = preview, open_model, panel, dialogs
        self.path: Path | None = None
        self.about: Ready | None = None
        self.palette: Palette | None = None
        preview.loading.connect(panel.show_progress)
        preview.ready.connect(self._take)
        preview.device_changed.connect(self._take_device)
        preview.failed.connect(self._show_failure)
        panel.retry_wanted.connect(self.reopen)

    @property
    def name(self) -> str | None:
        """None before it is open."""
        return None if self.about is None else self.about.name

    def begin(self, path: Path, palette: Palette | None) -> None:
        """With the model that the preview opens first; palette: its classes, where they are known already."""
        self.path = path
        if palette is not None:
            self._take_palette(palette)

    def ask(self) -> None:
        """For a model file."""
        words = self.tr("Personal models (*.smismodel)")
        self._dialogs.ask_to_open(self.tr("Open personal model"), words, self.open)

    def open(self, path: Path) -> None:
        """`opened` follows, or a dialog says why not."""
        self.path = path
        self._preview.open(self._open_model(path))

    def file(self) -> tuple[Path, Palette, str] | None:
        """File, classes and generator's name of the model that is open."""
        if self.about is None or self.path is None:
            return None
        return self.path, self.about.palette, self.about.generator_name

    def reopen(self) -> None:
        """The same model again."""
        if self.path is not None:
            self._panel.show_progress(self.tr("Trying again…"), -1.0)
            self.open(self.path)

    def _take(self, about: Ready) -> None:
        self._panel.end_progress()
        self.about = about
        self._take_palette(about.palette)
        self.opened.emit()

    def _take_device(self, device: str) -> None:
        assert self.about is not None, "told of another device before the first"
        self.about = replace(self.about, device=device)
        self.device_changed.emit(device)

    def _take_palette(self, palette: Palette) -> None:
        if palette != self.palette:
            self.palette = palette
            self.palette_known.emit(palette)

    def _show_failure(self, failure: Failed) -> None:
        if failure.stage == "painting" or (failure.stage == "opening" and not self._preview.is_ready):
            self._panel.show_failure(failure.text, can_retry=failure.stage == "opening")
        else:
            self._panel.end_progress()
            self._dialogs.complain(failure.text)
