"""Asks for the name, the generator and the first classes of a new personal model, or for an unfinished one."""

from __future__ import annotations

from collections.abc import Sequence
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
from smis_desktop.training.workspace import UnfinishedWorkspace
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.workers.process import WorkEnded, WorkerProcess, WorkFailed
from smis_desktop.workers.shot_messages import SampleShown, ShowSamples, WorkerReady
from smis_desktop.workers.shot_worker import shot_worker

_SIDE = 112
_COUNT = 5
_LIST_HEIGHT = 108
"""Pixels of the list of unfinished models: about three rows; it scrolls."""
_FACE = (
    ("background", (60, 62, 88)), ("skin", (252, 192, 168)), ("hair", (122, 58, 24)), ("eyes", (62, 207, 246)),
    ("brows", (160, 120, 240)), ("nose", (240, 132, 72)), ("mouth", (220, 28, 76)), ("ears", (255, 226, 110)),
    ("neck", (178, 120, 160)), ("clothes", (44, 80, 232)),
)  # fmt: skip
_ANY = (("background", (60, 62, 88)), ("subject", (240, 170, 90)))
_CLASSES_OF = {"faces": 0, "landscapes": 1}
"""The set of classes that suits a generator; the last set suits any."""


def _palette(classes: tuple[tuple[str, tuple[int, int, int]], ...]) -> Palette:
    return Palette(tuple(SemanticClass(i, name, color) for i, (name, color) in enumerate(classes, 1)))


