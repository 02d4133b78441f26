"""Shows a photo's inversion: the photo next to the reconstruction so far."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.widgets.controls import ProgressLine
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.workers.photo_inversion import Inverted, Inverting, PhotoLayout
from smis_desktop.workers.process import WorkEnded, WorkerProcess, WorkFailed

_SIDE = 256

GOOD_DISTANCE, POOR_DISTANCE = 0.27, 0.38
"""Perceptual distances below which an inversion is good, and above which it is poor."""

Deliver = Callable[[object], None]


class PhotoInversionDialog(QDialog):
    """Runs an inversion and emits `found` with its result. Closing the dialog cancels it."""

    found = Signal(object)
    """An `Inverted` or a `PhotoLayout`."""
    failed = Signal(str)
    _received = Signal(object)

    def __init__(
        self, square: np.ndarray, work: Callable[[Deliver], WorkerProcess], words: str, parent: QWidget
    ) -> None:
        """square: the photo, uint8 [S, S, 3]. work: makes the process that inverts it, not started yet. words: its
        purpose."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Searching for the photo"))
        self._work: WorkerProcess | None = work(weak_callback(self, self._received.emit))
        self._received.connect(self._receive)
        self._reconstruction = _picture_label(self.tr("As the generator shows it"))
        given = _picture_label(self.tr("Your photo"))
        _show(given, square)
        self._reconstruction.setText(self.tr("Searching…"))
        pictures = QHBoxLayout()
        pictures.addWidget(given)
        pictures.addWidget(self._reconstruction)
        self._line = ProgressLine()
        purpose = QLabel(words)
        purpose.setProperty("role", "muted")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(pictures)
        column.addWidget(self._line)
        column.addWidget(purpose)
        column.addWidget(buttons)

    def start(self) -> None:
        """Start the inversion."""
        if self._work is not None:
            self._line.set_fraction(0.0)
            self._work.start()

    def done(self, result: int) -> None:
        """Cancel the inversion, if it is still running."""
        work, self._work = self._work, None
        if work is not None:
            work.cancel()
        super().done(result)

    @Slot(object)
    def _receive(self, message: object) -> None:
        if self._work is None:
            return
        match message:
            case Inverting():
                self._line.set_fraction(message.fraction)
                if message.picture is not None:
                    _show(self._reconstruction, message.picture)
            case Inverted() | PhotoLayout():
                self.found.emit(message)
                self.accept()
            case WorkFailed():
                self.failed.emit(message.text)
                self.reject()
            case WorkEnded():
                words = self.tr("The search was killed (signal {number}), often because memory ran out; try again.")
                self.failed.emit(words.format(number=message.killed_by))
                self.reject()


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
