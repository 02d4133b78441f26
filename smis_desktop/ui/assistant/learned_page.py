"""Third step: predictions in unlabelled pictures. A wrong one can be corrected and becomes a shot."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.palette import Palette
from smis_desktop.ui.assistant.overlays import mark_cells, overlaid, unsure_cells
from smis_desktop.ui.widgets.controls import PercentSlider, PictureList, ProgressLine
from smis_desktop.workers.shot_messages import FIRST_SAMPLE, PaletteLearned, SamplePrediction

_SIDE = 208
_OTHERS = 1000
"""Seeds to skip for other pictures: more than the candidates of which the least certain are shown."""


class LearnedPage(QWidget):
    """Emits `learn_wanted` with the seed of the first random picture; `show_learned` shows the answer."""

    learn_wanted = Signal(int)
    correct_wanted = Signal(SamplePrediction)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._first = FIRST_SAMPLE
        self._learned: PaletteLearned | None = None
        self._palette: Palette | None = None
        lead = QLabel(
            self.tr(
                "The six least certain of two dozen unlabelled pictures. Is a class in the wrong place? Choose the "
                "picture and press Correct."
            )
        )
        lead.setWordWrap(True)
        lead.setProperty("role", "muted")
        self.list = PictureList(
            self.tr("Predictions in new pictures"),
            _SIDE,
            (12, 32),
            QAbstractItemView.SelectionMode.SingleSelection,
        )
        self.list.itemSelectionChanged.connect(self._show_choice)
        self.list.itemActivated.connect(lambda _: self._correct())
        self.overlay = PercentSlider(self.tr("Class overlay"), self.tr("How strongly classes are shown"))
        self.overlay.show_fraction(0.5)
        self.overlay.moved.connect(lambda _: self._draw())
        self.unsure_box = QCheckBox(self.tr("Show uncertain areas"))
        self.unsure_box.setToolTip(
            self.tr("Hatched: where two classes are about equally likely. Look there first for mistakes.")
        )
        self.unsure_box.setChecked(True)
        self.unsure_box.toggled.connect(lambda _: self._draw())
        self.others_button = QPushButton(self.tr("Other pictures"))
        self.others_button.clicked.connect(self._show_others)
        self.correct_button = QPushButton(self.tr("Correct"))
        self.correct_button.setProperty("role", "primary")
        self.correct_button.clicked.connect(self._correct)
        self._words = QLabel()
        self._words.setProperty("role", "muted")
        self._line = ProgressLine()
        self._classes = QLabel()
        self._classes.setWordWrap(True)
        self._classes.setTextFormat(Qt.TextFormat.RichText)
        self._classes.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._classes.setMinimumWidth(210)
        row = QHBoxLayout()
        row.addWidget(self.overlay, 1)
        row.addWidget(self.unsure_box)
        row.addWidget(self.others_button)
        row.addWidget(self.correct_button)
        body = QHBoxLayout()
        body.addWidget(self.list, 1)
        body.addWidget(self._classes)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(10)
        column.addWidget(lead)
        column.addLayout(body, 1)
        column.addWidget(self._line)
        column.addWidget(self._words)
        column.addLayout(row)
        self._show_choice()

    def show_learning(self) -> None:
        """Shows that an answer is awaited."""
        self._line.show()
        self._line.set_fraction(-1.0)
        self._words.setText(self.tr("Learning from the labels…"))

    def show_learned(self, learned: PaletteLearned, palette: Palette) -> None:
        """Shows the predictions and how well each class was learned."""
        self._learned, self._palette = learned, palette
        self._line.hide()
        self._words.setText(self.tr("Learned in {seconds:.1f} s.").format(seconds=learned.seconds))
        self._draw()
        names = {c.class_id: c for c in palette.classes}
        lines = []
        for found in learned.classes:
            semantic_class = names.get(found.class_id)
            if semantic_class is None:
                continue
            swatch = "#{:02x}{:02x}{:02x}".format(*semantic_class.color)
            if found.confidence is None:
                words = self.tr("never seen")
            else:
                words = self.tr("{percent} % sure").format(percent=round(100 * found.confidence))
            warning = ""
            if found.is_thin:
                warning = self.tr("too few labels")
            elif found.is_rare:
                warning = self.tr("rare in the generator's pictures")
            note = f"<br><small>{warning}</small>" if warning else ""
            lines.append(f'<span style="color:{swatch}">■</span> {semantic_class.name}: {words}{note}')
        self._classes.setText("<br>".join(lines))

    def show_error(self, text: str) -> None:
        """Shows why there are no predictions."""
        self._line.hide()
        self._words.setText(text)

    def _draw(self) -> None:
        if self._learned is None or self._palette is None:
            return
        row = self.list.currentRow()
        self.list.clear()
        for number, sample in enumerate(self._learned.samples):
            words = self.tr("{percent} % unsure").format(percent=round(100 * sample.uncertainty))
            item = QListWidgetItem(QIcon(self._shown(sample, self._palette)), words)
            item.setData(Qt.ItemDataRole.UserRole, number)
            self.list.addItem(item)
        self.list.setCurrentRow(max(0, row))

    def _shown(self, sample: SamplePrediction, palette: Palette) -> QPixmap:
        pixmap = overlaid(sample.picture, sample.label_map, palette, self.overlay.fraction, _SIDE)
        if not self.unsure_box.isChecked():
            return pixmap
        return QPixmap.fromImage(mark_cells(pixmap.toImage(), unsure_cells(sample.certainty, sample.label_map)))

    def _show_choice(self) -> None:
        self.correct_button.setEnabled(bool(self.list.selectedItems()))

    def _show_others(self) -> None:
        self._first += _OTHERS
        self.learn_wanted.emit(self._first)

    def learn(self) -> None:
        """Asks for the same pictures with the present labels."""
        self.learn_wanted.emit(self._first)

    def _correct(self) -> None:
        item = self.list.currentItem()
        if item is not None and self._learned is not None:
            self.correct_wanted.emit(self._learned.samples[item.data(Qt.ItemDataRole.UserRole)])
