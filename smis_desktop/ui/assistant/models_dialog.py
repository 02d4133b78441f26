"""The library of personal models: open, rename, duplicate, note, export, import and delete them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFile, QSize, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QColor, QDesktopServices, QIcon, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.errors import UserError
from smis_desktop.personal_model.library import LibraryModel, ModelLibrary
from smis_desktop.resources import MODEL_SUFFIX
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.ui.widgets.theme import current_colors
from smis_desktop.workers.model_pictures import ModelPictured, model_pictures
from smis_desktop.workers.process import WorkEnded, WorkerProcess

_ICON, _SIDE = 56, 192


class ModelsDialog(QDialog):
    """Emits `open_wanted` with a model file to paint with, `continue_wanted` with one to train further."""

    open_wanted = Signal(Path)
    continue_wanted = Signal(Path)
    _drawing_sent = Signal(object)

    def __init__(self, library: ModelLibrary, dialogs: FileDialogs, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Personal models"))
        self._library, self._dialogs = library, dialogs
        self._models: tuple[LibraryModel, ...] = ()
        self._drawing: WorkerProcess | None = None
        self._noted: Path | None = None
        self.list = QListWidget()
        self.list.setIconSize(QSize(_ICON, _ICON))
        self.list.setAccessibleName(self.tr("Personal models"))
        self.list.currentRowChanged.connect(lambda _: self._show())
        self.list.itemActivated.connect(lambda _: self._open())
        self.picture = QLabel()
        self.picture.setFixedSize(_SIDE, _SIDE)
        self.picture.setProperty("role", "picture")
        self.picture.setAccessibleName(self.tr("Example picture"))
        self._about = QLabel()
        self._about.setWordWrap(True)
        self._about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.note = QPlainTextEdit()
        self.note.setPlaceholderText(self.tr("Your own note"))
        self.note.setFixedHeight(84)
        self.note.setAccessibleName(self.tr("Note"))
        self._buttons: dict[str, QPushButton] = {}
        grid = self._make_buttons()
        import_button, folder = QPushButton(self.tr("Import…")), QPushButton(self.tr("Show folder"))
        import_button.clicked.connect(self._import)
        folder.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(library.folder))))
        side = QVBoxLayout()
        side.addWidget(self.picture)
        side.addWidget(self._about, 1)
        side.addWidget(self.note)
        side.addLayout(grid)
        foot = QHBoxLayout()
        foot.addWidget(import_button)
        foot.addWidget(folder)
        foot.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.list, 1)
        row.addLayout(side, 1)
        column = QVBoxLayout(self)
        column.addLayout(row, 1)
        column.addLayout(foot)
        self.resize(680, 600)
        self._drawing_sent.connect(self._receive)
        self.finished.connect(lambda _: self._end())
        self.fill()
        self._draw_missing()

    def _make_buttons(self) -> QGridLayout:
        grid = QGridLayout()
        actions: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("open", self.tr("Paint with it"), self._open),
            ("teach", self.tr("Train further…"), lambda: self._with(self.continue_wanted.emit)),
            ("rename", self.tr("Rename…"), self._rename),
            ("duplicate", self.tr("Duplicate…"), self._duplicate),
            ("export", self.tr("Export…"), self._export),
            ("delete", self.tr("Move to trash"), self._delete),
        )
        for number, (key, words, act) in enumerate(actions):
            button = QPushButton(words)
            button.clicked.connect(lambda _=False, act=act: act())
            grid.addWidget(button, number // 2, number % 2)
            self._buttons[key] = button
        self._buttons["open"].setProperty("role", "primary")
        return grid

    def fill(self, chosen: Path | None = None) -> None:
        """Shows the models as the folder has them."""
        self._models = self._library.models()
        self.list.clear()
        blank = QPixmap(_ICON, _ICON)
        blank.fill(QColor(current_colors().raised))
        for model in self._models:
            self.list.addItem(QListWidgetItem(QIcon(_picture(model, _ICON) or blank), model.name))
        paths = [model.path for model in self._models]
        self.list.setCurrentRow(paths.index(chosen) if chosen in paths else min(0, len(paths) - 1))
        self._show()

    def take(self, path: Path) -> None:
        """Imports a model file."""
        self._try(lambda: self.fill(self._library.add(path)))
        self._draw_missing()

    @property
    def _chosen(self) -> LibraryModel | None:
        row = self.list.currentRow()
        return self._models[row] if 0 <= row < len(self._models) else None

    def _show(self) -> None:
        self._keep_note()
        model = self._chosen
        for key, button in self._buttons.items():
            button.setEnabled(model is not None and (not model.fault or key == "delete"))
        self.note.setEnabled(model is not None)
        self._noted = None if model is None else model.path
        self.note.setPlainText("" if model is None else model.note)
        picture = None if model is None else _picture(model, _SIDE)
        self.picture.setPixmap(picture or QPixmap())
        self.picture.setVisible(model is not None and not model.fault)
        if model is None:
            self._about.setText(self.tr("None yet. Make one with “New personal model”, or import one."))
        elif model.fault:
            self._about.setText(model.fault)
        else:
            names = ", ".join(c.name for c in model.palette.classes) if model.palette else ""
            self._about.setText(
                self.tr("Makes pictures like: {generator}\nClasses: {names}").format(
                    generator=model.generator, names=names
                )
            )

    def _keep_note(self) -> None:
        if self._noted is not None and self._noted.is_file():
            words, path = self.note.toPlainText(), self._noted
            if any(model.path == path and model.note != words for model in self._models):
                self._try(lambda: self._library.set_note(path, words))

    def _draw_missing(self) -> None:
        """Starts to draw pictures of models without one: imported ones have none."""
        missing = tuple(model.path for model in self._models if model.picture is None and not model.fault)
        if missing and self._drawing is None:
            self._drawing = model_pictures(missing, weak_callback(self, self._drawing_sent.emit))
            self._drawing.start()

    @Slot(object)
    def _receive(self, message: object) -> None:
        match message:
            case ModelPictured():
                self._keep_note()
                self.fill(None if self._chosen is None else self._chosen.path)
            case WorkEnded():
                self._drawing = None

    def _end(self) -> None:
        self._keep_note()
        if self._drawing is not None:
            self._drawing.cancel()
            self._drawing = None

    def _with(self, act: Callable[[Path], object]) -> None:
        if self._chosen is not None:
            act(self._chosen.path)

    def _open(self) -> None:
        if self._chosen is not None and not self._chosen.fault:
            self.open_wanted.emit(self._chosen.path)
            self.accept()

    def _rename(self) -> None:
        model = self._chosen
        if model is not None:
            self._ask(self.tr("Rename"), model.name, lambda name: self._library.rename(model.path, name), model.path)

    def _duplicate(self) -> None:
        model = self._chosen
        if model is not None:
            words = self.tr("{name} (copy)").format(name=model.name)
            self._ask(self.tr("Duplicate"), words, lambda name: self._library.duplicate(model.path, name), model.path)

    def _ask(self, title: str, words: str, act: Callable[[str], object], chosen: Path) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(title)
        dialog.setLabelText(self.tr("Name"))
        dialog.setTextValue(words)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def take(name: str) -> None:
            self._try(lambda: act(name))
            self.fill(chosen)

        dialog.textValueSelected.connect(take)
        dialog.open()

    def _export(self) -> None:
        model = self._chosen
        if model is not None:
            words = self.tr("Personal models (*.smismodel)")
            self._dialogs.ask_to_save(
                self.tr("Export model"),
                model.name + MODEL_SUFFIX,
                words,
                lambda path: self._try(lambda: self._library.export(model.path, path)),
            )

    def _import(self) -> None:
        self._dialogs.ask_to_open(self.tr("Import model"), self.tr("Personal models (*.smismodel)"), self.take)

    def _delete(self) -> None:
        model = self._chosen
        if model is None:
            return
        for path in self._library.files_of(model.path):
            if not QFile(str(path)).moveToTrash():
                words = self.tr("{path} cannot be moved to the trash; delete it in its folder.")
                self._dialogs.complain(words.format(path=path))
                break  # a model that stays keeps its note
        self._noted = None
        self.fill()

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except UserError as error:
            self._dialogs.complain(str(error))


def _picture(model: LibraryModel, side: int) -> QPixmap | None:
    if model.picture is None:
        return None
    modes = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    pixmap = QPixmap(str(model.picture))
    return None if pixmap.isNull() else pixmap.scaled(side, side, *modes)
