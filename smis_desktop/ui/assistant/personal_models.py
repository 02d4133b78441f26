"""Personal models in the main window: new ones, unfinished ones, and the library."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFile, QObject, QSettings, Qt, Signal
from PySide6.QtWidgets import QWidget

from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import CHECKPOINT_SUFFIXES, DEFAULT_GENERATOR, generator_names
from smis_desktop.personal_model.library import ModelLibrary
from smis_desktop.training.workspace import Workspace, WorkspaceSettings, unfinished_workspaces
from smis_desktop.ui.assistant.import_generator_dialog import ImportGeneratorDialog
from smis_desktop.ui.assistant.models_dialog import ModelsDialog
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.ui.assistant.window import TRAIN, AssistantWindow
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs


class PersonalModels(QObject):
    """Opens the dialogs of personal models and owns the assistant's windows."""

    model_improved = Signal(Path)
    model_ready = Signal(Path)
    open_wanted = Signal(Path)

    def __init__(self, folder: Path, dialogs: FileDialogs, settings: QSettings, window: QWidget) -> None:
        """folder: the program's data; models and workspaces are kept in folders of it."""
        super().__init__(window)
        self._dialogs, self._settings, self._window = dialogs, settings, window
        self._library = folder / "models"
        self._workspaces = folder / "workshops"
        for part in (self._library, self._workspaces):
            part.mkdir(parents=True, exist_ok=True)
        self.windows: list[AssistantWindow] = []

    @property
    def library(self) -> ModelLibrary:
        """The finished models."""
        return ModelLibrary(self._library)

    def ask_for_new(self) -> None:
        """Asks for name, generator and classes, or for an unfinished model; then opens the assistant."""
        self._ask_for_new(DEFAULT_GENERATOR)

    def _ask_for_new(self, generator: str) -> None:
        """generator: the one chosen at first."""
        unfinished = unfinished_workspaces(self._workspaces, self._library)
        dialog = NewModelDialog(generator_names(), generator, self._window, unfinished)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        patterns = " ".join(f"*{suffix}" for suffix in CHECKPOINT_SUFFIXES)
        dialog.import_wanted.connect(
            lambda: self._dialogs.ask_to_open(
                self.tr("Import a generator"),
                self.tr("StyleGAN2 checkpoints ({patterns})").format(patterns=patterns),
                lambda path: self.import_generator(path, dialog),
            )
        )

        def create() -> None:
            facts = WorkspaceSettings(dialog.name.text().strip(), dialog.generator.currentText())
            try:
                self.open(Workspace.create(self._workspaces, facts, dialog.initial_palette))
            except UserError as error:
                self._dialogs.complain(str(error))

        def move_to_trash(path: Path) -> None:
            self.move_to_trash(Workspace(path))
            dialog.show_unfinished(unfinished_workspaces(self._workspaces, self._library))

        dialog.accepted.connect(create)
        dialog.resume_wanted.connect(lambda path: self.open(Workspace(path)))
        dialog.trash_wanted.connect(move_to_trash)
        dialog.open()

    def import_generator(self, checkpoint: Path, chooser: NewModelDialog | None = None) -> None:
        """Asks for the generator's name and imports it; then chooses it in `chooser`, or in a new dialog."""
        dialog = ImportGeneratorDialog(checkpoint, chooser or self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.imported.connect(self._ask_for_new if chooser is None else chooser.choose_generator)
        dialog.open()

    def open(self, workspace: Workspace) -> AssistantWindow | None:
        """Opens the assistant for that workspace, or shows its window if there is one."""
        for window in self.windows:
            if window.workspace.path == workspace.path:
                window.show()
                window.raise_()
                return window
        try:
            window = AssistantWindow(workspace, self._library, self._settings, self._window)
        except UserError as error:
            self._dialogs.complain(str(error))
            return None
        window.model_improved.connect(self.model_improved)
        window.model_ready.connect(self.model_ready)
        self.windows.append(window)
        window.show()
        return window

    def move_to_trash(self, workspace: Workspace) -> None:
        """Moves the workspace to the trash, after closing its window and ending its training."""
        for window in [window for window in self.windows if window.workspace.path == workspace.path]:
            self.windows.remove(window)
            window.shut_down()
            window.hide()
            window.deleteLater()
        if QFile(str(workspace.path)).moveToTrash():
            workspace.forget_training(self._library)
        else:
            words = self.tr("{path} cannot be moved to the trash; delete it in its folder.")
            self._dialogs.complain(words.format(path=workspace.path))

    def show_models(self) -> None:
        """Opens the library of models."""
        dialog = ModelsDialog(self.library, self._dialogs, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open_wanted.connect(self.open_wanted)
        dialog.continue_wanted.connect(self._train_further)
        dialog.open()

    def resume_trainings(self) -> None:
        """Resumes trainings that the end of the program interrupted, each in its window. Those that the person paused
        or cancelled wait for Train."""
        for workspace in Workspace.all_in(self._workspaces):
            if self._was_interrupted(workspace):
                window = self.open(workspace)
                if window is not None:
                    window.open_step(TRAIN)
                    window.start_training()

    def shut_down(self) -> None:
        """Ends all processes, when the program ends."""
        for window in self.windows:
            window.shut_down()

    def _was_interrupted(self, workspace: Workspace) -> bool:
        try:
            return workspace.is_training_interrupted(self._library)
        except UserError as error:
            self._dialogs.complain(str(error))
            return False

    def _train_further(self, path: Path) -> None:
        for workspace in Workspace.all_in(self._workspaces):
            if workspace.model_path(self._library) == path:
                self.open(workspace)
                return
        self._dialogs.complain(
            self.tr("The shots of this model are not on this computer, so it cannot be trained further here.")
        )
