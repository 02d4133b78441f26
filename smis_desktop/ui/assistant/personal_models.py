"""All that personal models need of the main window: new ones, those in the making, those that are there."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFile, QObject, QSettings, Qt, Signal
from PySide6.QtWidgets import QWidget

from smis_desktop.errors import UserError
from smis_desktop.generators.catalog import CHECKPOINT_SUFFIXES, DEFAULT_GENERATOR, generator_names
from smis_desktop.personal_model.library import ModelLibrary
from smis_desktop.training.workspace import Workspace, WorkspaceFacts, begun_workspaces
from smis_desktop.ui.assistant.import_generator_dialog import ImportGeneratorDialog
from smis_desktop.ui.assistant.models_dialog import ModelsDialog
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.ui.assistant.window import TRAIN, AssistantWindow
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs


class PersonalModels(QObject):
    """Owns the assistant's windows."""

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
        """Name, generator, classes, or one that was begun before; then the assistant."""
        self._ask_for_new(DEFAULT_GENERATOR)

    def _ask_for_new(self, generator: str) -> None:
        """generator: the one that is chosen at first."""
        begun = begun_workspaces(self._workspaces, self._library)
        dialog = NewModelDialog(generator_names(), generator, self._window, begun)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        patterns = " ".join(f"*{suffix}" for suffix in CHECKPOINT_SUFFIXES)
        dialog.import_wanted.connect(
            lambda: self._dialogs.ask_to_open(
                self.tr("Import a generator"),
                self.tr("StyleGAN2 checkpoints ({patterns})").format(patterns=patterns),
                lambda path: self.import_generator(path, dialog),
            )
        )

        def begin() -> None:
            facts = WorkspaceFacts(dialog.name.text().strip(), dialog.generator.currentText())
            try:
                self.open(Workspace.create(self._workspaces, facts, dialog.palette_to_begin_with))
            except UserError as error:
                self._dialogs.complain(str(error))

        def throw_away(path: Path) -> None:
            self.throw_away(Workspace(path))
            dialog.show_begun(begun_workspaces(self._workspaces, self._library))

        dialog.accepted.connect(begin)
        dialog.go_on_wanted.connect(lambda path: self.open(Workspace(path)))
        dialog.throw_away_wanted.connect(throw_away)
        dialog.open()

    def import_generator(self, checkpoint: Path, chooser: NewModelDialog | None = None) -> None:
        """Ask for its name and import it; then it stands in `chooser`, or in a new dialog for a personal model."""
        dialog = ImportGeneratorDialog(checkpoint, chooser or self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.imported.connect(self._ask_for_new if chooser is None else chooser.choose_generator)
        dialog.open()

    def open(self, workspace: Workspace) -> AssistantWindow | None:
        """The assistant over that workspace; one window each."""
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

    def throw_away(self, workspace: Workspace) -> None:
        """Shots and labels go to the trash; its window, and a training of it, end."""
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
        """All models, and what can be done with them."""
        dialog = ModelsDialog(self.library, self._dialogs, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open_wanted.connect(self.open_wanted)
        dialog.continue_wanted.connect(self._teach_more)
        dialog.open()

    def go_on(self) -> None:
        """Trainings that the end of the program had interrupted: each in its window, at once. Those that the person had
        paused or cancelled wait for Train."""
        for workspace in Workspace.all_in(self._workspaces):
            if self._was_interrupted(workspace):
                window = self.open(workspace)
                if window is not None:
                    window.open_step(TRAIN)
                    window.start_training()

    def shut_down(self) -> None:
        """The program ends."""
        for window in self.windows:
            window.shut_down()

    def _was_interrupted(self, workspace: Workspace) -> bool:
        try:
            return workspace.is_training_interrupted(self._library)
        except UserError as error:
            self._dialogs.complain(str(error))
            return False

    def _teach_more(self, path: Path) -> None:
        for workspace in Workspace.all_in(self._workspaces):
            if workspace.model_path(self._library) == path:
                self.open(workspace)
                return
        self._dialogs.complain(
            self.tr("The shots of this model are not on this computer, so that it cannot be taught more here.")
        )
