"""The assistant's window: four steps over one workspace, the hand that helps, and the training."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.catalog import has_part_prior
from smis_desktop.training.events import ModelImproved, TrainingRequest
from smis_desktop.training.workspace import SHOT_SIDE, ShotState, Workspace
from smis_desktop.ui.assistant.label_page import LabelPage
from smis_desktop.ui.assistant.learned_page import LearnedPage
from smis_desktop.ui.assistant.sheet_dialog import SheetDialog
from smis_desktop.ui.assistant.shots_page import ShotsPage
from smis_desktop.ui.assistant.train_page import TrainPage
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.window.document_controller import paintable_size
from smis_desktop.workers.process import WorkEnded, WorkerProcess, WorkFailed
from smis_desktop.workers.shot_messages import (
    CancelSearch,
    InvertShot,
    LearnClasses,
    PaletteLearned,
    RequestFailed,
    SamplePrediction,
    SampleShown,
    ShotFound,
    ShotGrowing,
    ShowSamples,
    WorkerReady,
)
from smis_desktop.workers.shot_worker import shot_worker
from smis_desktop.workers.training_process import FinishEarly, Pause, Resume, Trained, training

SHOTS, LABELS, LEARNED, TRAIN = range(4)
_STEP_HEIGHT = 36
"""Of an entry of the step list, pixels."""


class AssistantWindow(QMainWindow):
    """Closing it hides it; the training goes on. `shut_down` ends everything; what was begun can be gone on with."""

    model_improved = Signal(Path)
    """A model to paint with already, still being trained."""
    model_ready = Signal(Path)
    """The finished model."""
    _hand_told = Signal(object)
    _training_told = Signal(object)

    def __init__(self, workspace: Workspace, library: Path, settings: QSettings, parent: QWidget | None = None) -> None:
        """library: the folder of all models. Raises UserError when the workspace's files are damaged."""
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.workspace, self._library = workspace, library
        facts = workspace.facts
        self.setWindowTitle(self.tr("Personal model “{name}”").format(name=facts.name))
        self.setObjectName("workshop")
        self.resize(QSize(1180, 820).boundedTo(self.screen().availableSize()))
        self.dialogs = FileDialogs(self)
        self._hand: WorkerProcess | None = None
        self._training: WorkerProcess | None = None
        self._sheet: SheetDialog | None = None
        self._ticket = 0
        self._is_learned = False
        self._searched_by_label: set[str] = set()

        self.shots = ShotsPage(workspace, self.dialogs)
        self.labels = LabelPage(workspace, self.dialogs, settings)
        self.learned = LearnedPage()
        self.train = TrainPage()
        self.steps = QListWidget()
        self.steps.setObjectName("steps")
        self.steps.setAccessibleName(self.tr("Steps"))
        self.steps.setFixedWidth(150)
        self.stack = QStackedWidget()
        for words, page in (
            (self.tr("1  Shots"), self.shots),
            (self.tr("2  Labels"), self.labels),
            (self.tr("3  What it learned"), self.learned),
            (self.tr("4  Train"), self.train),
        ):
            step = QListWidgetItem(words)
            step.setSizeHint(QSize(0, _STEP_HEIGHT))  # a list reckons without the padding of a style sheet
            self.steps.addItem(step)
            self.stack.addWidget(page)
        self._state = QLabel()
        self._state.setWordWrap(True)
        self._state.setProperty("role", "muted")
        side = QVBoxLayout()
        side.setContentsMargins(10, 14, 0, 12)
        side.addWidget(self.steps, 1)
        side.addWidget(self._state)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(side)
        row.addWidget(self.stack, 1)
        middle = QWidget()
        middle.setLayout(row)
        self.setCentralWidget(middle)
        self._connect()
        self.steps.setCurrentRow(SHOTS)
        self._start_hand()

    def open_step(self, step: int) -> None:
        """One of SHOTS, LABELS, LEARNED, TRAIN."""
        self.steps.setCurrentRow(step)

    @property
    def is_training(self) -> bool:
        """Whether a training is under way."""
        return self._training is not None

    def start_training(self) -> None:
        """Begin, or go on with, the training of what is labelled."""
        if self._training is not None:
            return
        self.labels.keep()
        facts = self.workspace.facts
        try:
            shots = self.workspace.labelled_folder()
            read_shots(shots, facts.label_kind)
            self.workspace.hold_training(False)
        except UserError as error:
            self.train.show_idle(str(error))
            return
        order = TrainingRequest(
            shots,
            self.workspace.model_path(self._library),
            facts.generator,
            facts.name,
            facts.label_kind,
            facts.top_k,
            facts.threshold,
            facts.transfer,
            workspace=self.workspace.path,
        )
        if self._hand is not None:
            self._hand.send(CancelSearch())  # two cores for the training
            self.shots.forget_searches()
        self.train.show_begun()
        self._training = training(order, weak_callback(self, self._training_told.emit))
        self._training.start()

    def cancel_training(self) -> None:
        """End it; what it has made so far stays, to go on with when the person wishes."""
        if self._training is not None:
            self._training.cancel()
            self._training = None
            self._hold_training(True)
            self._show_summary()
            self.train.show_idle(self.tr("Cancelled. Press Train to go on where it was."))

    def shut_down(self) -> None:
        """The program ends."""
        self.labels.keep()
        for work in (self._training, self._hand):
            if work is not None:
                work.cancel()
        self._training = self._hand = None

    def closeEvent(self, event: QCloseEvent) -> None:
        self.labels.keep()
        super().closeEvent(event)

    def _connect(self) -> None:
        self.steps.currentRowChanged.connect(self._change_page)
        self.shots.search_wanted.connect(self._search)
        self.shots.sheet_wanted.connect(self._show_sheet)
        self.shots.changed.connect(self._forget_learned)
        self.labels.changed.connect(self._forget_learned)
        self.learned.learn_wanted.connect(self._learn)
        self.learned.correct_wanted.connect(self._correct)
        self.train.train_wanted.connect(self.start_training)
        self.train.cancel_wanted.connect(self.cancel_training)
        for signal, message in (
            (self.train.pause_wanted, Pause()),
            (self.train.go_on_wanted, Resume()),
            (self.train.use_now_wanted, FinishEarly()),
        ):
            signal.connect(lambda message=message: self._tell_training(message))
        self._hand_told.connect(self._hear_hand)
        self._training_told.connect(self._hear_training)

    # The hand

    def _start_hand(self) -> None:
        self._state.setText(self.tr("Opening the generator…"))
        self._hand = shot_worker(self.workspace.facts.generator, weak_callback(self, self._hand_told.emit))
        self._hand.start()

    def _request(self, wish: object) -> None:
        if self._hand is None:
            self._start_hand()
        assert self._hand is not None, "it was started just now"
        self._hand.send(wish)

    @Slot(object)
    def _hear_hand(self, message: object) -> None:
        match message:
            case WorkerReady():
                self._state.setText("")
                facts = self.workspace.facts
                if not facts.generator_sha256:
                    self.workspace.change(generator_sha256=message.weights_sha256)
                    self.shots.fill()  # pictures of other weights are photos like any other
                    self.labels.show_facts()
            case SampleShown():
                if self._sheet is not None:
                    self._sheet.show_picture(message)
            case ShotGrowing():
                self.shots.show_growing(message)
            case ShotFound():
                self.shots.show_found(message)
            case PaletteLearned() if message.ticket == self._ticket:
                self._is_learned = True
                palette = self.workspace.palette
                self.learned.show_learned(message, palette)
                self.labels.reach.show_learned(message, palette)
            case RequestFailed():
                if message.name:
                    self.shots.forget_search(message.name)
                    self.dialogs.complain(message.text)
                else:
                    self._refuse_to_learn(message.text)
            case WorkFailed():
                self._state.setText(message.text)
            case WorkEnded():
                self._hand = None
                self.shots.forget_searches()
                if message.killed_by:
                    words = self.tr(
                        "What works with the generator was ended from outside (signal {number}; often there was too "
                        "little memory). It begins again with the next wish."
                    ).format(number=message.killed_by)
                    self._state.setText(words)
                    self._refuse_to_learn(words)

    def _search(self, name: str, start: int) -> None:
        self._request(InvertShot(self.workspace.path, name, start))

    def _search_by_labels(self) -> None:
        """Again for photos that were found before anybody had labelled them: their labels tell where to begin."""
        for shot in self.workspace.shots():
            if self._is_to_be_searched(shot) and shot.is_located and shot.name not in self._searched_by_label:
                self._searched_by_label.add(shot.name)
                self._request(InvertShot(self.workspace.path, shot.name, only_by_label=True))

    def _is_to_be_searched(self, shot: ShotState) -> bool:
        """Before it is learned from."""
        facts = self.workspace.facts
        is_helped = shot.is_labelled and facts.label_kind == "dense" and has_part_prior(facts.generator_sha256)
        return shot.seed is None and not (shot.is_located and (shot.is_found_by_label or not is_helped))

    def _show_sheet(self) -> None:
        self._sheet = sheet = SheetDialog(self)
        sheet.wanted.connect(lambda seeds, truncation: self._request(ShowSamples(tuple(seeds), truncation)))
        sheet.picked.connect(self._add_generated)
        sheet.start()
        sheet.open()

    def _add_generated(self, pictures: list[SampleShown]) -> None:
        try:
            for picture in pictures:
                self.workspace.add_generated(picture.picture, picture.seed, picture.truncation)
        except UserError as error:
            self.dialogs.complain(str(error))
        self.shots.fill()
        self._forget_learned()

    def _learn(self, first_sample: int) -> None:
        self._ticket += 1
        self.learned.wait()
        self._request(LearnClasses(self.workspace.path, self._ticket, first_sample))

    def _refuse_to_learn(self, words: str) -> None:
        self.learned.show_refusal(words)
        self.labels.reach.show_refusal(words)

    def _correct(self, tried: SamplePrediction) -> None:
        """The picture becomes a shot, with what is believed of it as its first label."""
        try:
            name = self.workspace.add_generated(tried.picture, tried.seed, 1.0)
            label = paintable_size(tried.label_map)
            factor = max(1, SHOT_SIDE // len(label))
            self.workspace.set_label(name, label.repeat(factor, 0).repeat(factor, 1))
        except UserError as error:
            self.dialogs.complain(str(error))
            return
        self.shots.fill()
        self._forget_learned()
        self.steps.setCurrentRow(LABELS)
        self.labels.show_shot(name, tried.certainty)

    # Pages

    def _change_page(self, row: int) -> None:
        self.labels.keep()
        self.stack.setCurrentIndex(row)
        if row == SHOTS:
            self.shots.fill()
        elif row == LABELS:
            self.labels.fill()
            self.labels.canvas.setFocus()
        elif row == TRAIN:
            self._show_summary()
        self._learn_if_shown()
        if row in (LEARNED, TRAIN) and self._training is None:
            self._search_by_labels()

    def _forget_learned(self) -> None:
        self._is_learned = False
        self._ticket += 1  # what is on its way is old
        self._learn_if_shown()

    def _learn_if_shown(self) -> None:
        """As often as a slider moves: of the wishes that wait, the newest is granted."""
        page = self.stack.currentIndex()
        if not self._is_learned and (page == LEARNED or (page == LABELS and self.labels.is_sparse)):
            self.learned.learn()

    def _show_summary(self) -> None:
        shots = self.workspace.shots()
        labelled = [shot for shot in shots if shot.is_labelled]
        missing = [shot for shot in labelled if self._is_to_be_searched(shot)]
        words = self.tr("Labelled shots: {count}").format(count=len(labelled))
        if not labelled:
            words = self.tr(
                "Nothing is labelled yet: add a shot in the first step and paint its classes in the second."
            )
        if missing:
            note = self.tr("photos to search for first, a minute each: {count}").format(count=len(missing))
            words += " · " + note
        if self.workspace.has_unfinished_training(self._library) and self._training is None:
            words += " · " + self.tr("an unfinished training is gone on with")
        self.train.summary.setText(words)
        self.train.train_button.setEnabled(bool(labelled) and self._training is None)

    # The training

    def _tell_training(self, message: object) -> None:
        if self._training is not None:
            self._training.send(message)
            self._hold_training(isinstance(message, Pause))
            if isinstance(message, Resume):
                self.train.show_resumed()

    def _hold_training(self, is_held: bool) -> None:
        """A training that the person held does not begin by itself with the program."""
        try:
            self.workspace.hold_training(is_held)
        except UserError as error:
            self.dialogs.complain(str(error))

    @Slot(object)
    def _hear_training(self, message: object) -> None:
        if self._training is None:
            return
        self.train.show_message(message)
        match message:
            case ModelImproved():
                if self.train.paint_box.isChecked():
                    self.model_improved.emit(message.path)
            case ShotFound():
                self.shots.show_found(message)
            case Trained():
                self.model_ready.emit(message.path)
            case WorkEnded():
                self._training = None
                self._show_summary()
