"""The main window: builds canvas, panels, preview and files, and connects them."""

from __future__ import annotations

import random
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialog, QMainWindow

from smis_desktop.document.document import Document
from smis_desktop.document.palette import Palette
from smis_desktop.document.style import Anchor
from smis_desktop.errors import UserError
from smis_desktop.formats.project import KeptPicture, Project
from smis_desktop.formats.recovery import RecentFiles, RecoveryFolder
from smis_desktop.generators.catalog import CHECKPOINT_SUFFIXES
from smis_desktop.resources import MODEL_SUFFIX
from smis_desktop.ui.assistant.personal_models import PersonalModels
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.dialogs.small_dialogs import RecoveryDialog
from smis_desktop.ui.panels.layers_panel import LayersPanel
from smis_desktop.ui.panels.palette_dock import PaletteDock
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.panels.tool_bars import OptionsBar
from smis_desktop.ui.panels.underlay import UnderlayBar, UnderlayPhoto
from smis_desktop.ui.tools.tool import ToolOptions
from smis_desktop.ui.widgets.controls import Pane
from smis_desktop.ui.widgets.theme import THEMES, apply_theme
from smis_desktop.ui.window.actions import CommandActions, fill_recent
from smis_desktop.ui.window.active_model import ActiveModel
from smis_desktop.ui.window.arrangement import Arrangement, stacked
from smis_desktop.ui.window.command_table import command_table
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.document_files import DocumentFiles
from smis_desktop.ui.window.exports import Exports
from smis_desktop.ui.window.fault_reporting import FaultReporting
from smis_desktop.ui.window.model_palette import ModelPalette
from smis_desktop.ui.window.photo_start import PhotoStart
from smis_desktop.ui.window.preview_actions import PreviewActions
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.project_state import ProjectState
from smis_desktop.ui.window.repaint_actions import RepaintActions
from smis_desktop.ui.window.start_page import StartPage
from smis_desktop.ui.window.status import StatusBar
from smis_desktop.ui.window.style_controller import StyleController
from smis_desktop.workers.preview_jobs import Failed
from smis_desktop.workers.renderer import OpenModel


