"""The assistant's window: four steps over one workspace, with a worker for its shots and the training process."""

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

from smis_desktop.document.document import paintable_size
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.catalog import has_part_prior
from smis_desktop.training.events import ModelImproved, TrainingRequest
from smis_desktop.training.workspace import SHOT_SIDE, ShotState, Workspace
from smis_desktop.ui.assistant.label_page import LabelPage
from smis_desktop.ui.assistant.learned_page import LearnedPage
from smis_desktop.ui.assistant.samples_dialog import SamplesDialog
from smis_desktop.ui.assistant.shots_page import ShotsPage
from smis_desktop.ui.assistant.train_page import TrainPage
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.widgets.callbacks import weak_callback
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
"""Height of an entry of the step list, in pixels."""


class AssistantWindow(QMainWindow):
    """The assistant's window. Closing it hides it, and the training continues; `shut_down` ends everything, to be
    resumed later."""

    model_improved = Signal(Path)
    """An intermediate model, while the training continues."""
    model_ready = Signal(Path)
    """The finished model."""
    _worker_sent = Signal(object)
    _training_sent = Signal(object)

    def __init__(self, workspace: Workspace, library: Path, settings: QSettings, parent: QWidget | None = None) -> None:
        """library: the folder of all models. Raises UserError when the workspace's files are damaged."""
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.workspace, self._library = workspace, library
        facts = workspace.settings
        self.setWindowTitle(self.tr("Personal model “{name}”").format(name=facts.name))
        self.setObjectName("workshop")
        self.resize(QSize(1180, 820).boundedTo(self.screen().availableSize()))
        self.dialogs = FileDialogs(self)
        self._worker: WorkerProcess | None = None
        self._training: WorkerProcess | None = None
        self._samples: SamplesDialog | None = None
        self._ticket = 0
        self._is_up_to_date = False
        self._inverted_by_label: set[str] = set()

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
            step.setSizeHint(QSize(0, _STEP_HEIGHT))  # a list ignores the padding of a style sheet
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
        self._start_worker()

    def open_step(self, step: int) -> None:
        """Shows one of SHOTS, LABELS, LEARNED and TRAIN."""
        self.steps.setCurrentRow(step)

    @property
    def is_training(self) -> bool:
        """Whether a training is under way."""
        return self._training is not None

    def start_training(self) -> None:
        """Starts or resumes the training with the labelled shots."""
        if self._training is not None:
            return
        self.labels.keep()
        facts = self.workspace.settings
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
        if self._worker is not None:
            self._worker.send(CancelSearch())  # the training needs all cores
            self.shots.end_inversions()
        self.train.show_started()
        self._training = training(order, weak_callback(self, self._training_sent.emit))
        self._training.start()

    def cancel_training(self) -> None:
        """Ends the training. What it has made so far stays, to be resumed."""
        if self._training is not None:
            self._training.cancel()
            self._training = None
            self._hold_training(True)
            self._show_summary()
            self.train.show_idle(self.tr("Cancelled. Press Train to continue."))

    def shut_down(self) -> None:
        """Ends all processes, when the program ends."""
        self.labels.keep()
        for work in (self._training, self._worker):
            if work is not None:
                work.cancel()
        self._training = self._worker = None

    def closeEvent(self, event: QCloseEvent) -> None:
        self.labels.keep()
        super().closeEvent(event)

    def _connect(self) -> None:
        self.steps.currentRowChanged.connect(self._change_page)
        self.shots.inversion_wanted.connect(self._invert)
        self.shots.samples_wanted.connect(self._show_samples)
        self.shots.changed.connect(self._learn_again)
        self.labels.changed.connect(self._learn_again)
        self.learned.learn_wanted.connect(self._learn)
        self.learned.correct_wanted.connect(self._correct)
        self.train.train_wanted.connect(self.start_training)
        self.train.cancel_wanted.connect(self.cancel_training)
        for signal, message in (
            (self.train.pause_wanted, Pause()),
            (self.train.resume_wanted, Resume()),
            (self.train.finish_wanted, FinishEarly()),
        ):
            signal.connect(lambda message=message: self._send_to_training(message))
        self._worker_sent.connect(self._receive_from_worker)
        self._training_sent.connect(self._receive_from_training)

    # The worker

    def _start_worker(self) -> None:
        self._state.setText(self.tr("Opening the generator…"))
        self._worker = shot_worker(self.workspace.settings.generator, weak_callback(self, self._worker_sent.emit))
        self._worker.start()

    def _request(self, request: object) -> None:
        if self._worker is None:
            self._start_worker()
        assert self._worker is not None, "it was started just now"
        self._worker.send(request)

    @Slot(object)
    def _receive_from_worker(self, message: object) -> None:
        match message:
            case WorkerReady():
                self._state.setText("")
                facts = self.workspace.settings
                if not facts.generator_sha256:
                    self.workspace.change(generator_sha256=message.weights_sha256)
                    self.shots.fill()  # pictures of other weights count as photos
                    self.labels.show_settings()
            case SampleShown():
                if self._samples is not None:
                    self._samples.show_picture(message)
            case ShotGrowing():
                self.shots.show_progress(message)
            case ShotFound():
                self.shots.show_result(message)
            case PaletteLearned() if message.ticket == self._ticket:
                self._is_up_to_date = True
                palette = self.workspace.palette
                self.learned.show_learned(message, palette)
                self.labels.sparse_panel.show_learned(message, palette)
            case RequestFailed():
                if message.name:
                    self.shots.end_inversion(message.name)
                    self.dialogs.complain(message.text)
                else:
                    self._show_learning_error(message.text)
            case WorkFailed():
                self._state.setText(message.text)
            case WorkEnded():
                self._worker = None
                self.shots.end_inversions()
                if message.killed_by:
                    words = self.tr(
                        "The assistant's worker was killed (signal {number}), often because memory ran out. It starts "
                        "again when it is needed."
                    ).format(number=message.killed_by)
                    self._state.setText(words)
                    self._show_learning_error(words)

    def _invert(self, name: str, start: int) -> None:
        self._request(InvertShot(self.workspace.path, name, start))

    def _invert_by_labels(self) -> None:
        """Inverts photos again that were inverted before they were labelled: their labels give a better start."""
        for shot in self.workspace.shots():
            if self._needs_inversion(shot) and shot.is_located and shot.name not in self._inverted_by_label:
                self._inverted_by_label.add(shot.name)
                self._request(InvertShot(self.workspace.path, shot.name, only_by_label=True))

    def _needs_inversion(self, shot: ShotState) -> bool:
        """Whether the photo has to be inverted before a model learns from it."""
        facts = self.workspace.settings
        label_helps = shot.is_labelled and facts.label_kind == "dense" and has_part_prior(facts.generator_sha256)
        return shot.seed is None and not (shot.is_located and (shot.is_found_by_label or not label_helps))

    def _show_samples(self) -> None:
        self._samples = dialog = SamplesDialog(self)
        dialog.wanted.connect(lambda seeds, truncation: self._request(ShowSamples(tuple(seeds), truncation)))
        dialog.picked.connect(self._add_generated)
        dialog.start()
        dialog.open()

    def _add_generated(self, pictures: list[SampleShown]) -> None:
        try:
            for picture in pictures:
                self.workspace.add_generated(picture.picture, picture.seed, picture.truncation)
        except UserError as error:
            self.dialogs.complain(str(error))
        self.shots.fill()
        self._learn_again()

    def _learn(self, first_sample: int) -> None:
        self._ticket += 1
        self.learned.show_learning()
        self._request(LearnClasses(self.workspace.path, self._ticket, first_sample))

    def _show_learning_error(self, words: str) -> None:
        self.learned.show_error(words)
        self.labels.sparse_panel.show_error(words)

    def _correct(self, sample: SamplePrediction) -> None:
        """Adds the picture as a shot, with its predicted classes as the first label."""
        try:
            name = self.workspace.add_generated(sample.picture, sample.seed, 1.0)
            label = paintable_size(sample.label_map)
            factor = max(1, SHOT_SIDE // len(label))
            self.workspace.set_label(name, label.repeat(factor, 0).repeat(factor, 1))
        except UserError as error:
            self.dialogs.complain(str(error))
            return
        self.shots.fill()
        self._learn_again()
        self.steps.setCurrentRow(LABELS)
        self.labels.show_shot(name, sample.certainty)

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
        self._learn_if_visible()
        if row in (LEARNED, TRAIN) and self._training is None:
            self._invert_by_labels()

    def _learn_again(self) -> None:
        self._is_up_to_date = False
        self._ticket += 1  # an answer on its way is out of date
        self._learn_if_visible()

    def _learn_if_visible(self) -> None:
        """Asks for new predictions where they are visible, even while a slider moves: the newest request replaces those
        that wait."""
        page = self.stack.currentIndex()
        if not self._is_up_to_date and (page == LEARNED or (page == LABELS and self.labels.is_sparse)):
            self.learned.learn()

    def _show_summary(self) -> None:
        shots = self.workspace.shots()
        labelled = [shot for shot in shots if shot.is_labelled]
        missing = [shot for shot in labelled if self._needs_inversion(shot)]
        words = self.tr("Labelled shots: {count}").format(count=len(labelled))
        if not labelled:
            words = self.tr(
                "Nothing is labelled yet: add a shot in the first step and paint its classes in the second."
            )
        if missing:
            note = self.tr("photos to find first, a minute each: {count}").format(count=len(missing))
            words += " · " + note
        if self.workspace.has_unfinished_training(self._library) and self._training is None:
            words += " · " + self.tr("an unfinished training continues")
        self.train.summary.setText(words)
        self.train.train_button.setEnabled(bool(labelled) and self._training is None)

    # The training

    def _send_to_training(self, message: object) -> None:
        if self._training is not None:
            self._training.send(message)
            self._hold_training(isinstance(message, Pause))
            if isinstance(message, Resume):
                self.train.show_resumed()

    def _hold_training(self, is_held: bool) -> None:
        """Keeps whether the person held the training: then it does not start with the program."""
        try:
            self.workspace.hold_training(is_held)
        except UserError as error:
            self.dialogs.complain(str(error))

    @Slot(object)
    def _receive_from_training(self, message: object) -> None:
        if self._training is None:
            return
        self.train.show_message(message)
        match message:
            case ModelImproved():
                if self.train.paint_box.isChecked():
                    self.model_improved.emit(message.path)
            case ShotFound():
                self.shots.show_result(message)
            case Trained():
                self.model_ready.emit(message.path)
            case WorkEnded():
                self._training = None
                self._show_summary()
