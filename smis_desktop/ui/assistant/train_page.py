"""Fourth step: the training, which can be watched, paused and finished early."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from smis_desktop.training.events import FallsBackToCpu, ModelImproved, SmallerBatch
from smis_desktop.ui.widgets.controls import ProgressLine
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.workers.process import WorkEnded, WorkFailed
from smis_desktop.workers.training_process import PhotosGrowing, Trained, TrainingPaused, TrainingPictures, TrainingStep


class LossPlot(QWidget):
    """One line per stage, each on a scale of its own, because their losses differ."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Loss over the training"))
        self._points: dict[str, list[tuple[float, float]]] = {}

    def sizeHint(self) -> QSize:
        return QSize(420, 120)

    def clear(self) -> None:
        """Removes all lines, for another training."""
        self._points = {}
        self.update()

    def add(self, stage: str, fraction: float, loss: float) -> None:
        """fraction: of the whole training, 0–1."""
        if math.isfinite(loss):
            self._points.setdefault(stage, []).append((fraction, loss))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = current_colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.setBrush(QColor(colors.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        field = QRectF(self.rect()).adjusted(12, 12, -12, -12)
        if not self._points:
            painter.setPen(QColor(colors.muted))
            painter.drawText(field, Qt.AlignmentFlag.AlignCenter, self.tr("The loss appears here"))
        for points in self._points.values():
            losses = [loss for _, loss in points]
            low, high = min(losses), max(losses)
            span = max(high - low, 1e-9)
            line = QPolygonF(
                [
                    QPointF(field.left() + x * field.width(), field.bottom() - (loss - low) / span * field.height())
                    for x, loss in points
                ]
            )
            painter.setPen(QPen(QColor(colors.accent), 1.6))
            painter.drawPolyline(line)
        painter.end()


_SIDE = 148


class TrainPage(QWidget):
    """Buttons and progress of a training. It emits what is wanted; its owner does it."""

    train_wanted = Signal()
    pause_wanted = Signal()
    resume_wanted = Signal()
    finish_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_paused = False
        self._photo_names: tuple[str, ...] = ()
        lead = QLabel(
            self.tr(
                "The model learns to turn layouts in your classes into pictures. The first pictures appear within "
                "minutes; you can keep painting meanwhile."
            )
        )
        lead.setWordWrap(True)
        lead.setProperty("role", "muted")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        buttons = self._make_buttons()
        self._line = ProgressLine()
        self._words = QLabel()
        self._words.setProperty("role", "muted")
        self._words.setWordWrap(True)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._photos: list[QLabel] = []
        self._photo_row = QHBoxLayout()
        self._photo_row.addStretch(1)
        self.plot = LossPlot()
        self._pictures = [QLabel() for _ in range(5)]
        pictures = QHBoxLayout()
        for label in self._pictures:
            label.setFixedSize(_SIDE, _SIDE)
            pictures.addWidget(label)
        pictures.addStretch(1)
        self.plot.setMaximumHeight(220)
        title = QLabel(self.tr("Your own layouts, rendered by the newest model"))
        title.setProperty("role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(10)
        column.addWidget(lead)
        column.addWidget(self.summary)
        column.addLayout(buttons)
        column.addWidget(self._line)
        column.addWidget(self._words)
        column.addWidget(self._note)
        column.addLayout(self._photo_row)
        column.addWidget(self.plot, 1)
        column.addWidget(title)
        column.addLayout(pictures)
        column.addStretch(1)
        self.show_idle("")

    def _make_buttons(self) -> QHBoxLayout:
        self.train_button = QPushButton(self.tr("Train"))
        self.train_button.setProperty("role", "primary")
        self.train_button.clicked.connect(self.train_wanted)
        self.pause_button = QPushButton(self.tr("Pause"))
        self.pause_button.clicked.connect(lambda: (self.resume_wanted if self._is_paused else self.pause_wanted).emit())
        self.use_button = QPushButton(self.tr("Good enough, use it now"))
        self.use_button.clicked.connect(self.finish_wanted)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self.paint_box = QCheckBox(self.tr("Paint with it while it learns"))
        self.paint_box.setChecked(True)
        buttons = QHBoxLayout()
        for button in (self.train_button, self.pause_button, self.use_button, self.cancel_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.paint_box)
        return buttons

    def show_idle(self, words: str) -> None:
        """Shows that no training runs."""
        self._show_buttons(is_training=False)
        self._line.hide()
        self._show_note("")
        self._hide_photos()
        self._words.setText(words)

    def show_started(self) -> None:
        """Shows that a training has started."""
        self.plot.clear()
        self._is_paused = False
        self._show_buttons(is_training=True)
        self.use_button.setEnabled(False)
        self._line.show()
        self._line.set_fraction(-1.0)
        self._show_note("")
        self._hide_photos()
        self._words.setText(self.tr("Opening the shots…"))

    def show_message(self, message: object) -> None:
        """Shows a message of the training."""
        match message:
            case TrainingStep():
                self._show_step(message)
            case PhotosGrowing():
                self._show_photos(message.pictures)
            case TrainingPictures():
                for label, picture in zip(self._pictures, message.pictures, strict=False):
                    label.setPixmap(_fitted(picture))
            case ModelImproved():
                self.use_button.setEnabled(True)
            case TrainingPaused():
                self._is_paused = True
                self.pause_button.setText(self.tr("Resume"))
                self._words.setText(self.tr("Paused"))
            case SmallerBatch():
                words = self.tr("There was too little memory: the training continues in smaller batches ({n}).")
                self._show_note(words.format(n=message.batch_size))
            case FallsBackToCpu():
                words = self.tr("The graphics card has too little memory: the training continues on the processor.")
                self._show_note(words)
            case Trained():
                minutes = message.seconds / 60
                self.show_idle(self.tr("Done in {minutes:.1f} minutes. The model is ready.").format(minutes=minutes))
            case WorkFailed():
                self.show_idle(message.text)
            case WorkEnded() if message.killed_by:
                self.show_idle(
                    self.tr(
                        "The training was killed (signal {number}), often because memory ran out. Press Train to "
                        "continue."
                    ).format(number=message.killed_by)
                )

    def show_resumed(self) -> None:
        """Shows that the training continues after a pause."""
        self._is_paused = False
        self.pause_button.setText(self.tr("Pause"))

    def _show_step(self, step: TrainingStep) -> None:
        if self._is_paused:
            self.show_resumed()
        stages = {
            "opening": self.tr("Opening the shots"),
            "starts": self.tr("Searching for pictures similar to yours"),
            "inverting": self.tr("Searching for {names}").format(names=", ".join(f"“{name}”" for name in step.photos)),
            "encoder": self.tr("Learning from automatically labelled pictures"),
            "correction": self.tr("Learning from automatically labelled pictures"),
            "obedience": self.tr("Learning to follow layouts"),
        }
        words = stages.get(step.stage, step.label)
        if step.seconds_left is not None:
            left = self.tr("about {minutes} min left") if step.seconds_left > 90 else self.tr("about {seconds} s left")
            words += " · " + left.format(minutes=round(step.seconds_left / 60), seconds=round(step.seconds_left))
        self._words.setText(words)
        if step.photos != self._photo_names:
            self._hide_photos()
            self._photo_names = step.photos
        self._line.set_fraction(step.fraction)
        if step.loss is not None:
            self.plot.add(step.stage, step.fraction, step.loss)

    def _show_note(self, words: str) -> None:
        """Shows a note that stays until the training ends, unlike the words for each step."""
        self._note.setText(words)
        self._note.setVisible(bool(words))

    def _show_photos(self, pictures: tuple[np.ndarray, ...]) -> None:
        while len(self._photos) < len(pictures):
            photo = QLabel()
            photo.setFixedSize(_SIDE, _SIDE)
            photo.setAccessibleName(self.tr("A photo's reconstruction so far"))
            self._photo_row.insertWidget(len(self._photos), photo)
            self._photos.append(photo)
        for photo, picture in zip(self._photos, pictures, strict=False):
            photo.setPixmap(_fitted(picture))
            photo.show()

    def _hide_photos(self) -> None:
        for photo in self._photos:
            photo.clear()
            photo.hide()

    def _show_buttons(self, *, is_training: bool) -> None:
        self.train_button.setEnabled(not is_training)
        self.pause_button.setText(self.tr("Pause"))
        for button in (self.pause_button, self.use_button, self.cancel_button):
            button.setEnabled(is_training)


def _fitted(picture: np.ndarray) -> QPixmap:
    pixmap = QPixmap.fromImage(picture_to_qimage(picture))
    return pixmap.scaled(_SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
