"""What a new personal model is called, which generator it builds on, and which classes it begins with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.landscapes.shapes import PALETTE as LANDSCAPE
from smis_desktop.training.workspace import BegunWorkspace
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.workers.process import WorkEnded, WorkerProcess, WorkFailed
from smis_desktop.workers.shot_messages import SampleShown, ShowSamples, WorkerReady
from smis_desktop.workers.shot_worker import shot_worker

_SIDE = 112
_COUNT = 5
_BEGUN_HEIGHT = 108
"""Of the list of models that were begun before, pixels: some three of them; it scrolls."""
_FACE = (
    ("background", (60, 62, 88)), ("skin", (252, 192, 168)), ("hair", (122, 58, 24)), ("eyes", (62, 207, 246)),
    ("brows", (160, 120, 240)), ("nose", (240, 132, 72)), ("mouth", (220, 28, 76)), ("ears", (255, 226, 110)),
    ("neck", (178, 120, 160)), ("clothes", (44, 80, 232)),
)  # fmt: skip
_ANY = (("background", (60, 62, 88)), ("subject", (240, 170, 90)))
_CLASSES_OF = {"faces": 0, "landscapes": 1}
"""Which of the sets of classes suits a generator; the last one suits any."""


def _palette(classes: tuple[tuple[str, tuple[int, int, int]], ...]) -> Palette:
    return Palette(tuple(SemanticClass(i, name, color) for i, (name, color) in enumerate(classes, 1)))


class _BegunList(QListWidget):
    """Enter goes on with the chosen one, and is not for the dialog too, which would begin a new one."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()


