"""Settings of sparse labels: two sliders, and their effect on unlabelled pictures."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.training.workspace import WorkspaceSettings
from smis_desktop.ui.assistant.overlays import overlaid
from smis_desktop.ui.widgets.controls import PercentSlider
from smis_desktop.workers.shot_messages import SAMPLES, PaletteLearned

_MAX_TOP_K = 20
_SIDE = 112
_STRENGTH = 0.85
"""Opacity of the classes, high enough for single pixels to be visible."""


class SparseLabelsPanel(QWidget):
    """Emits `moved` with k and t while a slider moves; `show_learned` shows their effect."""

    moved = Signal(int, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(self.tr("Effect on new pictures"))
        title.setProperty("role", "heading")
        self.top_k = PercentSlider(
            self.tr("Reach"),
            self.tr("Points only: how many pixels of a new picture each labelled pixel may claim (k)"),
            lambda fraction: str(_top_k(fraction)),
        )
        self.threshold = PercentSlider(
            self.tr("Similarity"), self.tr("How similar they must be (t): high values label less, but more reliably")
        )
        for slider in (self.top_k, self.threshold):
            slider.name_label.setFixedWidth(64)
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

    def show_settings(self, facts: WorkspaceSettings) -> None:
        """Shows k and t."""
        self.top_k.show_fraction(facts.top_k / _MAX_TOP_K)
        self.threshold.show_fraction(max(0.0, facts.threshold))

    def show_learned(self, learned: PaletteLearned, palette: Palette) -> None:
        """Shows the predictions, the same picture always in the same place."""
        self.top_k.setEnabled(learned.is_claimed)
        samples = sorted(learned.samples, key=lambda sample: sample.seed)
        for label, sample in zip(self.pictures, samples, strict=True):
            label.setPixmap(overlaid(sample.picture, sample.label_map, palette, _STRENGTH, _SIDE))
        share = float(np.mean([(sample.label_map != EMPTY).mean() for sample in samples]))
        if share == 0:
            words = self.tr("No pixel gets a class: lower the similarity, or label more.")
        else:
            words = self.tr(
                "Six unlabelled pictures: {percent:.1f} % of their pixels get a class. If classes are in wrong places, "
                "raise the similarity."
            ).format(percent=100 * share)
        self.words.setText(words)

    def show_error(self, text: str) -> None:
        """Shows why there are no predictions."""
        for label in self.pictures:
            label.clear()
        self.words.setText(text)


def _top_k(fraction: float) -> int:
    return max(1, round(_MAX_TOP_K * fraction))
