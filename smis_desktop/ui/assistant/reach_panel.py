"""How far scribbles and points reach: two sliders, and what they do on pictures that nobody labelled."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.training.workspace import WorkspaceFacts
from smis_desktop.ui.assistant.overlays import overlaid
from smis_desktop.ui.widgets.controls import PercentSlider
from smis_desktop.workers.shot_messages import SAMPLES, PaletteLearned

_MAX_TOP_K = 20
_SIDE = 112
_STRENGTH = 0.85
"""Of the colours: single pixels have to be seen."""


class ReachPanel(QWidget):
    """`moved` brings k and t while a person moves a slider; `show_learned` what comes of them."""

    moved = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(self.tr("What the scribbles reach"))
        title.setProperty("role", "heading")
        self.top_k = PercentSlider(
            self.tr("Reach"),
            self.tr("Of points only: how many pixels of a new picture each labelled pixel may claim (k)"),
            lambda fraction: str(_top_k(fraction)),
        )
        self.threshold = PercentSlider(
            self.tr("Likeness"), self.tr("How alike they must be (t): high values label less, but more surely")
        )
        for slider in (self.top_k, self.threshold):
            slider.name_label.setFixedWidth(56)
            slider.moved.connect(lambda _: self.moved.emit(_top_k(self.top_k.fraction), self.threshold.fraction))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.pictures = [QLabel() for _ in range(SAMPLES)]
        grid = QGridLayout()
        grid.setSpacing(8)
        for number, label in enumerate(self.pictures):
            label.setFixedSize(_SIDE, _SIDE)
            label.setProperty("role", "picture")
            grid.addWidget(label, number // 2, number % 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 14, 8)
        column.setSpacing(10)
        column.addWidget(title)
        column.addWidget(self.top_k)
        column.addWidget(self.threshold)
        column.addLayout(grid)
        column.addWidget(self.words)
        column.addStretch(1)
        self.setFixedWidth(2 * _SIDE + 26)

    def show_facts(self, facts: WorkspaceFacts) -> None:
        """k and t as they are kept."""
        self.top_k.show_fraction(facts.top_k / _MAX_TOP_K)
        self.threshold.show_fraction(max(0.0, facts.threshold))

    def show_learned(self, learned: PaletteLearned, palette: Palette) -> None:
        """The same pictures in the same places, whatever was moved."""
        self.top_k.setEnabled(learned.is_claimed)
        samples = sorted(learned.samples, key=lambda tried: tried.seed)
        for label, tried in zip(self.pictures, samples, strict=True):
            label.setPixmap(overlaid(tried.picture, tried.label_map, palette, _STRENGTH, _SIDE))
        share = float(np.mean([(tried.label_map != EMPTY).mean() for tried in samples]))
        if share == 0:
            words = self.tr("Nothing is reached: lower the likeness, or label more.")
        else:
            words = self.tr(
                "Six pictures that nobody labelled: {percent:.1f} % of them get a class. What is in the wrong place "
                "teaches wrongly; raise the likeness then."
            ).format(percent=100 * share)
        self.words.setText(words)

    def show_refusal(self, text: str) -> None:
        """Why nothing can be shown."""
        for label in self.pictures:
            label.clear()
        self.words.setText(text)


def _top_k(fraction: float) -> int:
    return max(1, round(_MAX_TOP_K * fraction))
