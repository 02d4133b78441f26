"""Actions on the picture on screen: keep it, copy it, compare it, show where it differs from the layout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QTransform

from smis_desktop.document.fidelity import LayoutFidelity
from smis_desktop.formats.project import KeptPicture, KeptStyle
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.widgets.qimage import qimage_to_picture, qimage_to_png
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController

_KEPT_SIDE = 256


class PreviewActions(QObject):
    """The commands of the menu "Photograph" that act on the picture and on how it is shown."""

    message = Signal(str)
    """A short message for the status bar."""

    def __init__(
        self,
        preview: PreviewController,
        controller: DocumentController,
        canvas: Canvas,
        panel: PreviewPanel,
        history: PreviewHistory,
        style: Callable[[], KeptStyle],
        parent: QObject,
    ) -> None:
        """style: what a kept picture stores of its style."""
        super().__init__(parent)
        self._preview, self._controller = preview, controller
        self._canvas, self._panel, self._history = canvas, panel, history
        self._style = style
        self._fidelity: LayoutFidelity | None = None
        self._shows_mismatch = self._compares = self._is_linked = False
        canvas.viewport_moved.connect(self._link_view)
        history.changed.connect(self._show_comparison)
        preview.fidelity_measured.connect(self._take_fidelity)
        controller.replaced.connect(self._forget_fidelity)

    def pixels(self) -> np.ndarray | None:
        """The picture on screen, uint8 [S, S, 3]; None before the first."""
        return None if self._preview.image is None else qimage_to_picture(self._preview.image)

    def keep(self) -> None:
        """Add the picture to the strip of kept ones, with its layout and style."""
        picture, document = self._preview.image, self._controller.document
        if picture is None or document is None:
            return
        smooth = Qt.TransformationMode.SmoothTransformation
        small = picture.scaled(_KEPT_SIDE, _KEPT_SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
        self._history.keep(KeptPicture(qimage_to_png(small), document.state(), self._style()))

    def copy(self) -> None:
        """Copy the picture to the clipboard."""
        if self._preview.image is not None:
            QGuiApplication.clipboard().setImage(self._preview.image)
            self.message.emit(self.tr("The picture is on the clipboard"))

    def show_mismatch(self, is_shown: bool) -> None:
        """Show on the canvas where the picture does not follow the layout."""
        self._shows_mismatch = is_shown
        self._show_heat_map()

    def compare(self, is_on: bool) -> None:
        """Compare the picture with the one that was kept last, side by side."""
        self._compares = is_on
        self._show_comparison()

    def link_view(self, is_linked: bool) -> None:
        """Zoom, turn and move the picture together with the canvas."""
        self._is_linked = is_linked
        self._link_view()

    def _take_fidelity(self, fidelity: LayoutFidelity) -> None:
        self._fidelity = fidelity
        if self._shows_mismatch:
            self._show_heat_map()

    def _forget_fidelity(self) -> None:
        self._fidelity = None
        self._show_heat_map()

    def _show_heat_map(self) -> None:
        fidelity = self._fidelity if self._shows_mismatch else None
        self._canvas.set_heat_map(None if fidelity is None else fidelity.heat)

    def _show_comparison(self) -> None:
        self._panel.set_comparison(self._history.last_picture if self._compares else None)
        if self._compares and self._history.last_picture is None:
            self.message.emit(self.tr("Keep a picture first (K), then compare with it."))

    def _link_view(self) -> None:
        if not self._is_linked:
            self._panel.set_linked_view(None)
            return
        view = self._canvas.viewport
        transform = QTransform.fromScale(view.document_size, view.document_size) * QTransform(*view.matrix)
        dx, dy = (self._panel.width() - view.width) / 2, (self._panel.height() - view.height) / 2
        self._panel.set_linked_view(transform * QTransform.fromTranslate(dx, dy))
