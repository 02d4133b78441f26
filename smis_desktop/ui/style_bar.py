"""The style of the photograph: a seed to throw anew, and how much of it to mix in."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QIntValidator
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QSlider, QWidget

from smis_desktop.first_style import FIRST_SEED
from smis_desktop.ui.icons import ICON_GAP, tool_icon

MAX_SEED = 999_999
"""Seeds that are thrown are short enough to be read aloud; typed ones too."""


@dataclass(frozen=True)
class Style:
    """What a picture takes from outside its layout. `mix` is 0–1."""

    seed: int = FIRST_SEED
    mix: float = 1.0


class StyleBar(QWidget):
    """One row: "New style", the seed, and the mixing slider."""

    style_changed = Signal()

    def __init__(self, seeds: random.Random, parent: QWidget | None = None) -> None:
        """seeds: where new styles are drawn from."""
        super().__init__(parent)
        self._seeds = seeds

        self.new_style_button = QPushButton(tool_icon("new_style"), ICON_GAP + self.tr("New style"))
        self.new_style_button.setIconSize(QSize(18, 18))
        self.new_style_button.setToolTip(self.tr("Another look for the same layout (N)"))
        self.new_style_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.new_style_button.clicked.connect(self.throw_seed)

        self._seed = FIRST_SEED
        self._seed_field = QLineEdit(str(FIRST_SEED))
        self._seed_field.setValidator(QIntValidator(0, MAX_SEED, self))
        self._seed_field.setFixedWidth(74)
        self._seed_field.setAccessibleName(self.tr("Seed of the style"))
        self._seed_field.setToolTip(self.tr("The number that names this style; type one to return to it"))
        self._seed_field.editingFinished.connect(self._take_typed_seed)

        seed_name = QLabel(self.tr("Seed"))
        seed_name.setProperty("role", "muted")
        seed_name.setBuddy(self._seed_field)
        mix_name = QLabel(self.tr("Style mixing"))
        mix_name.setProperty("role", "muted")
        self._mix = QSlider(Qt.Orientation.Horizontal)
        self._mix.setRange(0, 100)
        self._mix.setValue(100)
        self._mix.setPageStep(10)
        self._mix.setMinimumWidth(80)
        self._mix.setAccessibleName(self.tr("Style mixing"))
        self._mix.setToolTip(self.tr("How much of the style is mixed in: 0 % is the layout's own look"))
        self._mix_value = QLabel()
        self._mix_value.setProperty("role", "value")
        self._mix_value.setFixedWidth(42)
        self._mix_value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._mix.valueChanged.connect(self._show_mix)
        self._mix.valueChanged.connect(self.style_changed)
        self._show_mix(self._mix.value())

        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 14, 0)
        row.setSpacing(8)
        row.addWidget(self.new_style_button)
        row.addSpacing(10)
        row.addWidget(seed_name)
        row.addWidget(self._seed_field)
        row.addSpacing(10)
        row.addWidget(mix_name)
        row.addWidget(self._mix, 1)
        row.addWidget(self._mix_value)

    @property
    def chosen(self) -> Style:
        """What the controls say now."""
        return Style(self._seed, self._mix.value() / 100)

    def show_style(self, style: Style) -> None:
        """A style that was kept or stored; `style_changed` follows if it is another."""
        changed = style != self.chosen
        with QSignalBlocker(self._mix):
            self._mix.setValue(round(100 * style.mix))
        self._show_mix(self._mix.value())
        self._seed = style.seed
        self._seed_field.setText(str(style.seed))
        if changed:
            self.style_changed.emit()

    def redraw_icons(self) -> None:
        """In the colours of the present theme."""
        self.new_style_button.setIcon(tool_icon("new_style"))

    def throw_seed(self) -> None:
        """Draw another style."""
        drawn = self._seeds.randrange(MAX_SEED)
        self._set_seed(drawn + (drawn >= self._seed))  # any seed but the present one, all alike likely

    def _take_typed_seed(self) -> None:
        self._seed_field.clearFocus()  # letters and digits are keys of the canvas again
        self._set_seed(int(self._seed_field.text()))

    def _set_seed(self, seed: int) -> None:
        self._seed_field.setText(str(seed))
        if seed != self._seed:
            self._seed = seed
            self.style_changed.emit()

    def _show_mix(self, percent: int) -> None:
        self._mix_value.setText(self.tr("{percent} %").format(percent=percent))
