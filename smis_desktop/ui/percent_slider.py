"""A named slider from 0 to 100 %, its value beside it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget


class PercentSlider(QWidget):
    """`moved` brings a fraction, 0–1, when a person moves it; `show_fraction` moves it silently."""

    moved = Signal(float)

    def __init__(
        self, name: str, tip: str, say: Callable[[float], str] | None = None, parent: QWidget | None = None
    ) -> None:
        """say: a fraction in words, where per cent say little."""
        super().__init__(parent)
        self._in_words = say or (lambda fraction: self.tr("{percent} %").format(percent=round(100 * fraction)))
        self.name_label = QLabel(name)
        self.name_label.setProperty("role", "muted")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(10)
        self.slider.setMinimumWidth(72)
        self.slider.setAccessibleName(name)
        self.slider.setToolTip(tip)
        self.name_label.setToolTip(tip)
        self._value = QLabel()
        self._value.setProperty("role", "value")
        self._value.setFixedWidth(42)
        self._value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.name_label)
        row.addWidget(self.slider, 1)
        row.addWidget(self._value)
        self.slider.valueChanged.connect(self._tell)
        self._say(0)

    @property
    def fraction(self) -> float:
        """0–1."""
        return self.slider.value() / 100

    def show_fraction(self, fraction: float) -> None:
        """Without telling anybody."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(100 * fraction))
        self._say(self.slider.value())

    def _tell(self, percent: int) -> None:
        self._say(percent)
        self.moved.emit(percent / 100)

    def _say(self, percent: int) -> None:
        self._value.setText(self._in_words(percent / 100))