class MainWindow(QMainWindow):
    """The main window: classes and layers at the left, the layout in the middle, its photograph at the right."""

    # What the table of commands uses is declared here; it is built in this order.
    commands: CommandActions
    dialogs: FileDialogs
    controller: DocumentController
    options: ToolOptions
    canvas: Canvas
    style_controller: StyleController
    classes: PaletteDock
    layers: LayersPanel
    underlay_photo: UnderlayPhoto
    workspaces: PersonalModels
    model: ActiveModel
    photo_start: PhotoStart
    preview_actions: PreviewActions
    repaint_actions: RepaintActions
    files: DocumentFiles
    fault_reporting: FaultReporting
    exports: Exports
    picture_pane: Pane
    arrangement: Arrangement

    def __init__(
        self,
        preview: PreviewController,
        open_model: OpenModel,
        example_layout: Path,
        seeds: random.Random,
        settings: QSettings,
        data_folder: Path,
    ) -> None:
        """Build the window; `start` begins the work.

        Args:
            preview: Not started yet; the window owns it from here.
            open_model: Returns how a model file is opened.
            example_layout: What "New from example" opens.
            seeds: Where new styles are drawn from.
            settings: The person's own.
            data_folder: For recovery files and the list of recent projects.
        """
        super().__init__()
        self.setObjectName("window")
        self.setAcceptDrops(True)
        self.resize(QSize(1440, 900).boundedTo(self.screen().availableSize()))
        self.preview = preview
        preview.setParent(self)
        self.settings = settings
        self._example_layout = example_layout
        self._closes_when_saved = self._may_close = False

        self._build_painting(seeds)
        self._build_models(open_model, data_folder)
        self._build_files(data_folder)
        self._arrange()
        self.commands.connect_window(self)
        self._connect_files()
        self._connect_painting()
        self._connect_pictures()
        self.arrangement.restore(settings)
        self.arrangement.connect_dock_commands()
        if settings.value("window/theme") == "light":
            self.commands["view.light"].setChecked(True)
        self._show_title()

    def _build_painting(self, seeds: random.Random) -> None:
        """Build the document, and the parts for painting and choosing styles."""
        self.commands = CommandActions(self, self.settings, command_table())
        self.dialogs = FileDialogs(self)
        self.controller = DocumentController(self)
        self.options = ToolOptions(self)
        self.canvas = Canvas(self.controller, self.options)
        self.commands.add_canvas_actions(self.canvas)
        self.panel = PreviewPanel()
        self.history = PreviewHistory()
        self.style_controller = StyleController(self.controller, self.preview, self.history, self.dialogs, seeds, self)
        self.tools = OptionsBar(self.commands, self.options)
        self.classes = PaletteDock(self.controller, self.commands)
        self.layers = LayersPanel(self.controller, self.commands)
        self.underlay = UnderlayBar(self.canvas, self.preview)
        self.underlay_photo = UnderlayPhoto(self.underlay, self.dialogs, self)
        self.start_page = StartPage()
        self.status = StatusBar()

    def _build_models(self, open_model: OpenModel, data_folder: Path) -> None:
        """Build the preview of the active model, and the parts that make and open models."""
        preview = self.preview
        self.workspaces = PersonalModels(data_folder, self.dialogs, self.settings, self)
        preview.follow(self.controller, self.style_controller.style_model, self.panel)
        self.model = ActiveModel(preview, open_model, self.panel, self.dialogs, self)
        self.photo_start = PhotoStart(self.dialogs, self.model.file, self)
        self.project_state = ProjectState(
            self.controller, self.style_controller.style_model, self.history, preview, self.model, self
        )
        self.preview_actions = PreviewActions(
            preview, self.controller, self.canvas, self.panel, self.history, self.project_state.style, self
        )
        self.repaint_actions = RepaintActions(
            preview, self.controller, self.style_controller, self.classes, (self.panel, self.status), self.commands,
            self.settings, self,
        )  # fmt: skip

    def _build_files(self, data_folder: Path) -> None:
        """Build the document's file, exports, recovery and fault reports."""
        self.recent = RecentFiles(data_folder)
        recovery = self._recovery(data_folder)
        self.files = DocumentFiles(self.controller, self.dialogs, self.recent, recovery, self.project_state.project)
        self.files.setParent(self)
        self.model_palette = ModelPalette(self.controller, self.model, self.files, self.classes, self)
        self.fault_reporting = FaultReporting(self, self._state_for_help, self.files.save_recovery, self.files.save_as)
        self.exports = Exports(
            self.controller,
            self.preview,
            self.dialogs,
            self.project_state.project,
            self.preview_actions.pixels,
            lambda: Path(self.files.name).stem,
        )
        self.exports.setParent(self)

    def _arrange(self) -> None:
        """Place all parts, and fill the menu bar."""
        self.layout_pane = Pane(self.tr("Layout"), self.canvas, self.underlay)
        shown = stacked(self.panel, self.history, self.repaint_actions.bar)
        self.picture_pane = Pane(self.tr("Photograph"), shown, self.style_controller.bar)
        self.arrangement = Arrangement(self)
        self._recent_menu = self.commands.fill_menu_bar(self)
        self.setStatusBar(self.status)
        self.canvas.setFocus()

    def start(self, model: Path, layout: Path | None, palette: Palette | None) -> None:
        """Open the model, and show the layout or, without one, the start page. A dialog shows what cannot be read.

        palette: the model's classes, if they are known before it is open; one can then paint at once.
        """
        self.model.begin(model, palette)
        if layout is None:
            self.show_start_page()
        else:
            self.model_palette.open_layout(layout)
        self.preview.start()
        self.workspaces.resume_trainings()
        offers = self.files.offers()
        if offers:
            dialog = RecoveryDialog(offers, self)
            dialog.restored.connect(self.files.restore)
            dialog.discarded.connect(self.files.discard)
            self.show_dialog(dialog)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.files.is_dirty and not self._may_close:
            event.ignore()
            self.files.before_losing(self._close_for_good)
            return
        if self.preview.is_saving:
            # The picture was requested: the window closes as soon as it is on the disk.
            self._closes_when_saved = True
            self.status.notify(self.tr("Saving the picture before closing…"))
            event.ignore()
            return
        self.arrangement.keep(self.settings)
        self.preview.close(0.0)
        self.workspaces.shut_down()
        self.files.close()
        event.accept()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if paths:
            self.open_any(paths[0])

    def open_any(self, path: Path) -> None:
        """Open a personal model, a generator's checkpoint, or a file that can be painted on."""
        if path.suffix.lower() == MODEL_SUFFIX:
            self.model.open(path)
        elif path.suffix.lower() in CHECKPOINT_SUFFIXES:
            self.workspaces.import_generator(path)
        else:
            self.files.open(path)

    def show_start_page(self) -> None:
        """Show the start page in the middle."""
        self.start_page.show_recent(self.recent.paths())
        self.arrangement.show_start_page()
        self.start_page.paint_button.setFocus()

    def paint_example(self) -> None:
        """Open the example layout in place of the painting."""
        self.files.before_losing(lambda: self.model_palette.open_layout(self._example_layout))

    def set_theme(self, is_light: bool) -> None:
        """Switch the whole program to the light or dark theme, and store the choice."""
        name = "light" if is_light else "dark"
        self.settings.setValue("window/theme", name)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, THEMES[name])
        self.commands.redraw_icons()
        for part in (self.style_controller.bar, self.style_controller.panel, self.repaint_actions.bar):
            part.redraw_icons()

    def show_dialog(self, dialog: QDialog) -> None:
        """Open a dialog that does not block the window, and delete it when it is closed."""
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # Connections

    def _connect_files(self) -> None:
        self._recent_menu.aboutToShow.connect(
            lambda: fill_recent(self._recent_menu, self.recent.paths(), self.files.open)
        )
        self.start_page.paint_wanted.connect(self._paint_from_start)
        self.start_page.new_wanted.connect(self.commands["file.new"].trigger)
        self.start_page.open_wanted.connect(self.commands["file.open"].trigger)
        self.start_page.recent_wanted.connect(self.files.open)
        self.start_page.model_wanted.connect(self.commands["model.new"].trigger)
        self.workspaces.open_wanted.connect(self.model.open)
        self.workspaces.model_improved.connect(self.model.open)
        self.workspaces.model_ready.connect(self.model.open)
        self.photo_start.begun.connect(self._begin_with_photo)
        self.files.photograph_found.connect(self.photo_start.begin)
        self.files.opened.connect(self._take_project)
        self.files.changed.connect(self._show_title)
        self.controller.dirty_changed.connect(self.setWindowModified)
        for part in (
            self.files, self.exports, self.project_state, self.preview_actions, self.style_controller,
            self.fault_reporting, self.repaint_actions,
        ):  # fmt: skip
            part.message.connect(self.status.notify)
        self.controller.refused.connect(self.status.notify)

    def _connect_painting(self) -> None:
        self.classes.class_chosen.connect(self.options.choose_class)
        self.options.class_chosen.connect(self.classes.choose_class)
        self.canvas.view_changed.connect(self.status.show_zoom)
        self.canvas.under_cursor.connect(self.status.under_cursor.setText)
        self.controller.replaced.connect(self._take_document)

    def _connect_pictures(self) -> None:
        self.style_controller.style_model.lock_changed.connect(self.commands["picture.lock_style"].setChecked)
        self.style_controller.bar.add_panel_button(self.commands["view.style"])
        self.history.returned.connect(self._return_to)
        self.history.changed.connect(self.files.touch)
        self.model.opened.connect(self._take_model)
        self.preview.device_changed.connect(self._take_device)
        self.preview.detail_changed.connect(self.picture_pane.detail.setText)
        self.preview.latency_changed.connect(self.status.latency.setText)
        self.preview.complaint.connect(self.dialogs.complain)
        self.preview.saved.connect(self._picture_saved)
        self.preview.failed.connect(self._stay_open)

    # Layouts and projects

    def _recovery(self, data_folder: Path) -> RecoveryFolder | None:
        try:
            return RecoveryFolder(data_folder)
        except UserError as error:
            sentence = str(error)
            QTimer.singleShot(0, self, lambda: self.dialogs.complain(sentence))
            return None

    def _paint_from_start(self) -> None:
        if self.controller.document is None:
            self.model_palette.open_layout(self._example_layout)
        else:
            self.arrangement.show_painting()

    def _take_document(self) -> None:
        document = self.controller.document
        assert document is not None, "a document was placed"
        size = document.size
        self.layout_pane.set_detail(self.tr("{width} × {height}").format(width=size, height=size))
        self.arrangement.show_painting()
        self.canvas.setFocus()
        self.classes.set_palette(document.palette)
        self.history.show_kept(())
        self.commands["edit.mirror"].setChecked(False)

    def _take_project(self, project: Project) -> None:
        self.model_palette.expect_model_of(project)
        self.project_state.take(project)

    def _begin_with_photo(self, document: Document, anchor: Anchor) -> None:
        def begin() -> None:
            self.files.place(document)
            self.project_state.take_photo(anchor)

        self.files.before_losing(begin)

    def _return_to(self, kept: KeptPicture) -> None:
        # What is painted now would be lost: it is kept first, unless it is kept already.
        document = self.controller.document
        if document is not None and not self.project_state.is_kept(document):
            self.preview_actions.keep()
        pictures, state = self.history.kept, self.model_palette.with_classes(kept.document)
        self.files.place(Document.from_state(state), self.files.path)
        self.project_state.take_kept(kept, pictures)
        self.files.touch()

    def _show_title(self) -> None:
        parts = [self.files.name + "[*]"] if self.controller.document is not None else []
        if self.model.name is not None:
            parts.append(self.model.name)
        self.setWindowTitle(" — ".join([*parts, "SMIS Desktop"]) + ("" if parts else "[*]"))
        self.setWindowModified(self.files.is_dirty)

    # Pictures and models

    def _picture_saved(self, path: Path) -> None:
        self.status.notify(self.tr("Saved {path}").format(path=path))
        if self._closes_when_saved and not self.preview.is_saving:
            self.close()

    def _stay_open(self, failure: Failed) -> None:
        self._closes_when_saved = False

    def _close_for_good(self) -> None:
        self._may_close = True
        self.close()

    def _take_model(self) -> None:
        about = self.model.about
        assert about is not None, "ready without a model"
        self.status.show_device(about.device)
        self._show_title()
        if self.controller.document is None and self.arrangement.shows_painting:
            # The layout to start from could not be read.
            self.files.place(Document.blank(about.palette))

    def _take_device(self, device: str) -> None:
        self.status.show_device(device)
        self.status.notify(self.tr("Too little memory: photographs are now made by {device}").format(device=device))

    def _state_for_help(self) -> dict[str, str]:
        document, about = self.controller.document, self.model.about
        facts = {"Layout": "none" if document is None else f"{document.size}², {len(document.layers)} layers"}
        if about is not None:
            facts |= {"Model": about.name, "Generator": about.generator_name, "Device and backend": about.device}
        return facts
