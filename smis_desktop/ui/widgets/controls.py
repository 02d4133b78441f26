"""The program's own controls: number boxes, percent slider, blend pad, picture list, pane, progress line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QEasingCurve, QPointF, QRectF, QSignalBlocker, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import (
    QColor,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QListView,
    QListWidget,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.ui.widgets.theme import current_colors

_ROOM = 7
"""Pixels left and right of the number, as much as the theme gives to fields."""

Box = TypeVar("Box", bound=QAbstractSpinBox)


def roomy(box: Box) -> Box:
    """Widen a number box: a style sheet's padding does not reach into a box without arrows."""
    box.lineEdit().setTextMargins(_ROOM, 0, _ROOM, 0)
    return box


class PercentSlider(QWidget):
    """A slider with name and value. Emits `moved` with a fraction, 0–1, when a person moves it."""

    moved = Signal(float)

    def __init__(
        self,
        name: str,
        tip: str,
        format_value: Callable[[float], str] | None = None,
        parent: QWidget | None = None,
        percents: tuple[int, int] = (0, 100),
    ) -> None:
        """format_value: turns the fraction into words (default: per cent). percents: least and largest value."""
        super().__init__(parent)
        self._format_value = format_value or (
            lambda fraction: self.tr("{percent} %").format(percent=round(100 * fraction))
        )
        self.name_label = QLabel(name)
        self.name_label.setProperty("role", "muted")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(*percents)
        self.slider.setPageStep(max(1, (percents[1] - percents[0]) // 10))
        self.slider.setMinimumWidth(48)
        self.slider.setAccessibleName(name)
        self.slider.setToolTip(tip)
        self.name_label.setToolTip(tip)
        self.value_label = QLabel()
        self.value_label.setProperty("role", "value")
        self.value_label.setFixedWidth(42)
        self.value_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.name_label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.value_label)
        self.slider.valueChanged.connect(self._take_value)
        self._show_value(self.slider.value())

    @property
    def fraction(self) -> float:
        """The present value, 0–1."""
        return self.slider.value() / 100

    def show_fraction(self, fraction: float) -> None:
        """Show a value without emitting `moved`."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(100 * fraction))
        self._show_value(self.slider.value())

    def _take_value(self, percent: int) -> None:
        self._show_value(percent)
        self.moved.emit(percent / 100)

    def _show_value(self, percent: int) -> None:
        self.value_label.setText(self._format_value(percent / 100))


class NarrowingRow(QWidget):
    """Controls in one row that takes less room, step by step, where there is little.

    Subclasses add to `row`, and set `steps`: what to hide, the least important first.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.steps: tuple[Callable[[bool], None], ...] = ()
        """Each hides something (True) or shows it again (False)."""
        self._is_fitting = False
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(12, 0, 10, 0)
        self.row.setSpacing(8)
        self.row.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)

    def fit(self) -> None:
        """Hide as little as the present width asks for. Call it when the content has changed."""
        if self._is_fitting:  # a wider minimum resizes it at once
            return
        self._is_fitting = True
        for step in self.steps:
            step(True)
        self.setMinimumWidth(self._needed())
        for step in self.steps:
            step(False)
        for step in self.steps:
            if self._needed() <= self.width():
                break
            step(True)
        self._is_fitting = False

    def _needed(self) -> int:
        """Return the width that needs what is shown now."""
        for widget in self.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            widget.updateGeometry()  # else the row learns only later that something in it was hidden
        return self.row.minimumSize().width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.fit()  # only now are fonts and margins those of the theme


_PAD_STEP = 0.05
_PAD_MARGIN = 10


