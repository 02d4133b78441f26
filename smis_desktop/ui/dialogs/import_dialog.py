"""The import dialog: which class each part of an imported layout becomes."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.formats.import_proposal import ImportProposal
from smis_desktop.ui.widgets.qimage import picture_to_qimage

_PREVIEW_SIDE = 260
_MAX_ROWS = 200


class ImportDialog(QDialog):
    """Lists every source with a suggestion, and shows the result; `label_map` returns it once accepted."""

    def __init__(self, proposal: ImportProposal, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import layout"))
        self.resize(640, 480)
        self._proposal, self._palette = proposal, palette
        self._choices: list[QComboBox] = []
        lead = QLabel(
            self.tr("{title} with {count} kinds of pixels. Choose a class for each.").format(
                title=proposal.title, count=len(proposal.sources)
            )
        )
        lead.setWordWrap(True)
        rows = QWidget()
        grid = QGridLayout(rows)
        grid.setColumnStretch(1, 1)
        for row, source in enumerate(proposal.sources[:_MAX_ROWS]):
            swatch = QLabel()
            pixmap = QPixmap(18, 18)
            pixmap.fill(QColor(*source.color) if source.color else Qt.GlobalColor.transparent)
            swatch.setPixmap(pixmap)
            share = QLabel(self.tr("{percent:.1f} %").format(percent=100 * source.share))
            share.setProperty("role", "muted")
            choice = QComboBox()
            choice.setAccessibleName(self.tr("Class of {name}").format(name=source.name))
            choice.addItem(self.tr("(leave empty)"), EMPTY)
            for semantic_class in palette.classes:
                choice.addItem(semantic_class.name, semantic_class.class_id)
            choice.setCurrentIndex(max(choice.findData(proposal.suggestion[row]), 0))
            choice.currentIndexChanged.connect(self._show_preview)
            self._choices.append(choice)
            for place, widget in enumerate((swatch, QLabel(source.name), share, choice)):
                grid.addWidget(widget, row, place)
        grid.setRowStretch(len(self._choices), 1)
        scroll = QScrollArea()
        scroll.setWidget(rows)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._preview = QLabel()
        self._preview.setFixedSize(_PREVIEW_SIDE, _PREVIEW_SIDE)
        self._preview.setAccessibleName(self.tr("The layout as it would be imported"))
        sides = QHBoxLayout()
        sides.setSpacing(20)
        sides.addWidget(scroll, 1)
        sides.addWidget(self._preview, 0, Qt.AlignmentFlag.AlignTop)
        notes = QLabel("\n".join(proposal.notes))
        notes.setProperty("role", "muted")
        notes.setWordWrap(True)
        notes.setVisible(bool(proposal.notes))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Import"))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        column.addWidget(lead)
        column.addLayout(sides, 1)
        column.addWidget(notes)
        column.addWidget(buttons)
        self._show_preview()

    def label_map(self) -> np.ndarray:
        """Return the layout as currently chosen, uint8 [H, H]."""
        return self._proposal.label_map({row: int(c.currentData()) for row, c in enumerate(self._choices)})

    def _show_preview(self) -> None:
        label_map = self.label_map()
        step = max(1, label_map.shape[0] // _PREVIEW_SIDE)
        picture = self._palette.color_table[label_map[::step, ::step]]
        self._preview.setPixmap(
            QPixmap.fromImage(picture_to_qimage(picture)).scaled(
                _PREVIEW_SIDE, _PREVIEW_SIDE, Qt.AspectRatioMode.KeepAspectRatio
            )
        )
