"""The window: puts canvas, palette, preview and files together and passes word between them."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QLabel, QMainWindow, QSplitter, QVBoxLayout, QWidget

from smis_desktop.jobs.preview import Failed, PicturePainted, Ready
from smis_desktop.labels.document import Document
from smis_desktop.labels.palette import Palette
from smis_desktop.ui.actions import WindowActions
from smis_desktop.ui.canvas import Canvas
from smis_desktop.ui.easel import Easel, paintable_size
from smis_desktop.ui.file_tasks import FileTasks
from smis_desktop.ui.help_dialogs import AboutDialog, ShortcutsDialog
from smis_desktop.ui.live_preview import LivePreview, OpenModel
from smis_desktop.ui.palette_dock import NUMBER_KEYS, PaletteDock
from smis_desktop.ui.pane import Pane
from smis_desktop.ui.preview_panel import PreviewPanel
from smis_desktop.ui.qimage import picture_to_qimage
from smis_desktop.ui.status import StatusBar
from smis_desktop.ui.style_bar import StyleBar
from smis_desktop.ui.tool_bar import ToolBar

_CLASSES_WIDTH = 208


class MainWindow(QMainWindow):
    """Left the classes, in the middle the layout, right its photograph."""

    def __init__(self, preview: LivePreview, open_model: OpenModel, example_layout: Path, seeds: random.Random) -> None:
        """preview: not started yet; the window owns it from here. open_model: how model files are opened.

        example_layout: what "New layout from example" brings. seeds: where new styles are drawn from.
        """
        super().__init__()
        self.setObjectName("window")
        self.setWindowTitle("SMIS Desktop")
        self.resize(QSize(1440, 900).boundedTo(self.screen().availableSize()))
        self.preview = preview
        preview.setParent(self)
        self._open_model = open_model
        self._example_layout = example_layout
        self._model_path: Path | None = None
        self._palette: Palette | None = None
        self._waiting_layout: np.ndarray | None = None
        self._closes_when_saved = False
        self._next_request = QTimer(self)
        self._next_request.setSingleShot(True)
        self._next_request.setInterval(0)
        self._next_request.timeout.connect(self._ask_for_picture)

        self.commands = WindowActions(self)
        self.files = FileTasks(self)
        self.easel = Easel(self)
        self.canvas = Canvas(self.easel)
        self.panel = PreviewPanel()
        self.style_bar = StyleBar(seeds)
        self.tools = ToolBar(self.commands)
        self.classes = PaletteDock()
        self.status = StatusBar()
        self._arrange()
        self._connect_actions()
        self._connect_parts()
        self._connect_preview()

    def start(self, model: Path, layout: Path, palette: Palette | None) -> None:
        """Begin: show the layout, open the model. What cannot be read is said in a dialog.

        palette: the model's classes, when they are known before it is open: one can paint at once.
        """
        self._model_path = model
        if palette is not None:
            self._take_palette(palette)
        self.files.read_layout(layout)
        self.preview.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.preview.is_saving:
            # The picture was promised; the window goes as soon as it is on the disk.
            self._closes_when_saved = True
            self.status.tell(self.tr("Saving the picture before closing…"))
            event.ignore()
            return
        self.preview.close(0.0)
        event.accept()

    # How the window is built

    def _arrange(self) -> None:
        self._layout_pane = Pane(self.tr("Layout"), self.canvas, self._hint())
        self._picture_pane = Pane(self.tr("Photograph"), self.panel, self.style_bar)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.setHandleWidth(12)
        halves.setChildrenCollapsible(False)
        for pane in (self._layout_pane, self._picture_pane):
            halves.addWidget(pane)
        halves.setSizes([1000, 1000])
        for index in range(2):
            halves.setStretchFactor(index, 1)

        middle = QWidget()
        margin = QVBoxLayout(middle)
        margin.setContentsMargins(2, 0, 14, 0)
        margin.addWidget(halves)
        self.setCentralWidget(middle)
        self.addToolBar(self.tools)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.classes)
        self.resizeDocks([self.classes], [_CLASSES_WIDTH], Qt.Orientation.Horizontal)
        self.setStatusBar(self.status)
        self.canvas.setFocus()

    def _hint(self) -> QWidget:
        foot = QWidget()
        column = QVBoxLayout(foot)
        column.setContentsMargins(14, 0, 14, 0)
        column.setSpacing(3)
        column.addStretch(1)
        for role, words in (
            ("lead", self.tr("Paint what goes where — the photograph follows.")),
            ("muted", self.tr("Right button erases, [ ] changes the brush size.")),
        ):
            line = QLabel(words)
            line.setProperty("role", role)
            column.addWidget(line)
        column.addStretch(1)
        return foot

    def _connect_actions(self) -> None:
        do = self.commands
        do.new_layout.triggered.connect(lambda: self.files.read_layout(self._example_layout))
        do.open_layout.triggered.connect(self.files.ask_for_layout)
        do.open_model.triggered.connect(self.files.ask_for_model)
        do.save_picture.triggered.connect(self.files.ask_where_to_save_picture)
        do.save_layout.triggered.connect(self._save_layout)
        do.quit.triggered.connect(self.close)
        do.undo.triggered.connect(self.easel.undo)
        do.redo.triggered.connect(self.easel.redo)
        do.brush.triggered.connect(lambda: self.canvas.options.set_tool("brush"))
        do.eraser.triggered.connect(lambda: self.canvas.options.set_tool("eraser"))
        do.larger_brush.triggered.connect(self.tools.brush_size.grow)
        do.smaller_brush.triggered.connect(self.tools.brush_size.shrink)
        do.cancel_stroke.triggered.connect(self.easel.cancel_stroke)
        do.new_style.triggered.connect(self.style_bar.throw_seed)
        do.zoom_in.triggered.connect(self.canvas.zoom_in)
        do.zoom_out.triggered.connect(self.canvas.zoom_out)
        do.zoom_fit.triggered.connect(self.canvas.zoom_to_fit)
        do.shortcuts.triggered.connect(lambda: self._show_dialog(ShortcutsDialog(do.keys(), self)))
        do.about.triggered.connect(lambda: self._show_dialog(AboutDialog(self)))
        for row, key in enumerate(NUMBER_KEYS):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.activated.connect(partial(self.classes.choose_row, row))

    def _connect_parts(self) -> None:
        self.classes.class_chosen.connect(self._choose_class)
        self.tools.brush_size.diameter_changed.connect(self.canvas.options.set_diameter)
        self.canvas.view_changed.connect(self.status.show_zoom)
        self.canvas.hovered.connect(self._show_under_cursor)
        self.canvas.left.connect(lambda: self.status.show_under_cursor(""))
        self.easel.replaced.connect(self._take_document)
        self.easel.painted.connect(self._follow_painting)
        self.easel.stroke_ended.connect(self._finish_picture)
        self.style_bar.style_changed.connect(self._ask_for_picture)
        self.panel.retry_wanted.connect(self._retry)
        self.files.layout_read.connect(self._take_layout)
        self.files.layout_saved.connect(self._tell_saved)
        self.files.model_chosen.connect(self._open_chosen_model)
        self.files.picture_target_chosen.connect(self._save_picture)

    def _connect_preview(self) -> None:
        self.preview.loading.connect(self.panel.show_progress)
        self.preview.ready.connect(self._take_model)
        self.preview.painted.connect(self._show_picture)
        self.preview.saved.connect(self._picture_saved)
        self.preview.failed.connect(self._show_failure)

    # Layouts

    def _take_layout(self, label_map: np.ndarray, notes: tuple[str, ...]) -> None:
        if self._palette is None:
            self._waiting_layout = label_map  # its colours and classes come with the model
        else:
            self.easel.place(Document.of_label_map(paintable_size(label_map), self._palette))
        for note in notes:
            self.status.tell(note)

    def _take_document(self) -> None:
        document = self.easel.document
        assert document is not None, "told of a document that is not there"
        size = document.size
        self._layout_pane.set_detail(self.tr("{width} × {height}").format(width=size, height=size))
        self.commands.save_layout.setEnabled(True)
        self._ask_for_picture()

    def _save_layout(self) -> None:
        if self.easel.document is not None:
            self.files.ask_where_to_save_layout(self.easel.document.snapshot(), self.easel.document.palette)

    def _choose_class(self, class_id: int) -> None:
        self.canvas.options.choose_class(class_id)
        self.commands.brush.trigger()  # whoever picks a colour wants to paint with it, not to erase

    def _show_under_cursor(self, column: int, row: int) -> None:
        document = self.easel.document
        if document is None:
            return
        class_id = int(document.label_map[row, column])
        known = {c.class_id: c.name for c in document.palette.classes}
        name = known.get(class_id, self.tr("nothing said"))
        self.status.show_under_cursor(self.tr("{name} · {x}, {y}").format(name=name, x=column, y=row))

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
                self.easel.document.snapshot(), self.style_bar.chosen, pen_is_down=self.easel.is_painting
            )
        self._show_what_can_be_undone()

    def _finish_picture(self) -> None:
        if self._next_request.isActive():
            self._ask_for_picture()
        else:
            self.preview.finish()
        self._show_what_can_be_undone()

    def _show_what_can_be_undone(self) -> None:
        self.commands.undo.setEnabled(self.easel.can_undo or self.easel.is_painting)
        self.commands.redo.setEnabled(self.easel.can_redo)

    def _show_picture(self, painted: PicturePainted) -> None:
        self.panel.show_picture(picture_to_qimage(painted.result.picture))
        if painted.quality == "draft":
            self._picture_pane.set_detail(self.tr("draft"))
            self.status.show_latency(painted.latency)
        else:
            size = painted.result.picture.shape[0]
            self._picture_pane.set_detail(self.tr("{width} × {height}").format(width=size, height=size))
        self.commands.save_picture.setEnabled(True)

    def _save_picture(self, path: Path) -> None:
        self.status.tell(self.tr("Saving {name}…").format(name=path.name))
        if self._next_request.isActive():
            self._ask_for_picture()
        self.preview.save(path)

    def _picture_saved(self, path: Path) -> None:
        self._tell_saved(path)
        if self._closes_when_saved:
            self.close()

    def _tell_saved(self, path: Path) -> None:
        self.status.tell(self.tr("Saved {path}").format(path=path))

    # Models

    def _open_chosen_model(self, path: Path) -> None:
        self._model_path = path
        self.preview.open(self._open_model(path))

    def _retry(self) -> None:
        if self._model_path is not None:
            self.panel.show_progress(self.tr("Trying again…"), -1.0)
            self.preview.open(self._open_model(self._model_path))

    def _take_model(self, model: Ready) -> None:
        self.panel.end_progress()
        self.status.show_device(model.device)
        self.setWindowTitle(self.tr("{model} — SMIS Desktop").format(model=model.name))
        if model.palette != self._palette:
            self._take_palette(model.palette)
        if self.easel.document is None:  # the layout to start from could not be read
            self.easel.place(Document.blank(model.palette))
        self._ask_for_picture()

    def _take_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.classes.set_palette(palette)
        if self._waiting_layout is not None:
            layout, self._waiting_layout = self._waiting_layout, None
            self.easel.place(Document.of_label_map(paintable_size(layout), palette))
        else:
            self.easel.set_palette(palette)

    def _show_failure(self, failure: Failed) -> None:
        self._closes_when_saved = False
        if failure.stage == "painting" or (failure.stage == "opening" and not self.preview.is_ready):
            self.panel.show_failure(failure.text, can_retry=failure.stage == "opening")
        else:
            self.panel.end_progress()
            self.files.complain(failure.text)

    def _show_dialog(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
