"""The painting and its file: new, open, save, import, recover, and the question before changes are lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QFileOpenEvent, QGuiApplication

from smis_desktop.document.document import Document, DocumentState, paintable_size
from smis_desktop.document.palette import Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.color_map import IsPhotograph
from smis_desktop.formats.import_proposal import ImportProposal
from smis_desktop.formats.project import PROJECT_SUFFIX, Project, write_project
from smis_desktop.formats.recovery import RecentFiles, RecoveryFolder, RecoveryOffer
from smis_desktop.formats.registry import Format, read_file
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, name_filter, readable_filter
from smis_desktop.ui.dialogs.import_dialog import ImportDialog
from smis_desktop.ui.widgets.translation import translated, without_mnemonic
from smis_desktop.ui.window.autosave import Autosave
from smis_desktop.ui.window.document_controller import DocumentController


class DocumentFiles(QObject):
    """Keeps track of the painting's file, and of whether changes are saved there."""

    opened = Signal(Project)
    """A whole project was opened: style, kept pictures and model come with it. Its document is on the controller."""
    photograph_found = Signal(Path)
    """What was opened shows no layout; one may be made from it."""
    message = Signal(str)
    """A short message for the status bar."""
    changed = Signal()
    """Name or state of the file may have changed."""

    def __init__(
        self,
        controller: DocumentController,
        dialogs: FileDialogs,
        recent: RecentFiles,
        recovery: RecoveryFolder | None,
        collect: Callable[[], Project],
    ) -> None:
        """collect: returns the painting as a project. recovery: None where autosaving is impossible."""
        super().__init__()
        self._controller, self._dialogs, self._recent, self._collect = controller, dialogs, recent, collect
        self._recovery = recovery
        self.path: Path | None = None
        self.autosave = None
        if recovery is not None:
            self.autosave = Autosave(recovery, self._unsaved, lambda: controller.num_changes)
            self.autosave.failed.connect(dialogs.complain)

    @property
    def name(self) -> str:
        """The name of the file, for people."""
        return self.path.name if self.path else self.tr("Untitled")

    @property
    def is_dirty(self) -> bool:
        """Whether there are changes that no project file holds."""
        return self._controller.is_dirty

    def touch(self) -> None:
        """Note that kept pictures, which belong to the project, have changed."""
        self._controller.mark_unsaved()
        self.changed.emit()

    def place(self, document: Document, path: Path | None = None) -> None:
        """Start with a document that is in that file, or in none."""
        self.path = path
        self._controller.place(document)
        self.changed.emit()

    def before_losing(self, then: Callable[[], None]) -> None:
        """Call `then` once no change can be lost: at once, after saving, or after "Discard"."""
        if not self.is_dirty:
            then()
            return
        self._dialogs.ask_to_save_changes(self.name, lambda: self.save(then), then)

    # Opening

    def ask_to_open(self) -> None:
        """Ask for a file of any format to open."""
        filters = readable_filter(self.tr("Paintings and layouts"), ("project", "picture", "layers", "layout"))
        self._dialogs.ask_to_open(self.tr("Open"), filters, self.open)

    def open(self, path: Path) -> None:
        """Open a file or folder of any format, after asking about unsaved changes."""
        take = self._found_in(path)
        if take is not None:
            self.before_losing(take)

    def open_without_asking(self, path: Path) -> bool:
        """Open a file. Returns whether it could be read; if not, a dialog says why and the painting stays."""
        take = self._found_in(path)
        if take is not None:
            take()
        return take is not None

    def _found_in(self, path: Path) -> Callable[[], None] | None:
        """Read a file without changing anything. Returns what puts its content in the document's place."""
        try:
            return self._read(path)
        except IsPhotograph:
            self.photograph_found.emit(path)
        except UserError as error:
            self._dialogs.complain(str(error))
        return None

    def _read(self, path: Path) -> Callable[[], None]:
        """Read a file of any format. Returns what puts its content in the document's place. Raises UserError."""
        found = read_file(path, self._palette)
        content = found.content
        if isinstance(content, Project):
            return partial(self._take_project_file, content, path, found.format.kind == "project")
        if isinstance(content, DocumentState):
            return partial(self._take_state, content)
        palette = self._palette()
        if content.is_certain:
            return partial(self._take_label_map, content.label_map(), palette, content.notes)
        return partial(self._ask_for_classes, content, palette)

    def _ask_for_classes(self, proposal: ImportProposal, palette: Palette) -> None:
        dialog = ImportDialog(proposal, palette, self._dialogs.parent())  # type: ignore[arg-type]
        dialog.accepted.connect(lambda: self._take_label_map(dialog.label_map(), palette, proposal.notes))
        dialog.open()

    def ask_for_import(self) -> None:
        """Ask for a layout to import into the document's classes."""
        filters = readable_filter(self.tr("Layouts"), ("layout",))
        self._dialogs.ask_to_open(self.tr("Import layout"), filters, self.open)

    def ask_for_folder(self, folder: Format) -> None:
        """Ask for a folder of that format to import."""
        self._dialogs.ask_for_folder(without_mnemonic(translated(folder.import_text)), self.open)

    def _take_label_map(self, label_map: np.ndarray, palette: Palette, notes: Sequence[str]) -> None:
        self.place(Document.of_label_map(paintable_size(label_map), palette))
        for note in notes:
            self.message.emit(note)

    def _take_state(self, state: DocumentState) -> None:
        self.place(Document.from_state(state))

    def _take_project_file(self, project: Project, path: Path, is_project_file: bool) -> None:
        self._take_project(project, path if path.suffix.lower() == PROJECT_SUFFIX else None)
        if is_project_file:
            self._recent.add(path)

    def _take_project(self, project: Project, path: Path | None) -> None:
        self.place(Document.from_state(project.document), path)
        self.opened.emit(project)

    def _palette(self) -> Palette:
        document = self._controller.document
        if document is not None:
            return document.palette
        if self.fallback_palette is not None:
            return self.fallback_palette
        raise UserError(self.tr("The model is still being opened; try again in a moment."))

    fallback_palette: Palette | None = None
    """The model's classes, for when nothing is painted yet."""

    # Saving

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Save to the file of the painting, or to one that is asked for; then call `then`."""
        if self.path is None:
            self.save_as(then)
        else:
            self._write(self.path, then)

    def save_as(self, then: Callable[[], None] | None = None) -> None:
        """Save to a file that is asked for."""
        if self._controller.document is None:
            return
        name = self.path.name if self.path else self.tr("painting") + PROJECT_SUFFIX
        filters = name_filter(self.tr("Projects"), (PROJECT_SUFFIX,))
        self._dialogs.ask_to_save(self.tr("Save"), name, filters, lambda path: self._write(path, then))

    def _write(self, path: Path, then: Callable[[], None] | None) -> None:
        try:
            write_project(path, self._collect())
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        self.path = path
        self._controller.mark_saved()
        if self.autosave is not None:
            self.autosave.forget()
        self._recent.add(path)
        self.message.emit(self.tr("Saved {path}").format(path=path))
        self.changed.emit()
        if then is not None:
            then()

    # Recovery

    def offers(self) -> tuple[RecoveryOffer, ...]:
        """Return the recoverable paintings of crashed windows."""
        return () if self._recovery is None else self._recovery.offers()

    def restore(self, offer: RecoveryOffer) -> None:
        """Open a recovered painting; it belongs to its original file, but is not saved there yet."""
        assert self._recovery is not None
        try:
            project = self._recovery.load(offer)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        self._take_project(project, offer.origin)
        self.touch()
        if self.autosave is not None:
            self.autosave.save_now()
        self._recovery.discard(offer)

    def save_recovery(self) -> bool:
        """Update the recovery file now. Returns whether there is one to offer if the program ends."""
        if self.autosave is None or not self.is_dirty:
            return False
        self.autosave.save_and_wait()
        return True

    def discard(self, offer: RecoveryOffer) -> None:
        """Remove a recoverable painting."""
        if self._recovery is not None:
            self._recovery.discard(offer)

    def close(self) -> None:
        """End autosaving, when the window closes normally."""
        if self.autosave is not None:
            self.autosave.close()

    def _unsaved(self) -> tuple[Project, Path | None] | None:
        if not self.is_dirty or self._controller.is_painting:
            return None
        return self._collect(), self.path


class OpenRequests(QObject):
    """Opens the files that the desktop passes to the running program: on macOS a double click is an event.

    Belongs to the application, and listens as long as it lives.
    """

    def __init__(self, application: QGuiApplication, open_file: Callable[[Path], None]) -> None:
        super().__init__(application)
        self._open_file = open_file
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self._open_file(Path(event.file()))
            return True
        return False
