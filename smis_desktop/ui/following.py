"""The photograph follows the brush: when which picture of the painting is asked for."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from smis_desktop.ui.chosen_style import ChosenStyle
from smis_desktop.ui.easel import Easel
from smis_desktop.ui.live_preview import LivePreview


class Following(QObject):
    """Listens to easel and style, and asks the preview."""

    def __init__(self, easel: Easel, chosen: ChosenStyle, preview: LivePreview, parent: QObject) -> None:
        super().__init__(parent)
        self._easel, self._chosen, self._preview = easel, chosen, preview
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.setInterval(0)
        self._next.timeout.connect(self.ask)
        easel.painted.connect(self._follow)
        easel.palette_changed.connect(self.ask)
        easel.stroke_ended.connect(self._finish)
        chosen.changed.connect(self.ask)

    def ask(self) -> None:
        """For the picture of what is painted now."""
        self._next.stop()
        document = self._easel.document
        if document is not None:
            self._preview.request(document.snapshot(), self._chosen.style, pen_is_down=self._easel.is_painting)

    def _follow(self) -> None:
        if self._easel.is_painting:
            # A fast mouse moves more often than a layout can be copied: ask once for all moves that have come.
            self._next.start()
        else:
            self.ask()

    def _finish(self) -> None:
        if self._next.isActive():
            self.ask()
        else:
            self._preview.finish()
