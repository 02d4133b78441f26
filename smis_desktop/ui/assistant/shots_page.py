"""First step: the shots. Photos from disk, framed and inverted, or the generator's own pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from smis_desktop.document.palette import LabelKind
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import read_picture
from smis_desktop.training.shots_import import import_shots
from smis_desktop.training.workspace import ShotState, Workspace
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.assistant.import_shots_dialog import ImportShotsDialog
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, photo_filter
from smis_desktop.ui.dialogs.photo_search import GOOD_DISTANCE, POOR_DISTANCE
from smis_desktop.ui.widgets.controls import PictureList, ProgressLine
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.workers.shot_messages import ShotFound, ShotGrowing

_SIDE = 132


class ShotsPage(QWidget):
    """Emits `inversion_wanted` for a photo; `show_progress` and `show_result` show the answers."""

    inversion_wanted = Signal(str, int)
    """Name of the shot, and the number of the attempt."""
    samples_wanted = Signal()
    changed = Signal()

    def __init__(self, workspace: Workspace, dialogs: FileDialogs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self._workspace, self._dialogs = workspace, dialogs
        self._attempts: dict[str, int] = {}
        self._progress: dict[str, float] = {}
        self._reconstructions: dict[str, QPixmap] = {}
        self._pending: list[Path] = []
        self._dialog: QDialog | None = None
        lead = QLabel(
            self.tr(
                "One to five pictures are enough. Photos are searched for in the generator, a minute each, while you "
                "label; the generator's own pictures need no search."
            )
        )
        lead.setWordWrap(True)
        lead.setProperty("role", "muted")
        self.list = PictureList(self.tr("Shots"), _SIDE, (26, 52), QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setWordWrap(True)
        self.list.currentItemChanged.connect(self._show_chosen)
        self._nothing = QLabel(
            self.tr(
                "No shots yet.\n\nDrop photos here, or a folder of photos with their labels,\n"
                "or pick the generator's own pictures: the quickest way to start."
            )
        )
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setProperty("role", "muted")
        self._given, self._found = _picture(), _picture()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self._line = ProgressLine()
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(10)
        column.addWidget(lead)
        column.addLayout(self._make_buttons())
        column.addWidget(self._nothing, 1)
        column.addWidget(self.list, 1)
        column.addWidget(self._make_pair())
        column.addWidget(self._line)
        column.addWidget(self.words)
        self.fill()

    def _make_buttons(self) -> QHBoxLayout:
        self.photos_button = QPushButton(self.tr("Add photos…"))
        self.photos_button.setProperty("role", "primary")
        self.photos_button.clicked.connect(self._ask_for_photos)
        self.samples_button = QPushButton(self.tr("Pick from generated pictures…"))
        self.samples_button.clicked.connect(self.samples_wanted)
        self.import_button = QPushButton(self.tr("Import labelled shots…"))
        self.import_button.setToolTip(self.tr("A folder with images/, labels/ and optionally classes.json"))
        self.import_button.clicked.connect(self._ask_for_folder)
        self.remove_button = QPushButton(self.tr("Remove"))
        self.remove_button.clicked.connect(self._remove)
        self.again_button = QPushButton(self.tr("Search again"))
        self.again_button.setToolTip(self.tr("Searches from another start and keeps the better result"))
        self.again_button.clicked.connect(self._search_again)
        buttons = QHBoxLayout()
        for button in (self.photos_button, self.samples_button, self.import_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.again_button, self.remove_button):
            buttons.addWidget(button)
        return buttons

    def _make_pair(self) -> QWidget:
        """Makes the pair of the photo and its reconstruction."""
        self._pair = QWidget()
        pair = QHBoxLayout(self._pair)
        pair.setContentsMargins(0, 0, 0, 0)
        for name, label in ((self.tr("Photo"), self._given), (self.tr("As the generator shows it"), self._found)):
            column = QVBoxLayout()
            title = QLabel(name)
            title.setProperty("role", "muted")
            column.addWidget(title)
            column.addWidget(label)
            pair.addLayout(column)
        pair.addStretch(1)
        return self._pair

    def fill(self) -> None:
        """Shows the shots as the folder has them."""
        chosen = self._chosen_name()
        self.list.clear()
        for shot in self._workspace.shots():
            pixmap = QPixmap.fromImage(picture_to_qimage(self._workspace.picture(shot.name)))
            smooth = Qt.TransformationMode.SmoothTransformation
            item = QListWidgetItem(
                QIcon(pixmap.scaled(_SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth)), self._state(shot)
            )
            item.setData(Qt.ItemDataRole.UserRole, shot.name)
            item.setToolTip(shot.name)
            self.list.addItem(item)
            if shot.name == chosen:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self._show_chosen()

    def add_files(self, paths: list[Path]) -> None:
        """Adds photos and shots folders, each in a dialog: one to frame the photo, or to choose the shots to import.
        Anything else is reported."""
        self._pending += paths
        if self._dialog is None:
            self._ask_next()

    def add_square(self, name: str, square: np.ndarray) -> None:
        """Adds a framed photo, uint8 [S, S, 3], and asks for its inversion."""
        try:
            own = self._workspace.add_photo(name, square)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        self._progress[own] = 0.0
        self.inversion_wanted.emit(own, 0)
        self.fill()
        self._choose(own)
        self.changed.emit()

    def show_progress(self, progress: ShotGrowing) -> None:
        """Shows the progress of an inversion."""
        self._progress[progress.name] = progress.fraction
        if progress.picture is not None:
            self._reconstructions[progress.name] = QPixmap.fromImage(picture_to_qimage(progress.picture))
        if progress.name == self._chosen_name():
            self._show_chosen()

    def show_result(self, found: ShotFound) -> None:
        """Shows the result of an inversion."""
        self._progress.pop(found.name, None)
        if found.is_kept or found.name not in self._reconstructions:
            self._reconstructions[found.name] = QPixmap.fromImage(picture_to_qimage(found.picture))
        self.fill()
        self.changed.emit()

    def end_inversion(self, name: str) -> None:
        """Shows that the inversion of that photo failed."""
        self._progress.pop(name, None)
        self.fill()

    def end_inversions(self) -> None:
        """Shows that all running inversions are cancelled."""
        self._progress.clear()
        self.fill()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.add_files([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _ask_for_photos(self) -> None:
        self._dialogs.ask_to_open_several(self.tr("Add photos"), photo_filter(), self.add_files)

    def _ask_for_folder(self) -> None:
        self._dialogs.ask_for_folder(self.tr("Import labelled shots"), lambda folder: self.add_files([folder]))

    def _ask_next(self) -> None:
        self._dialog = None
        while self._pending and self._dialog is None:
            path = self._pending.pop(0)
            try:
                self._dialog = self._folder_dialog(path) if path.is_dir() else self._photo_dialog(path)
            except UserError as error:
                self._dialogs.complain(str(error))
        if self._dialog is not None:
            self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self._dialog.finished.connect(lambda _: self._ask_next())
            self._dialog.open()

    def _photo_dialog(self, path: Path) -> QDialog:
        dialog = FramingDialog(read_picture(path), path.name, self._workspace.settings.generator, self)
        dialog.framed.connect(lambda square: self.add_square(path.stem, square))
        return dialog

    def _folder_dialog(self, folder: Path) -> QDialog:
        dialog = ImportShotsDialog(folder, self)
        dialog.accepted.connect(lambda: self._import(folder, dialog.chosen, dialog.label_kind))
        return dialog

    def _import(self, folder: Path, names: tuple[str, ...], label_kind: LabelKind) -> None:
        try:
            added = import_shots(self._workspace, folder, names, label_kind)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        states = {shot.name: shot for shot in self._workspace.shots()}
        for name in added:
            if not states[name].is_located:
                self._progress[name] = 0.0
                self.inversion_wanted.emit(name, 0)
        self.fill()
        self._choose(added[0])
        self.changed.emit()

    def _remove(self) -> None:
        name = self._chosen_name()
        if name is not None:
            self._workspace.remove_shot(name)
            self._progress.pop(name, None)
            self.fill()
            self.changed.emit()

    def _search_again(self) -> None:
        name = self._chosen_name()
        if name is not None and name not in self._progress:
            self._attempts[name] = self._attempts.get(name, 0) + 1
            self._progress[name] = 0.0
            self.inversion_wanted.emit(name, self._attempts[name])
            self._show_chosen()

    def _chosen_name(self) -> str | None:
        item = self.list.currentItem()
        return None if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def _choose(self, name: str) -> None:
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == name:
                self.list.setCurrentRow(row)

    def _show_chosen(self) -> None:
        name = self._chosen_name()
        shot = next((shot for shot in self._workspace.shots() if shot.name == name), None)
        for part in (self.list, self._pair, self.words):
            part.setVisible(shot is not None)
        self._nothing.setVisible(shot is None)
        self.remove_button.setEnabled(shot is not None)
        self.again_button.setEnabled(shot is not None and shot.seed is None and name not in self._progress)
        if shot is None:
            self._line.hide()
            return
        given = QPixmap.fromImage(picture_to_qimage(self._workspace.picture(shot.name)))
        self._given.setPixmap(_fitted(given))
        if shot.seed is not None:
            self._found.setPixmap(_fitted(given))
        elif shot.name in self._reconstructions:
            self._found.setPixmap(_fitted(self._reconstructions[shot.name]))
        else:
            self._found.clear()
        self._line.setVisible(shot.name in self._progress)
        self._line.set_fraction(self._progress.get(shot.name, 0.0))
        self.words.setText(self._quality(shot))

    def _state(self, shot: ShotState) -> str:
        labelled = self.tr("labelled") if shot.is_labelled else self.tr("no labels yet")
        if shot.seed is not None:
            return self.tr("generated, {labelled}").format(labelled=labelled)
        if shot.name in self._progress:
            return self.tr("searching, {labelled}").format(labelled=labelled)
        found = self.tr("found") if shot.is_located else self.tr("not found yet")
        return self.tr("{found}, {labelled}").format(found=found, labelled=labelled)

    def _quality(self, shot: ShotState) -> str:
        if shot.seed is not None:
            return self.tr("The generator made this picture, so nothing is lost.")
        if shot.name in self._progress:
            return self.tr("Searching for the photo in the generator…")
        if shot.perceptual is None or shot.psnr is None:
            return self.tr("This photo has not been found yet; press Search again.")
        figures = self.tr("({psnr:.1f} dB, perceptual distance {distance:.2f})").format(
            psnr=shot.psnr, distance=shot.perceptual
        )
        if shot.perceptual < GOOD_DISTANCE:
            return self.tr("Found well {figures}.").format(figures=figures)
        if shot.perceptual < POOR_DISTANCE:
            return self.tr("Found {figures}. Where the two differ, labels help less.").format(figures=figures)
        return self.tr(
            "Poorly found {figures}. Search again, frame it better, or take another photo: hats, hands and profiles "
            "are hard for the generator."
        ).format(figures=figures)


def _picture() -> QLabel:
    label = QLabel()
    label.setFixedSize(168, 168)
    label.setProperty("role", "picture")
    return label


def _fitted(pixmap: QPixmap) -> QPixmap:
    return pixmap.scaled(168, 168, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
