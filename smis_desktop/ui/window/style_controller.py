"""The style in the window: its model, bar and panel, the variations, looks of photos, and films."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from smis_desktop.document.composition import Composition
from smis_desktop.document.document import Document
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.film import FILM_SUFFIXES
from smis_desktop.formats.image_file import read_picture
from smis_desktop.formats.project import KeptPicture
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs, kind_filter, photo_filter
from smis_desktop.ui.dialogs.film_dialog import FilmDialog, FilmProgressDialog
from smis_desktop.ui.dialogs.photo_search import PhotoInversionDialog
from smis_desktop.ui.panels.preview_history import PreviewHistory
from smis_desktop.ui.panels.style_bar import StyleBar
from smis_desktop.ui.panels.style_panel import StylePanel, TakeLook
from smis_desktop.ui.panels.variations_wall import VariationsWall
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.ui.window.style_model import MAX_DRAWN_SEED, StyleModel
from smis_desktop.workers.film_job import Keyframe
from smis_desktop.workers.photo_inversion import photo_inversion
from smis_desktop.workers.preview_jobs import BackgroundRendered, Failed, FilmCancelled, FilmProgress, PicturePainted


class StyleController(QObject):
    """Builds the views of the style, and is the `LookSources` of their menus."""

    message = Signal(str)
    """A short message for the status bar."""

    def __init__(
        self,
        controller: DocumentController,
        preview: PreviewController,
        history: PreviewHistory,
        dialogs: FileDialogs,
        seeds: random.Random,
        window: QWidget,
    ) -> None:
        """seeds: where random looks are drawn from."""
        super().__init__(window)
        self._controller, self._preview, self._history, self._dialogs = controller, preview, history, dialogs
        self._seeds, self._window = seeds, window
        self.style_model = StyleModel(seeds, self)
        self.style_model.refused.connect(self.message)
        self.bar = StyleBar(self.style_model)
        self.panel = StylePanel(self.style_model, controller, self)
        self.variations: VariationsWall | None = None
        self._follows_preview = False
        self.bar.variations_wanted.connect(self.show_variations)
        preview.background_rendered.connect(self._show_variation)
        self.film_progress: FilmProgressDialog | None = None
        preview.film_progress.connect(self._take_film_progress)
        preview.film_cancelled.connect(self._take_cancelled_film)
        preview.failed.connect(self._take_failure)
        self._varied: tuple[np.ndarray | None, Style] = (None, Style())
        """Layout and style of the pictures that the variations show, with the present look."""

    # Where looks can be taken from

    def kept_pictures(self) -> tuple[KeptPicture, ...]:
        return self._history.kept

    def pinned_looks(self) -> tuple[Look, ...]:
        return self.style_model.pins

    def random_look(self) -> Look:
        return Look(self._seeds.randrange(MAX_DRAWN_SEED))

    def take_from_photo(self, take: TakeLook) -> None:
        self._dialogs.ask_to_open(
            self.tr("Look of a photo"), photo_filter(), lambda path: self.look_of_photo(path, take)
        )

    def look_of_photo(self, path: Path, take: TakeLook) -> None:
        """Find the look of a photo; `take` receives it about a minute later."""
        if self._preview.about is None:
            return
        name = self._preview.about.generator_name
        try:
            photo = read_picture(path)
        except UserError as error:
            self._dialogs.complain(str(error))
            return
        words = self.tr("This takes about a minute. Only colours, light and texture come from the photo.")

        def search(square: np.ndarray) -> None:
            dialog = PhotoInversionDialog(
                square, lambda deliver: photo_inversion(square, name, deliver), words, self._window
            )
            dialog.found.connect(lambda found: take(Look.of_latents(found.ws, path.name)))
            dialog.failed.connect(self._dialogs.complain)
            dialog.show()
            dialog.start()

        framing = FramingDialog(photo, path.name, name, self._window)
        framing.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        framing.framed.connect(search)
        framing.open()

    # Variations

    def show_variations(self) -> None:
        """Show the present layout in many random looks."""
        if self.variations is None:
            self.variations = VariationsWall(self._seeds, self._window)
            self.variations.wanted.connect(self._render_variation)
            self.variations.others_wanted.connect(self._draw_variations)
            self.variations.taken.connect(lambda look: self.style_model.choose(self._varied_style(look)))
            self.variations.pinned.connect(self.style_model.pin)
            self.variations.finished.connect(self._stop_variations)
        if not self._follows_preview:
            self._preview.painted.connect(self._update_variations)
            self._follows_preview = True
        self.variations.show()
        self.variations.raise_()
        self._draw_variations()

    def _stop_variations(self) -> None:
        self._preview.painted.disconnect(self._update_variations)
        self._follows_preview = False
        self._preview.drop_background_renders()

    def _render_variation(self, number: int, look: Look) -> None:
        self._preview.render_in_background(number, self._varied_style(look))

    def _varied_style(self, look: Look) -> Style:
        """Return the style of one variation: its picture shows it, and a click takes it."""
        style = self.style_model.style
        return replace(style, look=look, mix=style.mix or 1.0)  # with nothing mixed in, all would be the same picture

    def _show_variation(self, rendered: BackgroundRendered) -> None:
        if self.variations is not None:
            self.variations.show_picture(rendered.ticket, picture_to_qimage(rendered.result.picture))

    def _update_variations(self, painted: PicturePainted) -> None:
        """Render the same looks again when layout or strengths have changed."""
        if self.variations is None or painted.quality == "draft":
            return
        layout, style = self._varied
        now, painted_layout = self._varied_style(style.look), self._preview.layout
        if now != style or layout is None or painted_layout is None or not np.array_equal(layout, painted_layout):
            self._begin_variations()
            self.variations.render_again()

    def _draw_variations(self) -> None:
        if self.variations is not None:
            self._begin_variations()
            self.variations.draw_looks()

    def _begin_variations(self) -> None:
        self._preview.drop_background_renders()
        self._varied = self._preview.layout, self._varied_style(self.style_model.style.look)

    # Films

    def ask_for_film(self) -> None:
        """Ask which kept pictures to make a film of, and where to save it."""
        kept, about = self._history.kept, self._preview.about
        if len(kept) < 2:
            self.message.emit(self.tr("Keep two pictures first (K): the film goes from one to the next."))
            return
        dialog = FilmDialog(kept, 0 if about is None else about.full_size, self._window)

        def take() -> None:
            chosen, settings = dialog.chosen, dialog.settings

            def write(path: Path) -> None:
                self._show_film_progress(path)
                self._preview.film(path, [_keyframe(kept) for kept in chosen], settings)

            filters = kind_filter(self.tr("Films"), "film")
            self._dialogs.ask_to_save(self.tr("Save film"), "film" + FILM_SUFFIXES[0], filters, write)

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

    def _take_film_progress(self, progress: FilmProgress) -> None:
        if progress.fraction == 1.0:
            self._end_film_progress()
            self.message.emit(self.tr("Saved {path}").format(path=progress.path))
        elif self.film_progress is not None:
            self.film_progress.show_fraction(progress.fraction)

    def _take_cancelled_film(self, cancelled: FilmCancelled) -> None:
        self.message.emit(self.tr("{name} was cancelled").format(name=cancelled.path.name))

    def _take_failure(self, failure: Failed) -> None:
        if failure.stage == "saving":
            self._end_film_progress()


def _keyframe(kept: KeptPicture) -> Keyframe:
    layout, stored = Document.from_state(kept.document).snapshot(), kept.style
    if stored.composition is None and stored.ws is not None:  # kept by an earlier version, with its style in it
        return Keyframe(layout, stored.style.without_mixing(), Composition(stored.ws, takes_variety=False))
    return Keyframe(layout, stored.style, stored.composition)