class _UnfinishedList(QListWidget):
    """Keeps Enter for the chosen model; the dialog would create a new one."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()


class NewModelDialog(QDialog):
    """Shows pictures of the chosen generator, so that no one needs to know what a generator is."""

    import_wanted = Signal()
    """The person wants to import a generator."""
    resume_wanted = Signal(Path)
    """Path of an unfinished workspace to open instead; the dialog has closed."""
    trash_wanted = Signal(Path)
    """Path of an unfinished workspace to delete; its owner then calls `show_unfinished`."""
    _worker_sent = Signal(int, object)
    """Number of the generator choice, and the message: messages for an earlier choice are ignored."""

    def __init__(
        self, generators: tuple[str, ...], chosen: str, parent: QWidget, unfinished: Sequence[UnfinishedWorkspace] = ()
    ) -> None:
        """generators: names of the installed ones, the default first. chosen: one of them. unfinished: workspaces that
        may be opened instead."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("New personal model"))
        self._worker: WorkerProcess | None = None
        self._choice = 0
        self.name = QLineEdit(self.tr("My model"))
        self.name.selectAll()
        self.name.setMaxLength(60)
        self.name.textChanged.connect(self._check)
        self.generator = QComboBox()
        self.generator.addItems(generators)
        self.generator.setCurrentText(chosen)
        self.generator.currentTextChanged.connect(self._show_generator)
        self.classes = QComboBox()
        self.classes.addItem(self.tr("Of a face: skin, hair, eyes …"))
        self.classes.addItem(self.tr("Of a landscape: sky, water, meadow …"))
        self.classes.addItem(self.tr("Two to start with: background and subject"))
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
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Create"))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addWidget(self._unfinished_part())
        column.addLayout(form)
        column.addLayout(pictures)
        column.addWidget(self.words)
        column.addWidget(self.buttons)
        self._worker_sent.connect(self._receive)
        self.finished.connect(lambda _: self._end_worker())
        self.show_unfinished(unfinished)
        self.name.setFocus()  # the list above would have the focus
        self._show_generator(self.generator.currentText())

    @property
    def initial_palette(self) -> Palette:
        """The chosen set of classes, with ids from 1: in scribbles 0 means unknown."""
        return (_palette(_FACE), LANDSCAPE, _palette(_ANY))[self.classes.currentIndex()]

    def choose_generator(self, name: str) -> None:
        """Selects a generator, and adds it when it is new."""
        if self.generator.findText(name) < 0:
            self.generator.addItem(name)
        self.generator.setCurrentText(name)

    def show_unfinished(self, unfinished: Sequence[UnfinishedWorkspace]) -> None:
        """Lists unfinished workspaces, newest first; hides the list when there are none."""
        self.unfinished.clear()
        for workspace in unfinished:
            when = QLocale().toString(
                QDateTime.fromSecsSinceEpoch(int(workspace.changed.timestamp())), QLocale.FormatType.ShortFormat
            )
            words = self.tr("{name} · shots: {count} · {when}")
            item = QListWidgetItem(words.format(name=workspace.name, count=workspace.shots, when=when))
            item.setData(Qt.ItemDataRole.UserRole, workspace.path)
            self.unfinished.addItem(item)
        self.unfinished.setCurrentRow(0)
        self._unfinished.setVisible(bool(unfinished))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end_worker()
        super().closeEvent(event)

    def _unfinished_part(self) -> QWidget:
        self.unfinished = _UnfinishedList()
        self.unfinished.setAccessibleName(self.tr("Unfinished models"))
        self.unfinished.setFixedHeight(_LIST_HEIGHT)
        self.unfinished.itemActivated.connect(lambda _: self._resume())
        self.resume_button = QPushButton(self.tr("Continue"))
        self.resume_button.clicked.connect(self._resume)
        self.trash_button = QPushButton(self.tr("Move to trash"))
        self.trash_button.clicked.connect(self._move_to_trash)
        buttons = QVBoxLayout()
        for button in (self.resume_button, self.trash_button):
            button.setAutoDefault(False)  # Enter in the name creates a new one
            buttons.addWidget(button)
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.unfinished, 1)
        row.addLayout(buttons)
        self._unfinished = QWidget()
        column = QVBoxLayout(self._unfinished)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(QLabel(self.tr("Unfinished models")))
        column.addLayout(row)
        column.addWidget(QLabel(self.tr("Or a new model")))
        return self._unfinished

    def _chosen_unfinished(self) -> Path | None:
        item = self.unfinished.currentItem()
        return None if item is None else Path(item.data(Qt.ItemDataRole.UserRole))

    def _resume(self) -> None:
        path = self._chosen_unfinished()
        if path is not None:
            self.reject()  # first, so that the assistant's window comes to the front
            self.resume_wanted.emit(path)

    def _move_to_trash(self) -> None:
        path = self._chosen_unfinished()
        if path is not None:
            self.trash_wanted.emit(path)

    def _show_generator(self, name: str) -> None:
        self._end_worker()
        for label in self._pictures:
            label.clear()
        self.classes.setCurrentIndex(_CLASSES_OF.get(name, len(_CLASSES_OF)))
        self.words.setText(self.tr("Classes can be renamed, added and recoloured at any time."))
        self._choice += 1
        choice = self._choice
        self._worker = shot_worker(name, partial(weak_callback(self, self._worker_sent.emit), choice))
        self._worker.start()

    @Slot(int, object)
    def _receive(self, choice: int, message: object) -> None:
        if choice != self._choice or self._worker is None:
            return
        match message:
            case WorkerReady():
                self._worker.send(ShowSamples(tuple(range(40, 40 + _COUNT)), 0.7))
            case SampleShown():
                smooth = Qt.TransformationMode.SmoothTransformation
                pixmap = QPixmap.fromImage(picture_to_qimage(message.picture))
                self._pictures[message.seed - 40].setPixmap(
                    pixmap.scaled(_SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
                )
            case WorkFailed():
                self.words.setText(message.text)
                self._worker = None
            case WorkEnded():
                self.words.setText(
                    self.tr(
                        "The preview of this generator ended unexpectedly, often because memory ran out: close other "
                        "programs. You can create the model anyway."
                    )
                )
                self._worker = None

    def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.cancel()

    def _check(self) -> None:
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(self.name.text().strip()))
