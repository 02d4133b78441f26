"""Second step: painting the labels, with the canvas and tools of the main window over the photo."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget

from smis_desktop.document.document import Document, paintable_size
from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID
from smis_desktop.document.reduction import SCRIBBLE_CELLS, reduce_points
from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import has_part_prior
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.assistant.overlays import mark_cells, unsure_cells
from smis_desktop.ui.assistant.sparse_labels_panel import SparseLabelsPanel
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.panels.palette_dock import PaletteDock
from smis_desktop.ui.panels.tool_bars import OptionsBar, ToolsBar
from smis_desktop.ui.panels.underlay import UnderlayBar
from smis_desktop.ui.tools.tool import ToolOptions
from smis_desktop.ui.widgets.controls import Pane
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.command_table import command_table
from smis_desktop.ui.window.document_controller import DocumentController

_SIDE = 512
_LEAST_LETTERS = 13
"""Letters that a list above the canvas shows in a narrow window."""
_CELLS = 64
"""Side of the map in which scribbles are counted: that of the features they are learned from."""
_DENSE_FROM = 0.5
"""Share of labelled pixels above which labels look like areas, below like scribbles."""


class LabelPage(QMainWindow):
    """Labels one shot at a time. Labels are saved whenever another shot is chosen or the page is left."""

    changed = Signal()
    """Labels, classes or the kind of labels changed: what was learned from them is out of date."""

    def __init__(
        self, workspace: Workspace, dialogs: FileDialogs, settings: QSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.Widget)
        self._workspace, self._dialogs = workspace, dialogs
        self._name: str | None = None
        self._stored: tuple[bytes, object] | None = None
        self._picture: np.ndarray | None = None
        self._unsure: dict[str, np.ndarray] = {}
        self.commands = CommandActions(self, settings, command_table())
        self.controller = DocumentController(self)
        self.options = ToolOptions(self)
        self.canvas = Canvas(self.controller, self.options)
        self.commands.add_canvas_actions(self.canvas)
        self.classes = PaletteDock(self.controller, self.commands)
        self.underlay = UnderlayBar(self.canvas)
        self.underlay.choice.setCurrentIndex(self.underlay.choice.findData("photo-under"))

        self._make_lists()
        self.unsure_box = QCheckBox(self.tr("Show uncertain areas"))
        self.unsure_box.setToolTip(
            self.tr(
                "Hatched: where two classes were about equally likely before your correction. Look there first for "
                "mistakes."
            )
        )
        self.unsure_box.setChecked(True)
        self.unsure_box.hide()
        self.unsure_box.toggled.connect(lambda _: self._show_picture())
        self.hint = QLabel()
        self.hint.setProperty("role", "muted")
        self.sparse_panel = SparseLabelsPanel()
        self.sparse_panel.moved.connect(lambda top_k, threshold: self._set(top_k=top_k, threshold=round(threshold, 2)))
        self.clear_button = QPushButton(self.tr("Clear"))
        self.clear_button.clicked.connect(lambda: self.controller.do(lambda w: w.clear_layer(w.active_id)))
        self._arrange()
        self._connect()
        self.show_settings()

    def _make_lists(self) -> None:
        """The lists above the canvas: which shot, which kind of labels, and how classes are learned."""
        self.choice = QComboBox()
        self.choice.setAccessibleName(self.tr("Shot to label"))
        self.choice.setPlaceholderText(self.tr("No shots yet"))
        self.choice.currentIndexChanged.connect(lambda _: self._change_shot())
        self.kind = QComboBox()
        self.kind.setAccessibleName(self.tr("Kind of labels"))
        self.kind.addItem(self.tr("Areas: every pixel labelled"), "dense")
        self.kind.addItem(self.tr("Scribbles or points"), "sparse")
        self.kind.setToolTip(
            self.tr("Areas: every pixel has a class. Scribbles or points: unlabelled pixels are unknown.")
        )
        self.kind.currentIndexChanged.connect(lambda _: self._change_kind())
        self.rule = QComboBox()
        self.rule.setAccessibleName(self.tr("How classes are learned"))
        self.rule.setToolTip(
            self.tr(
                "How labels are transferred to other pictures. With known parts: uses where the generator's faces have "
                "eyes, hair and skin, so that few labels are enough. As in the paper: for comparison."
            )
        )
        self.rule.currentIndexChanged.connect(lambda _: self._set(transfer=self.rule.currentData()))

    def _arrange(self) -> None:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(14, 8, 14, 4)
        for one in (self.choice, self.kind, self.rule):  # else three long lines would make the window wide
            one.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            one.setMinimumContentsLength(_LEAST_LETTERS)
        row.addWidget(self.choice, 3)
        row.addWidget(self.kind, 4)
        row.addWidget(self.rule, 4)
        row.addWidget(self.clear_button)
        foot = QWidget()
        row = QHBoxLayout(foot)
        row.setContentsMargins(14, 0, 14, 6)
        row.addWidget(self.hint, 1)
        row.addWidget(self.unsure_box)
        body = QHBoxLayout()
        body.setSpacing(8)
        body.addWidget(Pane(self.tr("Labels"), self.canvas, self.underlay), 1)
        body.addWidget(self.sparse_panel)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 8, 8)
        column.addWidget(head)
        column.addLayout(body, 1)
        column.addWidget(foot)
        self.setCentralWidget(middle)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, OptionsBar(self.commands, self.options))
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, ToolsBar(self.commands, self.options))
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.classes)

    def fill(self) -> None:
        """Shows the shots, classes and the kind of labels as the folder has them."""
        self.keep()
        self.show_settings()
        names = [shot.name for shot in self._workspace.shots()]
        self._unsure = {name: cells for name, cells in self._unsure.items() if name in names}
        chosen = self._name if self._name in names else None
        self.choice.blockSignals(True)
        self.choice.clear()
        for name in names:
            self.choice.addItem(name, name)
        self.choice.setCurrentIndex(names.index(chosen) if chosen is not None else min(0, len(names) - 1))
        self.choice.blockSignals(False)
        if chosen is None or not self._is_as_stored(chosen):
            self._name = None  # what is on the canvas must not be saved under this name
            self._change_shot()

    def show_shot(self, name: str, certainty: np.ndarray | None = None) -> None:
        """Shows that shot. certainty: float32 [r, r] of its predicted classes, where they are its first label."""
        self.fill()
        self.choice.setCurrentIndex(self.choice.findData(name))
        document = self.controller.document
        if certainty is None or document is None or self._name != name:
            return
        rows = np.arange(len(certainty)) * document.size // len(certainty)
        self._unsure[name] = unsure_cells(certainty, document.label_map[np.ix_(rows, rows)])
        self._show_picture()

    @property
    def is_sparse(self) -> bool:
        """Whether the labels are scribbles or points, whose effect is shown."""
        return bool(self.kind.currentData() == "sparse")

    def keep(self) -> None:
        """Saves the label, if it has changed."""
        document = self.controller.document
        if document is None or self._name is None:
            return
        label_map = document.snapshot()
        now = (label_map.tobytes(), document.palette)
        if now == self._stored:
            return
        try:
            if document.palette != self._workspace.palette:
                self._workspace.set_palette(document.palette)
            self._workspace.set_label(self._name, label_map)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        self._stored = now
        self.changed.emit()

    def _connect(self) -> None:
        self.commands.connect_painting(self)
        self.classes.class_chosen.connect(self.options.choose_class)
        self.options.class_chosen.connect(self.classes.choose_class)
        self.controller.history_changed.connect(self._follow)
        self.controller.stroke_ended.connect(self._follow)
        self.controller.history_changed.connect(self._save_scribbles)

    def _change_shot(self) -> None:
        self.keep()
        name = self.choice.currentData()
        self._name = None  # until its label is on the canvas
        if name is None:
            return
        try:
            label, palette = self._workspace.label(name), self._workspace.palette
            picture = self._workspace.picture(name)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        self.controller.place(Document.of_label_map(_paintable(label), palette, self.tr("Labels")))
        self.classes.set_palette(palette)
        document = self.controller.document
        assert document is not None, "it was placed just now"
        self._stored = (document.snapshot().tobytes(), document.palette)
        self._name, self._picture = name, picture
        self._show_picture()
        self._follow()

    def _show_picture(self) -> None:
        """Shows the photo under the labels, hatched where its prediction is uncertain."""
        cells = None if self._name is None else self._unsure.get(self._name)
        self.unsure_box.setVisible(cells is not None)
        if self._picture is None:
            return
        image = picture_to_qimage(self._picture)
        if cells is not None and self.unsure_box.isChecked():
            image = mark_cells(image, cells)
        self.underlay.set_photo(image)

    def _is_as_stored(self, name: str) -> bool:
        """Whether the canvas shows what the folder holds under the name: an import may have added classes, and a new
        photo may have the name of a removed one."""
        document = self.controller.document
        if document is None or self._picture is None:
            return False
        try:
            label, palette = self._workspace.label(name), self._workspace.palette
            picture = self._workspace.picture(name)
        except UserError as error:
            self._dialogs.complain(str(error))
            return True
        return (
            palette == document.palette
            and np.array_equal(picture, self._picture)
            and np.array_equal(_paintable(label), document.snapshot())
        )

    def _show_rules(self, facts: WorkspaceSettings) -> None:
        """Shows the transfer rules that this generator has."""
        self.rule.clear()
        if has_part_prior(facts.generator_sha256):
            self.rule.addItem(self.tr("With known parts"), "informed")
            self.rule.addItem(self.tr("From these labels only"), "probe")
        else:
            self.rule.addItem(self.tr("From these labels"), "informed")
        self.rule.addItem(self.tr("As in the paper"), "vectors")
        self.rule.setCurrentIndex(max(0, self.rule.findData(facts.transfer)))

    def _change_kind(self) -> None:
        self._set(label_kind=self.kind.currentData())
        self._show_kind()

    def _set(self, **fields: object) -> None:
        facts = self._workspace.settings
        if any(getattr(facts, name) != value for name, value in fields.items()):
            self._workspace.change(**fields)
            self.changed.emit()

    def show_settings(self) -> None:
        """Shows the kind of labels and the transfer rules, as the folder has them."""
        facts = self._workspace.settings
        with QSignalBlocker(self.kind):
            self.kind.setCurrentIndex(self.kind.findData(facts.label_kind))
        with QSignalBlocker(self.rule):
            self._show_rules(facts)
        self.sparse_panel.show_settings(facts)
        self._show_kind()

    def _show_kind(self) -> None:
        self.sparse_panel.setVisible(self.is_sparse)
        self._follow()

    def _save_scribbles(self) -> None:
        """Saves scribbles after each stroke, so that their effect is visible at once."""
        if self.is_sparse and not self.controller.is_painting:
            self.keep()

    def _all_labels(self, own: np.ndarray) -> list[np.ndarray]:
        """The label on the canvas, and those of the other shots."""
        found = [own]
        for shot in self._workspace.shots():
            if shot.is_labelled and shot.name != self._name:
                with suppress(UserError):  # opening that shot reports a damaged file
                    label = self._workspace.label(shot.name)
                    if label is not None:
                        found.append(label)
        return found

    def _follow(self) -> None:
        editor = self.controller.editor
        if editor is None or self.controller.is_painting:
            return
        share = float((editor.document.label_map != EMPTY).mean())
        is_sparse = self.is_sparse
        percent = round(100 * share)
        if share == 0:
            words = self.tr("Choose a class and paint where it is; the photo shines through.")
        elif share < _DENSE_FROM and not is_sparse:
            words = self.tr("{percent} % labelled. If that is all, choose scribbles above; otherwise fill the rest.")
        elif share >= _DENSE_FROM and is_sparse:
            words = self.tr("{percent} % labelled: these are areas rather than scribbles.")
        elif is_sparse and are_landmarks(self._all_labels(editor.document.label_map)):
            words = self.tr("A few points: landmarks. Each stands for the pixels most similar to it, not for an area.")
        elif is_sparse:
            words = self.tr("{percent} % labelled: scribbles. Similar pixels get the same class.")
        else:
            words = self.tr("{percent} % labelled")
        self.hint.setText(words.format(percent=percent))


def are_landmarks(labels: Sequence[np.ndarray]) -> bool:
    """Returns whether sparse labels, uint8 [S, S] each, are only a few points, as `personal_model.scribbles`
    decides."""
    cells = [reduce_points(label, _CELLS, UNLABELLED_SPARSE_ID) for label in labels]
    counts = np.concatenate([np.unique(one[one != UNLABELLED_SPARSE_ID], return_counts=True)[1] for one in cells])
    return len(counts) > 0 and bool(np.sort(counts)[(len(counts) - 1) // 2] < SCRIBBLE_CELLS)


def _paintable(label: np.ndarray | None) -> np.ndarray:
    """A shot's label, or an empty one, in a size that can be painted on."""
    if label is None:
        label = np.full((_SIDE, _SIDE), EMPTY, np.uint8)
    return paintable_size(np.ascontiguousarray(label))
