"""The photograph follows the brush: when which picture of the painting is asked for."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_transport import LivePreview
from smis_desktop.ui.window.style_model import StyleModel


class Following(QObject):
    """Listens to controller and style, and asks the preview."""

    def __init__(
        self, controller: DocumentController, chosen: StyleModel, preview: LivePreview, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._controller, self._chosen, self._preview = controller, chosen, preview
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(0)
        self._next.timeout.connect(self.ask)
        controller.painted.connect(self._follow)
        controller.palette_changed.connect(self.ask)
        controller.stroke_ended.connect(self._finish)
        chosen.changed.connect(self.ask)

    def ask(self) -> None:
        """For the picture of what is painted now."""
        self._next.stop()
        document = self._controller.document
        if document is not None:
            self._preview.request(document.snapshot(), self._chosen.style, pen_is_down=self._controller.is_painting)

    def _follow(self) -> None:
        if self._controller.is_painting:
            # A fast mouse moves more often than a layout can be copied: ask once for all moves that have come.
            self._next.start()
        else:
            self.ask()

    def _finish(self) -> None:
        if self._next.isActive():
            self.ask()
        else:
            self._preview.finish()
