"""Fourth step: the training, watched, paused, finished early."""

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
    """One line a stage, each on a scale of its own: they measure different things."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Loss over the training"))
        self._points: dict[str, list[tuple[float, float]]] = {}

    def sizeHint(self) -> QSize:
        return QSize(420, 120)

    def clear(self) -> None:
        """Another training."""
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
    """Buttons and what the training tells. It asks; whoever owns the training does it."""

    train_wanted = Signal()
    pause_wanted = Signal()
    go_on_wanted = Signal()
    use_now_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_paused = False
        self._photo_names: tuple[str, ...] = ()
        lead = QLabel(
            self.tr(
                "The model learns to turn layouts in your classes into pictures. The first pictures come within "
                "minutes; you may paint all the while."
            )
        )
        lead.setWordWrap(True)
        lead.setProperty("role", "muted")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.train_button = QPushButton(self.tr("Train"))
        self.train_button.setProperty("role", "primary")
        self.train_button.clicked.connect(self.train_wanted)
        self.pause_button = QPushButton(self.tr("Pause"))
        self.pause_button.clicked.connect(lambda: (self.go_on_wanted if self._is_paused else self.pause_wanted).emit())
        self.use_button = QPushButton(self.tr("Good enough, use it now"))
        self.use_button.clicked.connect(self.use_now_wanted)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self.paint_box = QCheckBox(self.tr("Paint with it while it learns"))
        self.paint_box.setChecked(True)
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
        title = QLabel(self.tr("Your own layouts, by the newest model"))
        title.setProperty("role", "muted")
        buttons = QHBoxLayout()
        for button in (self.train_button, self.pause_button, self.use_button, self.cancel_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.paint_box)
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
        self.plot.setMaximumHeight(220)
        column.addWidget(self.plot, 1)
        column.addWidget(title)
        column.addLayout(pictures)
        column.addStretch(1)
        self.show_idle("")

    def show_idle(self, words: str) -> None:
        """Nothing is being trained."""
        self._show_buttons(is_training=False)
        self._line.hide()
        self._tell_note("")
        self._hide_photos()
        self._words.setText(words)

    def show_begun(self) -> None:
        """A training was started."""
        self.plot.clear()
        self._is_paused = False
        self._show_buttons(is_training=True)
        self.use_button.setEnabled(False)
        self._line.show()
        self._line.set_fraction(-1.0)
        self._tell_note("")
        self._hide_photos()
        self._words.setText(self.tr("Opening the shots…"))

    def show_message(self, message: object) -> None:
        """One of the training's."""
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
                self.pause_button.setText(self.tr("Go on"))
                self._words.setText(self.tr("Paused"))
            case SmallerBatch():
                words = self.tr("There was too little memory: it goes on in smaller steps ({n} at a time).")
                self._tell_note(words.format(n=message.batch_size))
            case FallsBackToCpu():
                self._tell_note(self.tr("The graphics card has too little memory: the processor goes on."))
            case Trained():
                minutes = message.seconds / 60
                self.show_idle(self.tr("Done in {minutes:.1f} minutes. The model is ready.").format(minutes=minutes))
            case WorkFailed():
                self.show_idle(message.text)
            case WorkEnded() if message.killed_by:
                self.show_idle(
                    self.tr(
                        "The training was ended from outside (signal {number}; often there was too little memory). "
                        "Press Train to go on where it was."
                    ).format(number=message.killed_by)
                )

    def show_resumed(self) -> None:
        """It goes on after a pause."""
        self._is_paused = False
        self.pause_button.setText(self.tr("Pause"))

    def _show_step(self, step: TrainingStep) -> None:
        if self._is_paused:
            self.show_resumed()
        stages = {
            "opening": self.tr("Opening the shots"),
            "starts": self.tr("Looking for pictures like yours to begin with"),
            "inverting": self.tr("Searching for {names}").format(names=", ".join(f"“{name}”" for name in step.photos)),
            "encoder": self.tr("Learning from pictures that label themselves"),
            "obedience": self.tr("Learning to obey"),
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

    def _tell_note(self, words: str) -> None:
        """It stands while the steps go on below the line: what became of the memory matters to the end."""
        self._note.setText(words)
        self._note.setVisible(bool(words))

    def _show_photos(self, pictures: tuple[np.ndarray, ...]) -> None:
        while len(self._photos) < len(pictures):
            photo = QLabel()
            photo.setFixedSize(_SIDE, _SIDE)
            photo.setAccessibleName(self.tr("A photo, as far as it is found"))
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
