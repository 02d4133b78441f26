"""The style's corner of the window: one chosen style, its bar, its panel, the wall, looks of photos, films."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from smis_desktop.document.document import Document
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.film import FILM_SUFFIXES
from smis_desktop.formats.image_file import read_picture
from smis_desktop.formats.project import KeptPicture
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.dialogs.film_dialog import FilmDialog, FilmProgressDialog
from smis_desktop.ui.dialogs.photo_search import PhotoInversionDialog
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.panels.style_bar import StyleBar
from smis_desktop.ui.panels.style_panel import StylePanel, TakeLook
from smis_desktop.ui.panels.variations_wall import VariationsWall
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.style_model import MAX_SEED, StyleModel
from smis_desktop.workers.messages import BackgroundRendered, Failed, FilmCancelled, FilmProgress, PicturePainted
from smis_desktop.workers.photo_inversion import photo_inversion


class StyleController(QObject):
    """Also the `LookSources` of the menus."""

    told = Signal(str)

    def __init__(
        self,
        controller: DocumentController,
        preview: PreviewController,
        history: PreviewHistory,
        dialogs: FileDialogs,
        seeds: random.Random,
        window: QWidget,
    ) -> None:
        """seeds: where new styles are drawn from."""
        super().__init__(window)
        self._controller, self._preview, self._history, self._dialogs = controller, preview, history, dialogs
        self._seeds, self._window = seeds, window
        self.chosen = StyleModel(seeds, self)
        self.chosen.refused.connect(self.told)
        self.bar = StyleBar(self.chosen)
        self.panel = StylePanel(self.chosen, controller, self)
        self.wall: VariationsWall | None = None
        self.bar.variations_wanted.connect(self.show_wall)
        preview.background_rendered.connect(self._hang)
        self.film_progress: FilmProgressDialog | None = None
        preview.film_progress.connect(self._tell_film)
        preview.film_cancelled.connect(self._tell_dropped)
        preview.failed.connect(self._tell_failure)
        preview.painted.connect(self._keep_wall_up_to_date)
        self._on_wall: tuple[np.ndarray | None, Style] = (None, self._on_wall_in(self.chosen.style.look))

    # What looks can be taken from

    def kept_pictures(self) -> tuple[KeptPicture, ...]:
        return self._history.kept

    def pinned_looks(self) -> tuple[Look, ...]:
        return self.chosen.pins

    def another_seed(self) -> Look:
        return Look(self._seeds.randrange(MAX_SEED))

    def take_from_photo(self, take: TakeLook) -> None:
        words = self.tr("Photos (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff)")
        self._dialogs.ask_to_open(self.tr("Look of a photo"), words, lambda path: self.look_of_photo(path, take))

    def look_of_photo(self, path: Path, take: TakeLook) -> None:
        """Find the look of that photo; `take` hears of it in a minute."""
        if self._preview.about is None:
            return
        name = self._preview.about.generator_name
        try:
            photo = read_picture(path)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        words = self.tr("About a minute. Colours, light and texture are taken from it; the layout stays yours.")

        def search(square: np.ndarray) -> None:
            dialog = PhotoInversionDialog(square, lambda tell: photo_inversion(square, name, tell), words, self._window)
            dialog.found.connect(lambda found: take(Look.of_latents(found.ws, path.name)))
            dialog.failed.connect(self._dialogs.complain)
            dialog.show()
            dialog.start()

        framing = FramingDialog(photo, path.name, name, self._window)
        framing.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        framing.framed.connect(search)
        framing.open()

    # The wall

    def show_wall(self) -> None:
        """Many looks of the present layout."""
        if self.wall is None:
            self.wall = VariationsWall(self._seeds, self._window)
            self.wall.wanted.connect(self._paint_for_wall)
            self.wall.others_wanted.connect(self._throw_wall)
            self.wall.taken.connect(lambda look: self.chosen.take(self._on_wall_in(look)))
            self.wall.pinned.connect(self.chosen.pin)
            self.wall.finished.connect(self._preview.drop_background_renders)
        self.wall.show()
        self.wall.raise_()
        self._throw_wall()

    def _paint_for_wall(self, number: int, look: Look) -> None:
        self._preview.render_in_background(number, self._on_wall_in(look))

    def _on_wall_in(self, look: Look) -> Style:
        """What a place on the wall shows, and what a click on it takes."""
        style = self.chosen.style
        return replace(style, look=look, mix=style.mix or 1.0)  # a wall of one and the same picture helps nobody

    def _hang(self, painted: BackgroundRendered) -> None:
        if self.wall is not None:
            self.wall.show_picture(painted.ticket, picture_to_qimage(painted.result.picture))

    def _keep_wall_up_to_date(self, painted: PicturePainted) -> None:
        """Another layout or other strengths in front: the same looks on the wall, as they are then."""
        if self.wall is None or not self.wall.isVisible() or painted.quality == "draft":
            return
        layout, style = self._on_wall
        now, painted_layout = self._on_wall_in(style.look), self._preview.layout
        if now != style or layout is None or painted_layout is None or not np.array_equal(layout, painted_layout):
            self._remember_wall()
            self.wall.paint_again()

    def _throw_wall(self) -> None:
        if self.wall is not None:
            self._remember_wall()
            self.wall.throw()

    def _remember_wall(self) -> None:
        self._preview.drop_background_renders()
        self._on_wall = self._preview.layout, self._on_wall_in(self.chosen.style.look)

    # Films

    def ask_for_film(self) -> None:
        """Of which kept pictures, and where to."""
        kept, about = self._history.kept, self._preview.about
        if len(kept) < 2:
            self.told.emit(self.tr("Keep two pictures first (K): the film goes from one to the next."))
            return
        dialog = FilmDialog(kept, 0 if about is None else about.full_size, self._window)

        def take() -> None:
            chosen, settings = dialog.chosen, dialog.settings

            def write(path: Path) -> None:
                self._show_film_progress(path)
                self._preview.film(
                    path,
                    [(Document.from_state(k.document).snapshot(), k.style.style, k.style.ws) for k in chosen],
                    settings,
                )

            words = self.tr("Films (*.mp4 *.webp *.gif)")
            self._dialogs.ask_to_save(self.tr("Save film"), "film" + FILM_SUFFIXES[0], words, write)

        dialog.accepted.connect(take)
        dialog.open()

    def _show_film_progress(self, path: Path) -> None:
        self._end_film_progress()
        self.film_progress = FilmProgressDialog(path, self._window)
        self.film_progress.cancelled.connect(self._preview.cancel_films)
        self.film_progress.finished.connect(self._forget_film_progress)
        self.film_progress.show()

    def _end_film_progress(self) -> None:
        if self.film_progress is not None:
            self.film_progress.close()

    def _forget_film_progress(self) -> None:
        self.film_progress = None

    def _tell_film(self, progress: FilmProgress) -> None:
        if progress.fraction == 1.0:
            self._end_film_progress()
            self.told.emit(self.tr("Saved {path}").format(path=progress.path))
        elif self.film_progress is not None:
            self.film_progress.show_fraction(progress.fraction)

    def _tell_dropped(self, dropped: FilmCancelled) -> None:
        self.told.emit(self.tr("{name} was not made").format(name=dropped.path.name))

    def _tell_failure(self, failure: Failed) -> None:
        if failure.stage == "saving":
            self._end_film_progress()
