"""Framing a photo: a square to move, turn and scale, or marks for eyes and mouth."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.formats.image_file import middle_square
from smis_desktop.generators.catalog import DEFAULT_GENERATOR
from smis_desktop.generators.face_finder import FoundFace, find_face, read_face_filter
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.widgets.qimage import picture_to_qimage, qimage_to_picture
from smis_desktop.ui.widgets.theme import current_colors

SIDE = 512
LEFT_EYE, RIGHT_EYE, MOUTH = (0.385, 0.48), (0.615, 0.48), (0.5, 0.735)
"""Where they are in the face generator's pictures on average, as fractions of the frame."""
_MARK_RADIUS = 14.0
_UNIT_SQUARE = QPolygonF([QPointF(0, 0), QPointF(1, 0), QPointF(1, 1), QPointF(0, 1)])


@dataclass(frozen=True)
class Frame:
    """A square in the photo: centre and side in pixels, angle in degrees clockwise."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_photo(self) -> QTransform:
        """Maps the unit square to the photo's pixels."""
        transform = QTransform()
        transform.translate(self.x, self.y)
        transform.rotate(self.angle)
        transform.scale(self.side, self.side)
        transform.translate(-0.5, -0.5)
        return transform


def frame_of_marks(left_eye: QPointF, right_eye: QPointF, mouth: QPointF) -> Frame:
    """The frame that puts the marks where the generator has them: the similarity transform with the least squared error
    (Umeyama 1991, without reflection)."""
    wanted = np.array([LEFT_EYE, RIGHT_EYE, MOUTH])
    given = np.array([[p.x(), p.y()] for p in (left_eye, right_eye, mouth)])
    a, b = wanted - wanted.mean(0), given - given.mean(0)
    # As complex numbers a similarity transform is one factor.
    za, zb = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    factor = (za.conj() * zb).sum() / (np.abs(za) ** 2).sum()
    centre = (0.5 - wanted.mean(0)[0]) + 1j * (0.5 - wanted.mean(0)[1])
    place = factor * centre + complex(*given.mean(0))
    side = max(abs(factor), 8.0)
    return Frame(place.real, place.imag, side, math.degrees(math.atan2(factor.imag, factor.real)))


