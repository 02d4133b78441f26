"""A thin progress bar: a share of the way, or a light that runs along it while nobody knows how long it takes."""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QRectF, QSize, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from smis_desktop.ui.theme import current_colors

_THICKNESS = 6
_LIGHT = 0.28
_ROUND_MS = 1400


class ProgressLine(QWidget):
    """Qt's own bar stands still under a style sheet when the end is not known, which looks like a hang."""

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
        """0–1; negative: nobody knows."""
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