class BlendPad(QWidget):
    """A pad for two values. Emits `moved` with (blend, mix), 0–1 each, while a person moves its point."""

    moved = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Blend of two looks"))
        self.setToolTip(
            self.tr("Drag sideways to blend the two looks, upwards to mix in more of them; arrow keys work too")
        )
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._blend, self._mix = 0.0, 1.0
        self._names = ("", "")

    def sizeHint(self) -> QSize:
        return QSize(200, 112)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 96)

    def show_place(self, blend: float, mix: float, left: str, right: str) -> None:
        """Move the point and show the names of both looks without emitting `moved`."""
        self._blend, self._mix, self._names = blend, mix, (left, right)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-_PAD_STEP, 0.0),
            Qt.Key.Key_Right: (_PAD_STEP, 0.0),
            Qt.Key.Key_Up: (0.0, _PAD_STEP),
            Qt.Key.Key_Down: (0.0, -_PAD_STEP),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._go(self._blend + step[0], self._mix + step[1])

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = current_colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colors.accent if self.hasFocus() else colors.border), 1))
        painter.setBrush(QColor(colors.window))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7)
        field = self._field()
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.drawLine(QPointF(field.center().x(), field.top()), QPointF(field.center().x(), field.bottom()))
        painter.drawLine(QPointF(field.left(), field.center().y()), QPointF(field.right(), field.center().y()))
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(colors.muted))
        half = field.width() / 2 - 6
        for name, flag, left in (
            (self._names[0], Qt.AlignmentFlag.AlignLeft, field.left()),
            (self._names[1], Qt.AlignmentFlag.AlignRight, field.center().x() + 6),
        ):
            words = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(half))
            painter.drawText(QRectF(left, field.bottom() - 15, half, 15), flag | Qt.AlignmentFlag.AlignBottom, words)
        place = QPointF(field.left() + self._blend * field.width(), field.bottom() - self._mix * field.height())
        painter.setPen(QPen(QColor(colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(place, 7, 7)
        painter.end()

    def _field(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_PAD_MARGIN, _PAD_MARGIN, -_PAD_MARGIN, -_PAD_MARGIN)

    def _drag(self, point: QPointF) -> None:
        field = self._field()
        self._go((point.x() - field.left()) / field.width(), (field.bottom() - point.y()) / field.height())

    def _go(self, blend: float, mix: float) -> None:
        self._blend, self._mix = min(max(blend, 0.0), 1.0), min(max(mix, 0.0), 1.0)
        self.update()
        self.moved.emit(self._blend, self._mix)


class PictureList(QListWidget):
    """A list of pictures in rows that fit its width; nothing can be dragged."""

    def __init__(
        self, accessible_name: str, side: int, room: tuple[int, int], selection: QAbstractItemView.SelectionMode
    ) -> None:
        """side: of the pictures, in pixels. room: how much wider and higher than a picture a cell is."""
        super().__init__()
        self.setAccessibleName(accessible_name)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(side, side))
        self.setGridSize(QSize(side + room[0], side + room[1]))
        self.setSelectionMode(selection)


class Pane(QFrame):
    """A body with a heading and an optional foot, which have the same height in all panes so that neighbours align."""

    def __init__(self, heading: str, body: QWidget, foot: QWidget | None = None) -> None:
        super().__init__()
        self.setObjectName("pane")
        title = QLabel(heading)
        title.setProperty("role", "heading")
        self.detail = QLabel()
        self.detail.setProperty("role", "muted")

        head = QWidget()
        head.setObjectName("paneHead")
        head_row = QHBoxLayout(head)
        head_row.setContentsMargins(14, 0, 14, 0)
        head_row.addWidget(title)
        head_row.addStretch(1)
        head_row.addWidget(self.detail)

        body.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(body, 1)
        if foot is not None:
            foot.setObjectName("paneFoot")
            column.addWidget(foot)

    def set_detail(self, text: str) -> None:
        """Set the muted text at the right end of the heading."""
        self.detail.setText(text)


_THICKNESS = 6
_LIGHT = 0.28
_ROUND_MS = 1400


class ProgressLine(QWidget):
    """A progress bar that also moves while the end is unknown; Qt's own stands still under a style sheet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Progress"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fraction = -1.0
        self._run = QVariantAnimation(self)
        self._run.setStartValue(0.0)
        self._run.setEndValue(1.0)
        self._run.setDuration(_ROUND_MS)
        self._run.setLoopCount(-1)
        self._run.setEasingCurve(QEasingCurve.Type.InOutSine)
        self._run.valueChanged.connect(lambda _: self.update())

    def set_fraction(self, fraction: float) -> None:
        """Show a fraction, 0–1, or a negative one for unknown."""
        self._fraction = min(fraction, 1.0)
        if fraction >= 0:
            self.setAccessibleDescription(self.tr("{percent} %").format(percent=round(100 * self._fraction)))
        else:
            self.setAccessibleDescription("")
        self._run_or_rest()
        self.update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._run_or_rest()

    def hideEvent(self, event: QHideEvent) -> None:
        self._run.stop()
        super().hideEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(200, _THICKNESS)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        track = QRectF(self.rect())
        round_end = track.height() / 2
        painter.setBrush(QColor(current_colors().hover))
        painter.drawRoundedRect(track, round_end, round_end)
        if self._fraction < 0:
            # In at the left end, out at the right one.
            start = float(self._run.currentValue()) * (1 + _LIGHT) - _LIGHT
            left, right = max(start, 0.0), min(start + _LIGHT, 1.0)
        else:
            left, right = 0.0, self._fraction
        if right > left:
            painter.setBrush(QColor(current_colors().accent))
            width = max((right - left) * track.width(), track.height())
            painter.drawRoundedRect(
                QRectF(min(left * track.width(), track.width() - width), 0, width, track.height()), round_end, round_end
            )
        painter.end()

    def _run_or_rest(self) -> None:
        if self._fraction < 0 and self.isVisible():
            if self._run.state() != QVariantAnimation.State.Running:
                self._run.start()
        else:
            self._run.stop()
