"""The active model: opening a personal model, and switching to another one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from smis_desktop.document.palette import Palette
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.workers.preview_jobs import Ready
from smis_desktop.workers.renderer import OpenModel


class ActiveModel(QObject):
    """The active model's file and classes; the classes may be known before it is open."""

    palette_known = Signal(Palette)
    """The model's classes, when they differ from those before."""
    opened = Signal()
    """Another model than before is open."""

    def __init__(
        self,
        preview: PreviewController,
        open_model: OpenModel,
        panel: PreviewPanel,
        dialogs: FileDialogs,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._preview, self._open_model, self._panel, self._dialogs = preview, open_model, panel, dialogs
        self.path: Path | None = None
        self.palette: Palette | None = None
        preview.ready.connect(self._take)
        panel.retry_wanted.connect(self.reopen)

    @property
    def about(self) -> Ready | None:
        """What the preview reports of the model; None before it is open."""
        return self._preview.about

    @property
    def name(self) -> str | None:
        """The model's name; None before it is open."""
        return None if self.about is None else self.about.name

    def begin(self, path: Path, palette: Palette | None) -> None:
        """Take over the model that the preview opens first. palette: its classes, if already known."""
        self.path = path
        if palette is not None:
            self._take_palette(palette)

    def ask(self) -> None:
        """Ask for a model's file, and open it."""
        words = self.tr("Personal models (*.smismodel)")
        self._dialogs.ask_to_open(self.tr("Open personal model"), words, self.open)

    def open(self, path: Path) -> None:
        """Open a model; `opened` follows, or the window shows why not."""
        self.path = path
        self._preview.open(self._open_model(path))

    def file(self) -> tuple[Path, Palette, str] | None:
        """Return file, classes and generator's name of the open model."""
        if self.about is None or self.path is None:
            return None
        return self.path, self.about.palette, self.about.generator_name

    def reopen(self) -> None:
        """Open the same model again."""
        if self.path is not None:
            self._panel.show_progress(self.tr("Trying again…"), -1.0)
            self.open(self.path)

    def _take(self, about: Ready) -> None:
        self._take_palette(about.palette)
        self.opened.emit()

    def _take_palette(self, palette: Palette) -> None:
        if palette != self.palette:
            self.palette = palette
            self.palette_known.emit(palette)
