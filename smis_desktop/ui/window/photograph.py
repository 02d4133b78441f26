"""The photograph on screen: showing it, how well it follows the layout, and what one can do with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QImage, QTransform

from smis_desktop.document.fidelity import LayoutFidelity, layout_fidelity
from smis_desktop.formats.project import KeptPicture, KeptStyle
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.widgets.qimage import picture_to_qimage, qimage_to_picture, qimage_to_png
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.workers.messages import PicturePainted

_KEPT_SIDE = 256


class Photograph(QObject):
    """Stands between the answers of the preview and the widgets that show them."""

    told = Signal(str)
    detail_changed = Signal(str)
    """What there is to say about it in two words: its size, or that it is a draft."""
    measured = Signal(LayoutFidelity)
    """How well the full picture follows the layout."""

    def __init__(
        self,
        controller: DocumentController,
        canvas: Canvas,
        panel: PreviewPanel,
        history: PreviewHistory,
        style: Callable[[], KeptStyle],
        parent: QObject,
    ) -> None:
        """style: what a picture that is kept remembers of the style it was made in."""
        super().__init__(parent)
        self._controller, self._canvas, self._panel, self._history = controller, canvas, panel, history
        self._style = style
        self._picture: QImage | None = None
        self._obedience: LayoutFidelity | None = None
        self._shows_heat = self._compares = self._is_tied = False
        canvas.viewport_moved.connect(self._tie)
        history.changed.connect(self._show_comparison)

    @property
    def image(self) -> QImage | None:
        """As it is on screen; None before the first."""
        return self._picture

    def pixels(self) -> np.ndarray | None:
        """uint8 [S, S, 3], likewise."""
        return None if self._picture is None else qimage_to_picture(self._picture)

    def show(self, painted: PicturePainted) -> None:
        """An answer of the preview."""
        self._picture = picture_to_qimage(painted.result.picture)
        self._panel.show_picture(self._picture)
        if painted.quality == "draft":
            self.detail_changed.emit(self.tr("draft"))
            return
        size = painted.result.picture.shape[0]
        words = self.tr("{width} × {height}, refined") if painted.refined else self.tr("{width} × {height}")
        self.detail_changed.emit(words.format(width=size, height=size))
        document, seen = self._controller.document, painted.result.seen
        if document is not None and seen is not None:
            self._obedience = layout_fidelity(document.snapshot(), seen, document.palette)
            self._show_heat()
            self.measured.emit(self._obedience)

    def forget_fidelity(self) -> None:
        """Another painting: what was measured says nothing about it."""
        self._obedience = None
        self._show_heat()

    def keep(self) -> None:
        """Into the strip, with its layout and style."""
        if self._picture is None or self._controller.document is None:
            return
        smooth = Qt.TransformationMode.SmoothTransformation
        small = self._picture.scaled(_KEPT_SIDE, _KEPT_SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
        self._history.keep(KeptPicture(qimage_to_png(small), self._controller.document.state(), self._style()))

    def copy(self) -> None:
        """Onto the clipboard."""
        if self._picture is not None:
            QGuiApplication.clipboard().setImage(self._picture)
            self.told.emit(self.tr("The picture is on the clipboard"))

    def set_heat(self, is_shown: bool) -> None:
        """Over the canvas, where it does not follow."""
        self._shows_heat = is_shown
        self._show_heat()

    def set_comparison(self, is_on: bool) -> None:
        """With the picture that was kept last."""
        self._compares = is_on
        self._show_comparison()

    def set_tied(self, is_tied: bool) -> None:
        """Shown as the canvas shows the layout: zoomed, turned and moved alike."""
        self._is_tied = is_tied
        self._tie()

    def _show_heat(self) -> None:
        obedience = self._obedience if self._shows_heat else None
        self._canvas.set_heat_map(None if obedience is None else obedience.heat)

    def _show_comparison(self) -> None:
        self._panel.set_comparison(self._history.last_picture if self._compares else None)
        if self._compares and self._history.last_picture is None:
            self.told.emit(self.tr("Keep a picture first (K), then compare with it."))

    def _tie(self) -> None:
        if not self._is_tied:
            self._panel.set_tied_view(None)
            return
        view = self._canvas.viewport
        transform = QTransform.fromScale(view.document_size, view.document_size) * QTransform(*view.matrix)
        dx, dy = (self._panel.width() - view.width) / 2, (self._panel.height() - view.height) / 2
        self._panel.set_tied_view(transform * QTransform.fromTranslate(dx, dy))
