"""The look of a photo: a small window in which its picture by the generator grows beside it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from smis_desktop.jobs.inverting import Inverted, Inverting, photo_inversion
from smis_desktop.jobs.spawned import Spawned, WorkEnded, WorkFailed
from smis_desktop.labels.square import middle_square
from smis_desktop.style import Look
from smis_desktop.ui.progress_line import ProgressLine
from smis_desktop.ui.qimage import picture_to_qimage

_SIDE = 256


class PhotoLook(QDialog):
    """Finds the latents of a photo's middle square; `found` brings its look. Closing it gives up."""

    found = Signal(Look)
    failed = Signal(str)
    _arrived = Signal(object)

    def __init__(self, photo: np.ndarray, name: str, generator_name: str, parent: QWidget) -> None:
        """photo: uint8 [H, W, 3]. name: what the look is called."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Look of a photo"))
        self._name = name
        height, width = photo.shape[:2]
        square = np.ascontiguousarray(middle_square(width, height).of(photo))
        self._work: Spawned | None = photo_inversion(square, generator_name, self._arrived.emit)
        self._arrived.connect(self._receive)
        self._grown = _picture_label(self.tr("As the generator shows it"))
        given = _picture_label(self.tr("Your photo"))
        _show(given, square)
        self._grown.setText(self.tr("Looking for it…"))
        pictures = QHBoxLayout()
        pictures.addWidget(given)
        pictures.addWidget(self._grown)
        self._line = ProgressLine()
        words = QLabel(self.tr("About a minute. Colours, light and texture are taken from it; the layout stays yours."))
        words.setProperty("role", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(pictures)
        column.addWidget(self._line)
        column.addWidget(words)
        column.addWidget(buttons)

    def start(self) -> None:
        """Begin looking."""
        if self._work is not None:
            self._line.set_fraction(0.0)
            self._work.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        work, self._work = self._work, None
        if work is not None and work.pid is not None:
            work.cancel()
        super().closeEvent(event)

    def reject(self) -> None:
        """Esc gives up like the window's own button."""
        self.close()

    @Slot(object)
    def _receive(self, message: object) -> None:
        if self._work is None:
            return
        match message:
            case Inverting():
                self._line.set_fraction(message.fraction)
                if message.picture is not None:
                    _show(self._grown, message.picture)
            case Inverted():
                self.found.emit(Look.of_latents(message.ws, self._name))
                self.close()
            case WorkFailed():
                self.failed.emit(message.text)
                self.close()
            case WorkEnded():
                words = self.tr("Looking for the photo's look was ended from outside (signal {number}); try again.")
                self.failed.emit(words.format(number=message.killed_by))
                self.close()


def _picture_label(name: str) -> QLabel:
    label = QLabel()
    label.setFixedSize(_SIDE, _SIDE)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setAccessibleName(name)
    return label


def _show(label: QLabel, picture: np.ndarray) -> None:
    smooth = Qt.TransformationMode.SmoothTransformation
    image = picture_to_qimage(np.ascontiguousarray(picture)).scaled(
        _SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth
    )
    label.setPixmap(QPixmap.fromImage(image))