def cut(photo: QImage, frame: Frame, side: int = SIDE) -> QImage:
    """Cuts out the frame's contents; grey outside the photo."""
    target = QImage(side, side, QImage.Format.Format_RGB32)
    target.fill(QColor(128, 128, 128))
    painter = QPainter(target)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    inverse, _ = frame.to_photo().inverted()
    shrink = max(1, int(frame.side / side))
    source = photo
    if shrink > 1:  # the painter's own sampling would skip pixels
        source = photo.scaled(
            QSize(photo.width() // shrink, photo.height() // shrink),
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    painter.setTransform(inverse * QTransform.fromScale(side, side))
    painter.drawImage(QRectF(0, 0, photo.width(), photo.height()), source)
    painter.end()
    return target


class FramingView(QWidget):
    """The photo with the frame on it. Drag moves it, the wheel scales it, Shift + wheel turns it; or drag the marks."""

    changed = Signal()

    def __init__(self, photo: QImage, is_face: bool = True, parent: QWidget | None = None) -> None:
        """is_face: whether to show where eyes and mouth belong."""
        super().__init__(parent)
        self.is_face = is_face
        self.setAccessibleName(self.tr("Photo with the frame of the shot"))
        self.setMinimumSize(420, 420)
        self.setMouseTracking(True)
        self._photo = photo
        square = middle_square(photo.width(), photo.height())
        self.frame = Frame(square.left + square.side / 2, square.top + square.side / 2, square.side)
        self.uses_marks = False
        self.is_touched = False
        """Whether the person has changed the frame."""
        self.marks = self._places()
        self._held: int | None = None
        self._last = QPointF()

    def set_uses_marks(self, uses: bool) -> None:
        """Sets whether marks for eyes and mouth decide the frame, or it is moved itself."""
        self.uses_marks = uses
        self.marks = self._places()
        self.update()

    def propose(self, frame: Frame) -> None:
        """Sets the frame, with marks where eyes and mouth would be in it."""
        self._set(frame)
        self.set_uses_marks(True)

    def turn(self, degrees: float) -> None:
        """Turns the frame clockwise."""
        self._reframe(Frame(self.frame.x, self.frame.y, self.frame.side, self.frame.angle + degrees))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.is_touched = True
        self._last = event.position()
        self._held = None
        if self.uses_marks:
            distances = [(self.to_view().map(mark) - event.position()).manhattanLength() for mark in self.marks]
            nearest = int(np.argmin(distances))
            if distances[nearest] < 2 * _MARK_RADIUS:
                self._held = nearest

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not event.buttons() & Qt.MouseButton.LeftButton:
            return
        inverse, _ = self.to_view().inverted()
        moved = inverse.map(event.position()) - inverse.map(self._last)
        self._last = event.position()
        if self._held is not None:
            self.marks[self._held] = inverse.map(event.position())
            self._set(frame_of_marks(*self.marks))
        elif not self.uses_marks:
            self._set(Frame(self.frame.x + moved.x(), self.frame.y + moved.y(), self.frame.side, self.frame.angle))

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120 or event.angleDelta().x() / 120
        frame = self.frame
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.turn(2 * steps)
        else:
            self._reframe(Frame(frame.x, frame.y, max(16.0, frame.side * 0.95**steps), frame.angle))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = current_colors()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(colors.canvas_ground))
        view = self.to_view()
        painter.save()
        painter.setTransform(view)
        painter.drawImage(0, 0, self._photo)
        painter.restore()
        corners = (self.frame.to_photo() * view).map(_UNIT_SQUARE)
        for color, width in ((QColor(0, 0, 0, 140), 4.0), (QColor(255, 255, 255), 1.6)):
            painter.setPen(QPen(color, width))
            painter.drawPolygon(corners)
        if self.is_face:
            unit = self.frame.to_photo() * view
            painter.setPen(QPen(QColor(255, 255, 255, 150), 1, Qt.PenStyle.DashLine))
            for part in (LEFT_EYE, RIGHT_EYE, MOUTH):
                painter.drawEllipse(unit.map(QPointF(*part)), _MARK_RADIUS, _MARK_RADIUS * 0.6)
        if self.uses_marks:
            painter.setPen(QPen(QColor(colors.window), 2))
            painter.setBrush(QColor(colors.accent))
            for mark in self.marks:
                painter.drawEllipse(view.map(mark), 6, 6)
        painter.end()

    def to_view(self) -> QTransform:
        """Maps the photo's pixels to the widget."""
        scale = min(self.width() / self._photo.width(), self.height() / self._photo.height())
        transform = QTransform()
        transform.translate(
            (self.width() - scale * self._photo.width()) / 2, (self.height() - scale * self._photo.height()) / 2
        )
        transform.scale(scale, scale)
        return transform

    def _places(self) -> list[QPointF]:
        """Where eyes and mouth would be in the frame, in pixels of the photo."""
        return [self.frame.to_photo().map(QPointF(*part)) for part in (LEFT_EYE, RIGHT_EYE, MOUTH)]

    def _reframe(self, frame: Frame) -> None:
        """Sets the frame for the person; the marks move with it."""
        self.is_touched = True
        self._set(frame)
        self.marks = self._places()
        self.update()

    def _set(self, frame: Frame) -> None:
        self.frame = frame
        self.update()
        self.changed.emit()


class FramingDialog(QDialog):
    """Shows the photo with its frame, and the resulting shot next to it."""

    framed = Signal(object)
    """uint8 [512, 512, 3]."""
    _face_found = Signal(object)

    def __init__(self, photo: np.ndarray, name: str, generator: str, parent: QWidget) -> None:
        """photo: uint8 [H, W, 3], upright. generator: name of the generator; for faces, it looks for a face, proposes
        its frame, and eyes and mouth can be marked."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Frame of {name}").format(name=name))
        self._photo = picture_to_qimage(photo)
        is_face = generator == DEFAULT_GENERATOR
        self.view = FramingView(self._photo, is_face)
        self.view.changed.connect(self._show)
        self._shot = QLabel()
        self._shot.setFixedSize(256, 256)
        self._shot.setAccessibleName(self.tr("The shot"))
        self.hint = hint = QLabel(self._advice(is_face))
        hint.setWordWrap(True)
        hint.setProperty("role", "muted")
        self.marks_box = QCheckBox(self.tr("Mark eyes and mouth instead"))
        self.marks_box.toggled.connect(self.view.set_uses_marks)
        self.marks_box.setVisible(is_face)
        left, right = QPushButton(self.tr("Turn left")), QPushButton(self.tr("Turn right"))
        left.clicked.connect(lambda: self.view.turn(-5))
        right.clicked.connect(lambda: self.view.turn(5))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Use this"))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.accepted.connect(lambda: self.framed.emit(qimage_to_picture(cut(self._photo, self.view.frame))))
        turns = QHBoxLayout()
        turns.addWidget(left)
        turns.addWidget(right)
        side = QVBoxLayout()
        side.addWidget(self._shot)
        side.addWidget(hint)
        side.addWidget(self.marks_box)
        side.addLayout(turns)
        side.addStretch(1)
        side.addWidget(buttons)
        row = QHBoxLayout(self)
        row.setSpacing(14)
        row.addWidget(self.view, 1)
        row.addLayout(side)
        self.resize(820, 560)
        self._show()
        self._face_found.connect(self._propose)
        if is_face:
            # No daemon: the interpreter would abort if it ended meanwhile, and this takes a second at most.
            threading.Thread(
                target=find_face_for, args=(photo, weak_callback(self, self._face_found.emit)), name="face"
            ).start()

    def _advice(self, is_face: bool) -> str:
        moves = self.tr("Drag to move the frame, use the wheel to scale it and Shift + wheel to turn it.")
        if is_face:
            aim = self.tr("Put eyes and mouth into the dashed marks: the generator only knows faces in that position.")
        else:
            aim = self.tr("Things should be as large and as upright as in the generator's own pictures.")
        return f"{moves} {aim}"

    @Slot(object)
    def _propose(self, found: FoundFace) -> None:
        if not self.view.is_touched and not self.marks_box.isChecked():
            self.view.propose(Frame(found.x, found.y, found.side, found.angle))
            self.marks_box.setChecked(True)
            self.hint.setText(
                self.tr(
                    "A face was found. If a mark is not on its eye or on the mouth, drag it there: the generator only "
                    "knows faces in that position."
                )
            )

    def _show(self) -> None:
        self._shot.setPixmap(QPixmap.fromImage(cut(self._photo, self.view.frame, 256)))


def find_face_for(photo: np.ndarray, deliver: Callable[[FoundFace], None]) -> None:
    """Passes on the face in the photo, if there is one; runs in a thread of its own."""
    found = find_face(photo, read_face_filter())
    if found is not None:
        deliver(found)
