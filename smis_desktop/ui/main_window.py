"""The window: puts canvas, panels, preview and files together and passes word between them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QImageReader,
    QTransform,
)
from PySide6.QtWidgets import QApplication, QDialog, QDockWidget, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from smis_desktop.errors import UserError
from smis_desktop.jobs.preview_messages import Failed, PicturePainted, Ready
from smis_desktop.labels.document import Document
from smis_desktop.labels.mirror import MirrorAxis
from smis_desktop.labels.obedience import Obedience, compare
from smis_desktop.labels.palette import Palette
from smis_desktop.labels.workbench import Workbench
from smis_desktop.storage.anchor import KEY, anchor_facts, anchor_from_facts
from smis_desktop.storage.generator_names import CHECKPOINT_SUFFIXES
from smis_desktop.storage.project_file import KeptPicture, KeptStyle, Project
from smis_desktop.storage.recent_files import RecentFiles
from smis_desktop.storage.recovery import RecoveryFolder
from smis_desktop.style import Anchor, Look, Style
from smis_desktop.ui.backend_dialog import BackendDialog
from smis_desktop.ui.canvas import Canvas
from smis_desktop.ui.easel import Easel
from smis_desktop.ui.exports import Exports
from smis_desktop.ui.file_dialogs import FileDialogs
from smis_desktop.ui.first_aid import FirstAid
from smis_desktop.ui.help_dialogs import AboutDialog
from smis_desktop.ui.key_dialogs import CheatSheet, RebindDialog
from smis_desktop.ui.layers_panel import LayersPanel
from smis_desktop.ui.live_preview import LivePreview, OpenModel
from smis_desktop.ui.menus import build_menus
from smis_desktop.ui.painting_files import PaintingFiles
from smis_desktop.ui.palette_dock import PaletteDock
from smis_desktop.ui.pane import Pane
from smis_desktop.ui.photo_start import PhotoStart
from smis_desktop.ui.preview_history import PreviewHistory
from smis_desktop.ui.preview_panel import PreviewPanel
from smis_desktop.ui.qimage import picture_to_qimage, qimage_to_picture, qimage_to_png
from smis_desktop.ui.shortcuts import Shortcuts
from smis_desktop.ui.small_dialogs import NewDialog, RecoveryDialog
from smis_desktop.ui.start_page import StartPage
from smis_desktop.ui.status import StatusBar
from smis_desktop.ui.style_desk import StyleDesk
from smis_desktop.ui.theme import THEMES, apply_theme
from smis_desktop.ui.tool_bars import OptionsBar, ToolsBar
from smis_desktop.ui.tools.options import ToolOptions
from smis_desktop.ui.underlay_bar import UnderlayBar
from smis_desktop.ui.workshop.workshops import Workshops

_CLASSES_WIDTH = 236
_KEPT_SIDE = 256


class MainWindow(QMainWindow):
    """Left classes and layers, in the middle the layout, right its photograph."""

    def __init__(
        self,
        preview: LivePreview,
        open_model: OpenModel,
        example_layout: Path,
        seeds: random.Random,
        settings: QSettings,
        data_folder: Path,
    ) -> None:
        """preview: not started yet; the window owns it from here. open_model: how model files are opened.

        example_layout: what "New from example" brings. seeds: where new styles are drawn from. settings: the person's
        own. data_folder: for recovery files and the list of recent projects.
        """
        super().__init__()
        self.setObjectName("window")
        self.setAcceptDrops(True)
        self.resize(QSize(1440, 900).boundedTo(self.screen().availableSize()))
        self.preview = preview
        preview.setParent(self)
        self._settings = settings
        self._open_model = open_model
        self._example_layout = example_layout
        self._model_path: Path | None = None
        self._model: Ready | None = None
        self._palette: Palette | None = None
        self._waiting_layout: Path | None = None
        self._closes_when_saved = False
        self._may_close = False
        self._picture: QImage | None = None
        self._obedience: Obedience | None = None
        self._next_request = QTimer(self)
        self._next_request.setSingleShot(True)
        self._next_request.setInterval(0)
        self._next_request.timeout.connect(self._ask_for_picture)

        self.commands = Shortcuts(self, settings)
        self.dialogs = FileDialogs(self)
        self.easel = Easel(self)
        self.options = ToolOptions(self)
        self.canvas = Canvas(self.easel, self.options)
        self.commands.add_canvas_actions(self.canvas)
        self.panel = PreviewPanel()
        self.history = PreviewHistory()
        self.style_desk = StyleDesk(self.easel, preview, self.history, self.dialogs, seeds, self)
        self.tools = OptionsBar(self.commands, self.options)
        self.classes = PaletteDock(self.easel, self.commands)
        self.layers = LayersPanel(self.easel, self.commands)
        self.underlay = UnderlayBar(self.canvas)
        self.workshops = Workshops(data_folder, self.dialogs, settings, self)
        self.photo_start = PhotoStart(self.dialogs, self._open_model_file, self)
        self.start_page = StartPage()
        self.status = StatusBar()
        self.recent = RecentFiles(data_folder)
        self.files = PaintingFiles(self.easel, self.dialogs, self.recent, self._recovery(data_folder), self._project)
        self.files.setParent(self)
        self.first_aid = FirstAid(self, self._facts_for_help, self.files.put_aside, self.files.save_as)
        self.exports = Exports(
            self.easel, preview, self.dialogs, self._project, self._picture_pixels, lambda: Path(self.files.name).stem
        )
        self.exports.setParent(self)
        self._arrange()
        self._connect_file_commands()
        self._connect_commands()
        self._connect_parts()
        self._connect_preview()
        self._restore_places()
        self.commands["file.export_picture"].setEnabled(False)
        self._show_what_can_be_undone()
        self._show_title()

    def start(self, model: Path, layout: Path | None, palette: Palette | None) -> None:
        """Begin: open the model, and show the layout or, without one, the start page. What cannot be read is said in a
        dialog.

        palette: the model's classes, when they are known before it is open: one can paint at once.
        """
        self._model_path = model
        if palette is not None:
            self._take_palette(palette)
        if layout is None:
            self.show_start_page()
        else:
            self._open_layout(layout)
        self.preview.start()
        self.workshops.go_on()
        offers = self.files.offers()
        if offers:
            dialog = RecoveryDialog(offers, self)
            dialog.restored.connect(self._restore)
            dialog.discarded.connect(self.files.discard)
            self._show_dialog(dialog)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.files.is_dirty and not self._may_close:
            event.ignore()
            self.files.before_losing(self._close_for_good)
            return
        if self.preview.is_saving:
            # The picture was promised; the window goes as soon as it is on the disk.
            self._closes_when_saved = True
            self.status.tell(self.tr("Saving the picture before closing…"))
            event.ignore()
            return
        self._settings.setValue("window/geometry", self.saveGeometry())
        self._settings.setValue("window/state", self.saveState())
        self.preview.close(0.0)
        self.workshops.shut_down()
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
        """A personal model, a checkpoint of a generator, or whatever can be painted on."""
        if path.suffix.lower() == ".smismodel":
            self._open_chosen_model(path)
        elif path.suffix.lower() in CHECKPOINT_SUFFIXES:
            self.workshops.import_generator(path)
        else:
            self.files.open(path)

    def show_start_page(self) -> None:
        """What one can begin with."""
        self.start_page.show_recent(self.recent.paths())
        self._stack.setCurrentWidget(self.start_page)
        self.start_page.paint_button.setFocus()

    # How the window is built

    def _recovery(self, data_folder: Path) -> RecoveryFolder | None:
        try:
            return RecoveryFolder(data_folder)
        except UserError as error:
            sentence = str(error)
            QTimer.singleShot(0, self, lambda: self.dialogs.complain(sentence))
            return None

    def _arrange(self) -> None:
        self._layout_pane = Pane(self.tr("Layout"), self.canvas, self.underlay)
        photograph = QWidget()
        column = QVBoxLayout(photograph)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.panel, 1)
        column.addWidget(self.history)
        self._picture_pane = Pane(self.tr("Photograph"), photograph, self.style_desk.bar)
        self._stack = QStackedWidget()
        for page in (self._layout_pane, self.start_page):
            self._stack.addWidget(page)
        middle = QWidget()
        margin = QVBoxLayout(middle)
        margin.setContentsMargins(0, 0, 0, 8)
        margin.addWidget(self._stack)
        self.setCentralWidget(middle)
        self._tools_bar = ToolsBar(self.commands, self.options)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.tools)
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, self._tools_bar)
        self.photograph_dock = QDockWidget(self.tr("Photograph"))
        self.photograph_dock.setObjectName("photograph")
        self.photograph_dock.setTitleBarWidget(QWidget())
        holder = QWidget()
        holder_column = QVBoxLayout(holder)
        holder_column.setContentsMargins(0, 0, 8, 8)
        holder_column.addWidget(self._picture_pane)
        self.photograph_dock.setWidget(holder)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.classes)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.layers)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.photograph_dock)
        self.splitDockWidget(self.photograph_dock, self.style_desk.panel, Qt.Orientation.Horizontal)
        self.style_desk.panel.hide()
        width = self.width()
        self.resizeDocks(
            [self.classes, self.photograph_dock],
            [_CLASSES_WIDTH, (width - _CLASSES_WIDTH - 60) // 2],
            Qt.Orientation.Horizontal,
        )
        self.resizeDocks([self.classes, self.layers], [520, 250], Qt.Orientation.Vertical)
        self._recent_menu = build_menus(self, self.commands)
        self.setStatusBar(self.status)
        self.canvas.setFocus()

    def _restore_places(self) -> None:
        for name, restore in (("geometry", self.restoreGeometry), ("state", self.restoreState)):
            stored = self._settings.value(f"window/{name}")
            if isinstance(stored, QByteArray):
                restore(stored)
        if self._settings.value("window/theme") == "light":
            self.commands["view.light"].setChecked(True)

    def _connect_file_commands(self) -> None:
        do: dict[str, Callable[[], object]] = {
            "file.new": self._ask_for_size,
            "file.example": lambda: self.files.before_losing(lambda: self._open_layout(self._example_layout)),
            "file.open": self.files.ask_to_open,
            "file.model": self._ask_for_model,
            "file.save": lambda: self.files.save(),
            "file.save_as": lambda: self.files.save_as(),
            "file.import": self.files.ask_for_import,
            "file.import_masks": self.files.ask_for_masks,
            "file.export_picture": self.exports.ask_for_picture,
            "file.export_layout": self.exports.ask_for_layout,
            "file.export_masks": self.exports.ask_for_masks,
            "file.variations": self.exports.ask_for_variations,
            "file.start": self.show_start_page,
            "file.quit": self.close,
            "picture.underlay_photo": self._ask_for_photo,
            "model.new": self.workshops.ask_for_new,
            "model.manage": self.workshops.show_models,
            "model.photo_layout": self.photo_start.ask,
        }
        self._bind(do)
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self.start_page.paint_wanted.connect(self._paint_from_start)
        self.start_page.new_wanted.connect(self._ask_for_size)
        self.start_page.open_wanted.connect(self.files.ask_to_open)
        self.start_page.recent_wanted.connect(self.files.open)
        self.start_page.model_wanted.connect(self.workshops.ask_for_new)
        self.underlay.photo_wanted.connect(self._ask_for_photo)
        self.workshops.open_wanted.connect(self._open_chosen_model)
        self.workshops.model_improved.connect(self._open_chosen_model)
        self.workshops.model_ready.connect(self._open_chosen_model)
        self.photo_start.begun.connect(self._begin_with_photo)

    def _connect_commands(self) -> None:
        canvas, options = self.canvas, self.options
        self._bind(
            {
                "edit.undo": self.easel.undo,
                "edit.redo": self.easel.redo,
                "edit.cancel": canvas.cancel,
                "tools.larger": options.grow,
                "tools.smaller": options.shrink,
                "layers.add": lambda: self.easel.do(Workbench.add_layer),
                "layers.duplicate": lambda: self.easel.do(lambda w: w.duplicate_layer(w.active_id)),
                "layers.merge": lambda: self.easel.do(lambda w: w.merge_down(w.active_id)),
                "layers.delete": lambda: self.easel.do(lambda w: w.delete_layer(w.active_id)),
                "layers.raise": lambda: self._move_layer(1),
                "layers.lower": lambda: self._move_layer(-1),
                "layers.flip": lambda: self.easel.do(lambda w: w.flip_layer(w.active_id)),
                "layers.clear": lambda: self.easel.do(lambda w: w.clear_layer(w.active_id)),
                "classes.swap": options.swap_classes,
                "classes.add": self.classes.add_class,
                "view.zoom_in": canvas.zoom_in,
                "view.zoom_out": canvas.zoom_out,
                "view.zoom_fit": canvas.zoom_to_fit,
                "view.zoom_100": canvas.zoom_to_pixels,
                "view.rotate_left": canvas.rotate_left,
                "view.rotate_right": canvas.rotate_right,
                "view.reset_rotation": canvas.reset_rotation,
                "view.mirror": canvas.mirror_view,
                "picture.new_style": self.style_desk.chosen.throw_seed,
                "picture.wall": self.style_desk.show_wall,
                "picture.pin": lambda: self.style_desk.chosen.pin(self.style_desk.chosen.style.look),
                "picture.film": self.style_desk.ask_for_film,
                "picture.keep": self._keep_picture,
                "picture.copy": self._copy_picture,
                "picture.backend": self._ask_for_backend,
                "help.shortcuts": lambda: self._show_dialog(CheatSheet(self.commands, self)),
                "help.rebind": lambda: self._show_dialog(RebindDialog(self.commands, self)),
                "help.diagnostics": self.first_aid.copy_diagnostics,
                "help.about": lambda: self._show_dialog(AboutDialog(self)),
            }
        )
        for number in range(9):
            self.commands[f"classes.{number + 1}"].triggered.connect(
                lambda _=False, row=number: self.classes.choose_row(row)
            )
        for command_id, follow in (
            ("edit.mirror", self._set_mirror),
            ("view.patterns", canvas.set_patterns),
            ("view.names", canvas.set_names),
            ("view.obedience", lambda _: self._show_heat()),
            ("view.panels", self._hide_panels),
            ("view.style", self.style_desk.panel.setVisible),
            ("view.light", self._set_theme),
            ("picture.compare", lambda _: self._show_comparison()),
            ("picture.tie", lambda _: self._tie_view()),
            ("picture.lock_style", self.style_desk.chosen.lock),
        ):
            self.commands[command_id].toggled.connect(follow)

    def _bind(self, table: dict[str, Callable[[], object]]) -> None:
        for command_id, act in table.items():
            self.commands[command_id].triggered.connect(lambda _=False, act=act: act())

    def _connect_parts(self) -> None:
        self.classes.class_chosen.connect(self._choose_class)
        self.options.class_chosen.connect(self.classes.choose_class)
        self.canvas.view_changed.connect(self.status.show_zoom)
        self.canvas.viewport_moved.connect(self._tie_view)
        self.canvas.hovered.connect(self._show_under_cursor)
        self.canvas.left.connect(lambda: self.status.show_under_cursor(""))
        self.easel.replaced.connect(self._take_document)
        self.easel.painted.connect(self._follow_painting)
        self.easel.palette_changed.connect(self._ask_for_picture)
        self.easel.stroke_ended.connect(self._finish_picture)
        self.easel.history_changed.connect(self._show_what_can_be_undone)
        self.easel.refused.connect(self.status.tell)
        self.style_desk.chosen.changed.connect(self._ask_for_picture)
        self.style_desk.chosen.lock_changed.connect(self.commands["picture.lock_style"].setChecked)
        self.style_desk.told.connect(self.status.tell)
        self.style_desk.panel.visibilityChanged.connect(self.commands["view.style"].setChecked)
        self.style_desk.bar.add_panel_button(self.commands["view.style"])
        self.panel.retry_wanted.connect(self._retry)
        self.history.returned.connect(self._return_to)
        self.history.changed.connect(self.files.touch)
        self.history.changed.connect(self._show_comparison)
        self.files.opened.connect(self._take_project)
        self.files.told.connect(self.status.tell)
        self.files.changed.connect(self._show_title)
        self.exports.told.connect(self.status.tell)
        self.first_aid.told.connect(self.status.tell)

    def _connect_preview(self) -> None:
        self.preview.loading.connect(self.panel.show_progress)
        self.preview.ready.connect(self._take_model)
        self.preview.painted.connect(self._show_picture)
        self.preview.saved.connect(self._picture_saved)
        self.preview.failed.connect(self._show_failure)

    # Layouts and projects

    def _open_layout(self, path: Path) -> None:
        if self._palette is None:
            self._waiting_layout = path  # its classes come with the model
        else:
            self.files.open_without_asking(path)

    def _paint_from_start(self) -> None:
        if self.easel.document is None:
            self._open_layout(self._example_layout)
        else:
            self._stack.setCurrentWidget(self._layout_pane)

    def _ask_for_size(self) -> None:
        dialog = NewDialog(self)

        def create() -> None:
            size, palette = dialog.size_in_pixels, self._palette
            if palette is not None:
                self.files.before_losing(lambda: self.files.place(Document.blank(palette, size)))

        dialog.accepted.connect(create)
        dialog.open()

    def _take_document(self) -> None:
        document = self.easel.document
        assert document is not None, "told of a document that is not there"
        size = document.size
        self._layout_pane.set_detail(self.tr("{width} × {height}").format(width=size, height=size))
        self._stack.setCurrentWidget(self._layout_pane)
        self.canvas.setFocus()
        self.classes.set_palette(document.palette)
        self.history.show_kept(())
        self.preview.set_anchor(None)
        self.commands.set_document_actions(True)
        self._obedience = None
        self._show_heat()
        self.commands["edit.mirror"].setChecked(False)
        self._ask_for_picture()

    def _begin_with_photo(self, document: Document, anchor: Anchor) -> None:
        def begin() -> None:
            self.files.place(document)
            self.preview.set_anchor(anchor)
            self.style_desk.chosen.set_style(Style(Look.of_latents(anchor.ws, anchor.name)))
            self._ask_for_picture()

        self.files.before_losing(begin)

    def _open_model_file(self) -> tuple[Path, Palette] | None:
        """The model that is open, and its classes."""
        if self._model is None or self._model_path is None:
            return None
        return self._model_path, self._model.palette

    def _take_project(self, project: Project) -> None:
        facts = project.style.extras.get(KEY)
        self.preview.set_anchor(anchor_from_facts(facts) if isinstance(facts, dict) else None)
        self.history.show_kept(project.kept)
        self.style_desk.chosen.follow(project.style.style)
        self.style_desk.chosen.set_pins(project.style.pins)
        known = Path(project.model_path) if project.model_path else None
        if self._model is not None and project.model_name not in (None, self._model.name):
            if known is not None and known.is_file():
                self._open_chosen_model(known)
            else:
                words = self.tr("This was painted with the model “{name}”, which is not here.")
                self.status.tell(words.format(name=project.model_name))

    def _restore(self, offer: object) -> None:
        self.files.restore(offer)  # type: ignore[arg-type]

    def _project(self) -> Project:
        """The painting as it is now."""
        document = self.easel.document
        assert document is not None, "there is nothing to save"
        return Project(
            document.state(),
            replace(self._stored_style(), pins=self.style_desk.chosen.pins),
            None if self._model is None else self._model.name,
            None,
            None if self._model_path is None else str(self._model_path.absolute()),
            self.history.kept,
        )

    def _stored_style(self) -> KeptStyle:
        anchor = self.preview.anchor
        extras = {} if anchor is None else {KEY: anchor_facts(anchor)}
        return KeptStyle(self.style_desk.chosen.style, extras, self.preview.shown_ws)

    def _close_for_good(self) -> None:
        self._may_close = True
        self.close()

    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for path in self.recent.paths():
            self._recent_menu.addAction(path.name, partial(self.files.open, path)).setToolTip(str(path))
        if self._recent_menu.isEmpty():
            self._recent_menu.addAction(self.tr("Nothing yet")).setEnabled(False)

    def _show_title(self) -> None:
        parts = [self.files.name + "[*]"] if self.easel.document is not None else []
        if self._model is not None:
            parts.append(self._model.name)
        self.setWindowTitle(" — ".join([*parts, "SMIS Desktop"]) + ("" if parts else "[*]"))
        self.setWindowModified(self.files.is_dirty)

    # Painting

    def _choose_class(self, class_id: int) -> None:
        self.options.choose_class(class_id)
        if self.options.tool in ("eraser", "picker", "move", "pan", "zoom"):
            self.options.set_tool("brush")  # whoever picks a colour wants to paint with it

    def _move_layer(self, up: int) -> None:
        document = self.easel.document
        if document is not None:
            index = document.structure.index(document.active_id) + up
            self.easel.do(lambda workbench: workbench.reorder_layer(workbench.active_id, index))

    def _set_mirror(self, is_on: bool) -> None:
        document = self.easel.document
        self.easel.set_mirror(MirrorAxis("vertical", document.size / 2) if is_on and document is not None else None)

    def _show_under_cursor(self, column: int, row: int) -> None:
        document = self.easel.document
        if document is None:
            return
        class_id = int(document.label_map[row, column])
        known = {c.class_id: c.name for c in document.palette.classes}
        name = known.get(class_id, self.tr("nothing said"))
        self.status.show_under_cursor(self.tr("{name} · {x}, {y}").format(name=name, x=column, y=row))

    def _show_what_can_be_undone(self) -> None:
        workbench = self.easel.workbench
        undo, redo = self.commands["edit.undo"], self.commands["edit.redo"]
        undo.setEnabled(self.easel.can_undo or self.easel.is_painting)
        redo.setEnabled(self.easel.can_redo)
        name = workbench.undo_name if workbench else None
        undo.setText(self.tr("&Undo {what}").format(what=name.lower()) if name else self.tr("&Undo"))

    # Pictures

    def _follow_painting(self) -> None:
        if self.easel.is_painting:
            # A fast mouse moves more often than a layout can be copied: ask once for all moves that have come.
            self._next_request.start()
        else:
            self._ask_for_picture()

    def _ask_for_picture(self) -> None:
        self._next_request.stop()
        if self.easel.document is not None:
            self.preview.request(
                self.easel.document.snapshot(), self.style_desk.chosen.style, pen_is_down=self.easel.is_painting
            )
        self._show_what_can_be_undone()

    def _finish_picture(self) -> None:
        if self._next_request.isActive():
            self._ask_for_picture()
        else:
            self.preview.finish()
        self._show_what_can_be_undone()

    def _show_picture(self, painted: PicturePainted) -> None:
        self._picture = picture_to_qimage(painted.result.picture)
        self.panel.show_picture(self._picture)
        self.underlay.set_picture(self._picture)
        self.commands["file.export_picture"].setEnabled(True)
        if painted.quality == "draft":
            self._picture_pane.set_detail(self.tr("draft"))
            self.status.show_latency(painted.latency)
        else:
            size = painted.result.picture.shape[0]
            words = self.tr("{width} × {height}, refined") if painted.refined else self.tr("{width} × {height}")
            self._picture_pane.set_detail(words.format(width=size, height=size))
            self._show_obedience(painted)

    def _show_obedience(self, painted: PicturePainted) -> None:
        document, seen = self.easel.document, painted.result.seen
        if document is None or seen is None:
            return
        self._obedience = compare(document.snapshot(), seen, document.palette)
        self.status.show_obedience(self._obedience.overall)
        self.classes.show_followed(self._obedience.by_class)
        self._show_heat()

    def _show_heat(self) -> None:
        is_shown = self.commands["view.obedience"].isChecked() and self._obedience is not None
        self.canvas.set_heat_map(self._obedience.heat if is_shown and self._obedience else None)

    def _picture_pixels(self) -> np.ndarray | None:
        return None if self._picture is None else qimage_to_picture(self._picture)

    def _keep_picture(self) -> None:
        if self._picture is None or self.easel.document is None:
            return
        smooth = Qt.TransformationMode.SmoothTransformation
        small = self._picture.scaled(_KEPT_SIDE, _KEPT_SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)
        png = qimage_to_png(small)
        self.history.keep(KeptPicture(png, self.easel.document.state(), self._stored_style()))

    def _return_to(self, kept: KeptPicture) -> None:
        pictures, path = self.history.kept, self.files.path

        def back() -> None:
            self.files.place(Document.from_state(kept.document), path)
            self.history.show_kept(pictures)
            self.style_desk.chosen.follow(kept.style.style)
            self.files.touch()

        # What is painted now would be lost: it is kept first, unless it is kept already.
        document = self.easel.document
        if document is not None and not any(document.state().equals(k.document) for k in pictures):
            self._keep_picture()
            pictures = self.history.kept
        back()

    def _copy_picture(self) -> None:
        if self._picture is not None:
            QGuiApplication.clipboard().setImage(self._picture)
            self.status.tell(self.tr("The picture is on the clipboard"))

    def _show_comparison(self) -> None:
        is_on = self.commands["picture.compare"].isChecked()
        self.panel.set_comparison(self.history.last_picture if is_on else None)
        if is_on and self.history.last_picture is None:
            self.status.tell(self.tr("Keep a picture first (K), then compare with it."))

    def _tie_view(self) -> None:
        if not self.commands["picture.tie"].isChecked():
            self.panel.set_tied_view(None)
            return
        view = self.canvas.viewport
        transform = QTransform.fromScale(view.document_size, view.document_size) * QTransform(*view.matrix)
        dx, dy = (self.panel.width() - view.width) / 2, (self.panel.height() - view.height) / 2
        self.panel.set_tied_view(transform * QTransform.fromTranslate(dx, dy))

    def _picture_saved(self, path: Path) -> None:
        self.status.tell(self.tr("Saved {path}").format(path=path))
        if self._closes_when_saved and not self.preview.is_saving:
            self.close()

    def _ask_for_photo(self) -> None:
        words = self.tr("Photos (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff)")
        self.dialogs.ask_to_open(self.tr("Photo as underlay"), words, self._take_photo)

    def _take_photo(self, path: Path) -> None:
        reader = QImageReader(str(path))
        reader.setAutoTransform(True)
        photo = reader.read()
        if photo.isNull():
            self.dialogs.complain(self.tr("{path} cannot be shown as a photo; choose another.").format(path=path))
            return
        side = min(photo.width(), photo.height())
        left, top = (photo.width() - side) // 2, (photo.height() - side) // 2
        self.underlay.set_photo(photo.copy(left, top, side, side))

    # Look

    def _hide_panels(self, hidden: bool) -> None:
        for widget in (self.classes, self.layers, self.photograph_dock, self._tools_bar, self.tools):
            widget.setVisible(not hidden)

    def _set_theme(self, is_light: bool) -> None:
        name = "light" if is_light else "dark"
        self._settings.setValue("window/theme", name)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, THEMES[name])
        self.commands.redraw_icons()
        self.style_desk.bar.redraw_icons()
        self.style_desk.panel.redraw_icons()

    # Models

    def _ask_for_model(self) -> None:
        self.dialogs.ask_to_open(
            self.tr("Open personal model"), self.tr("Personal models (*.smismodel)"), self._open_chosen_model
        )

    def _open_chosen_model(self, path: Path) -> None:
        self._model_path = path
        self.preview.open(self._open_model(path))

    def _ask_for_backend(self) -> None:
        from smis_desktop.storage.backend_choice import backend_facts, choose_backend  # torch comes with it

        facts = backend_facts()
        dialog = BackendDialog(facts.chosen, facts.tests, self)

        def take() -> None:
            try:
                choose_backend(dialog.chosen)
            except UserError as error:
                self.dialogs.complain(str(error))
                return
            self._retry()

        dialog.accepted.connect(take)
        self._show_dialog(dialog)

    def _retry(self) -> None:
        if self._model_path is not None:
            self.panel.show_progress(self.tr("Trying again…"), -1.0)
            self.preview.open(self._open_model(self._model_path))

    def _take_model(self, model: Ready) -> None:
        self.panel.end_progress()
        self.status.show_device(model.device)
        self._model = model
        self._show_title()
        if model.palette != self._palette:
            self._take_palette(model.palette)
        if self.easel.document is None and self._stack.currentWidget() is self._layout_pane:
            # The layout to start from could not be read.
            self.files.place(Document.blank(model.palette))
        self._ask_for_picture()

    def _take_palette(self, palette: Palette) -> None:
        self._palette = self.files.fallback_palette = palette
        document = self.easel.document
        if document is None:
            self.classes.set_palette(palette)
            if self._waiting_layout is not None:
                layout, self._waiting_layout = self._waiting_layout, None
                self.files.open_without_asking(layout)
        elif not set(palette.class_ids) <= set(document.palette.class_ids):
            self.easel.set_palette(palette)

    def _show_failure(self, failure: Failed) -> None:
        self._closes_when_saved = False
        if failure.stage == "painting" or (failure.stage == "opening" and not self.preview.is_ready):
            self.panel.show_failure(failure.text, can_retry=failure.stage == "opening")
        else:
            self.panel.end_progress()
            self.dialogs.complain(failure.text)

    def _facts_for_help(self) -> dict[str, str]:
        document, model = self.easel.document, self._model
        facts = {"Layout": "none" if document is None else f"{document.size}², {len(document.layers)} layers"}
        if model is not None:
            facts |= {"Model": model.name, "Generator": model.generator_name, "Device and backend": model.device}
        return facts

    def _show_dialog(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