class NewModelDialog(QDialog):
    """Shows what the chosen generator makes, so that nobody has to know what a generator is."""

    import_wanted = Signal()
    """The person has a checkpoint of another generator."""
    go_on_wanted = Signal(Path)
    """With the workspace there, instead of a new one; the dialog has closed."""
    throw_away_wanted = Signal(Path)
    """The workspace there; whoever owns it tells what is left with `show_begun`."""
    _told = Signal(int, object)
    """Of which turn of showing, and the message: one that was on its way when another generator was chosen is old."""

    def __init__(
        self, generators: tuple[str, ...], chosen: str, parent: QWidget, begun: tuple[BegunWorkspace, ...] = ()
    ) -> None:
        """generators: names of those that are installed, the default one first. chosen: one of them. begun: what may be
        gone on with instead."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("New personal model"))
        self._hand: WorkerProcess | None = None
        self._turn = 0
        self.name = QLineEdit(self.tr("My model"))
        self.name.selectAll()
        self.name.setMaxLength(60)
        self.name.textChanged.connect(self._check)
        self.generator = QComboBox()
        for generator in generators:
            self.generator.addItem(generator)
        self.generator.setCurrentText(chosen)
        self.generator.currentTextChanged.connect(self._show_generator)
        self.classes = QComboBox()
        self.classes.addItem(self.tr("Of a face: skin, hair, eyes …"))
        self.classes.addItem(self.tr("Of a landscape: sky, water, meadow …"))
        self.classes.addItem(self.tr("Two to begin with: background and subject"))
        form = QFormLayout()
        form.addRow(self.tr("Name"), self.name)
        self.import_button = QPushButton(self.tr("Import a generator…"))
        self.import_button.setAutoDefault(False)
        self.import_button.clicked.connect(self.import_wanted)
        choice = QHBoxLayout()
        choice.addWidget(self.generator, 1)
        choice.addWidget(self.import_button)
        form.addRow(self.tr("Makes pictures like"), choice)
        form.addRow(self.tr("Classes"), self.classes)
        pictures = QHBoxLayout()
        self._pictures = [QLabel() for _ in range(_COUNT)]
        for label in self._pictures:
            label.setFixedSize(_SIDE, _SIDE)
            label.setProperty("role", "picture")
            pictures.addWidget(label)
        self.words = QLabel()
        self.words.setProperty("role", "muted")
        self.words.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Begin"))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(self._begun_part())
        column.addLayout(form)
        column.addLayout(pictures)
        column.addWidget(self.words)
        column.addWidget(self.buttons)
        self._told.connect(self._hear)
        self.finished.connect(lambda _: self._end_hand())
        self.show_begun(begun)
        self.name.setFocus()  # the list above would have it
        self._show_generator(self.generator.currentText())

    @property
    def palette_to_begin_with(self) -> Palette:
        """Ids from 1: in scribbles 0 means unknown."""
        return (_palette(_FACE), LANDSCAPE, _palette(_ANY))[self.classes.currentIndex()]

    def choose_generator(self, name: str) -> None:
        """Select it; it is added when it is new."""
        if self.generator.findText(name) < 0:
            self.generator.addItem(name)
        self.generator.setCurrentText(name)

    def show_begun(self, begun: tuple[BegunWorkspace, ...]) -> None:
        """What was begun before, newest first; without any, nothing is seen of this."""
        self.begun.clear()
        for workspace in begun:
            when = QLocale().toString(
                QDateTime.fromSecsSinceEpoch(int(workspace.changed.timestamp())), QLocale.FormatType.ShortFormat
            )
            words = self.tr("{name} · shots: {count} · {when}")
            item = QListWidgetItem(words.format(name=workspace.name, count=workspace.shots, when=when))
            item.setData(Qt.ItemDataRole.UserRole, workspace.path)
            self.begun.addItem(item)
        self.begun.setCurrentRow(0)
        self._begun.setVisible(bool(begun))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end_hand()
        super().closeEvent(event)

    def _begun_part(self) -> QWidget:
        self.begun = _BegunList()
        self.begun.setAccessibleName(self.tr("Begun before"))
        self.begun.setFixedHeight(_BEGUN_HEIGHT)
        self.begun.itemActivated.connect(lambda _: self._go_on())
        self.go_on_button = QPushButton(self.tr("Go on with it"))
        self.go_on_button.clicked.connect(self._go_on)
        self.throw_away_button = QPushButton(self.tr("Throw away"))
        self.throw_away_button.clicked.connect(self._throw_away)
        buttons = QVBoxLayout()
        for button in (self.go_on_button, self.throw_away_button):
            button.setAutoDefault(False)  # Enter in the name begins a new one
            buttons.addWidget(button)
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.begun, 1)
        row.addLayout(buttons)
        self._begun = QWidget()
        column = QVBoxLayout(self._begun)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel(self.tr("Begun before")))
        column.addLayout(row)
        column.addWidget(QLabel(self.tr("Or a new one")))
        return self._begun

    def _chosen_begun(self) -> Path | None:
        item = self.begun.currentItem()
        return None if item is None else Path(item.data(Qt.ItemDataRole.UserRole))

    def _go_on(self) -> None:
        path = self._chosen_begun()
        if path is not None:
            self.reject()  # first, so that the assistant's window comes to the front
            self.go_on_wanted.emit(path)

    def _throw_away(self) -> None:
        path = self._chosen_begun()
        if path is not None:
            self.throw_away_wanted.emit(path)

    def _show_generator(self, name: str) -> None:
        self._end_hand()
        for label in self._pictures:
            label.clear()
        self.classes.setCurrentIndex(_CLASSES_OF.get(name, len(_CLASSES_OF)))
        self.words.setText(self.tr("Classes can be renamed, added and recoloured at any time."))
        self._turn += 1
        turn = self._turn
        self._hand = shot_worker(name, partial(weak_callback(self, self._told.emit), turn))
        self._hand.start()

    @Slot(int, object)
    def _hear(self, turn: int, message: object) -> None:
        if turn != self._turn or self._hand is None:
            return
        match message:
            case WorkerReady():
                self._hand.send(ShowSamples(tuple(range(40, 40 + _COUNT)), 0.7))
            case SampleShown():
                smooth = Qt.TransformationMode.SmoothTransformation
                pixmap = QPixmap.fromImage(picture_to_qimage(message.picture))
                self._pictures[message.seed - 40].setPixmap(
                    pixmap.scaled(_SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
                )
            case WorkFailed():
                self.words.setText(message.text)
                self._hand = None
            case WorkEnded():
                self.words.setText(
                    self.tr(
                        "What shows the pictures of this generator ended unexpectedly, often for want of memory: close "
                        "other programs. The model can be begun all the same."
                    )
                )
                self._hand = None

    def _end_hand(self) -> None:
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.cancel()

    def _check(self) -> None:
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(self.name.text().strip()))
