"""The live preview: requests the picture of what is painted from the preview thread, and shows it.

`PreviewController` decides when which picture is asked for, which answers are newer than the picture on screen, and
what the preview pane shows; `Repainting` says what a picture is made from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.fidelity import LayoutFidelity, layout_fidelity
from smis_desktop.document.history import Change
from smis_desktop.document.style import Style
from smis_desktop.formats.project import Project
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.repainting import Beginning, Repainting
from smis_desktop.ui.window.style_model import StyleModel
from smis_desktop.workers.film_job import FilmSettings, Keyframe
from smis_desktop.workers.preview_jobs import (
    BackgroundRendered,
    DeviceChanged,
    Failed,
    FilmCancelled,
    FilmProgress,
    LoadingProgress,
    PicturePainted,
    PictureSaved,
    PreviewMessage,
    Ready,
    is_news,
)
from smis_desktop.workers.preview_thread import PreviewThread
from smis_desktop.workers.renderer import OpenRenderer

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest

log = logging.getLogger(__name__)


class PreviewController(QObject):
    """Owns the preview thread, and turns its messages into signals of the window's thread."""

    loading = Signal(str, float)
    """A model is being opened: what is being done, and the fraction done (negative: unknown)."""
    ready = Signal(Ready)
    """A model is open."""
    device_changed = Signal(str)
    """Another device makes the pictures from now on, because memory ran out."""
    painted = Signal(PicturePainted)
    """A picture that is newer than the one on screen, or better."""
    completed = Signal(PicturePainted)
    """The same, of full pictures alone."""
    saved = Signal(Path)
    failed = Signal(Failed)
    complaint = Signal(str)
    """A failure that the preview pane does not show: one sentence for a dialog."""
    background_rendered = Signal(BackgroundRendered)
    film_progress = Signal(FilmProgress)
    film_cancelled = Signal(FilmCancelled)
    picture_available = Signal(bool)
    """True with the first picture."""
    detail_changed = Signal(str)
    """The picture on screen in two words: its size, or that it is a draft."""
    latency_changed = Signal(str)
    """The time from the last change to its draft, in words."""
    fidelity_measured = Signal(LayoutFidelity)
    """How well the full picture follows the layout."""

    _arrived = Signal(object)

    def __init__(self, open_renderer: OpenRenderer, refine_steps: int = 0, parent: QObject | None = None) -> None:
        """Prepare the thread, which opens the first model; `start` starts it.

        refine_steps: how many steps a picture is refined by while nothing new is painted.
        """
        super().__init__(parent)
        # The preview thread emits this signal; the connection brings the message to the thread of this object.
        self._arrived.connect(self._receive)
        self._thread = PreviewThread(open_renderer, self._arrived.emit, refine_steps=refine_steps)
        self._controller: DocumentController | None = None
        self._style_model: StyleModel | None = None
        self._panel: PreviewPanel | None = None
        self._next_request = QTimer(self)
        self._next_request.setSingleShot(True)
        self._next_request.timeout.connect(self.refresh)
        self.about: Ready | None = None
        """Name, classes, device and generator of the open model; None before `ready`."""
        self._session = self._revision = 0
        self._request: PictureRequest | None = None
        self._state: tuple[int, object, Style] | None = None
        """Revision, mark and style of the last request that was of a state of the document, and not of a stroke under
        way."""
        self._steps_before = 0
        self.repainting = Repainting(refine_steps)
        """What the next picture is made from."""
        self._keeps_next_model = False
        self._shown: PicturePainted | None = None
        self.image: QImage | None = None
        """The picture on screen; None before the first."""
        self._saves_under_way = 0

    def follow(self, controller: DocumentController, style_model: StyleModel, panel: PreviewPanel) -> None:
        """Keep `panel` showing the picture of the document in the chosen style. Call once."""
        self._controller, self._style_model, self._panel = controller, style_model, panel
        controller.replaced.connect(self._follow_replaced)
        controller.painted.connect(self._follow_painted)
        controller.palette_changed.connect(self.refresh)
        controller.picture_changed.connect(self.refresh)
        controller.stroke_ended.connect(self._follow_stroke_end)
        style_model.changed.connect(self.refresh)
        self.loading.connect(panel.show_progress)

    def open(self, open_renderer: OpenRenderer) -> None:
        """Open another model: `ready` or `failed` follows."""
        self._thread.open(open_renderer)

    def close(self, timeout: float) -> bool:
        """Stop the thread; no signal is emitted after this. Returns whether it ended within `timeout` seconds."""
        return self._thread.close(timeout)

    # State

    @property
    def is_ready(self) -> bool:
        """Whether a model is open."""
        return self.about is not None

    @property
    def is_up_to_date(self) -> bool:
        """Whether the full picture of the latest request is on screen."""
        latest, shown = (self._session, self._revision, "full"), self._shown
        return (
            self._request is not None and shown is not None and latest == (shown.session, shown.revision, shown.quality)
        )

    @property
    def is_saving(self) -> bool:
        """Whether a requested picture or film is not on the disk yet."""
        return self._saves_under_way > 0

    @property
    def shown_ws(self) -> np.ndarray | None:
        """Latents of the picture on screen, float32 [num_ws, D]; None if it does not show the present layout and
        style."""
        return self._shown.result.ws if self._shown is not None and self.is_up_to_date else None

    @property
    def layout(self) -> np.ndarray | None:
        """Layout of the latest request, uint8 [H, H], read-only."""
        return None if self._request is None else self._request.layout

    @property
    def beginning(self) -> Beginning:
        """What the present picture can be begun with again."""
        return replace(self.repainting.beginning, generator=self.generator_name)

    @property
    def generator_name(self) -> str | None:
        """The name of the open model's generator; None before there is one."""
        return None if self.about is None else self.about.generator_name

    def start(self) -> None:
        """Start the thread, which opens the first model."""
        self._thread.start()

    def begin(self, beginning: Beginning, expects_model: bool = False) -> None:
        """Begin the present document's picture with that from the next request on, and forget those before.

        expects_model: another model is about to be opened, and the picture is that model's.
        """
        if self._controller is not None and self._controller.editor is not None:
            self.repainting.start(self._controller.editor.mark, beginning)
        self._keeps_next_model = expects_model or self.about is None

    # Requests

    def refresh(self) -> None:
        """Request the picture of what is painted now."""
        self._next_request.stop()
        controller, style_model = self._controller, self._style_model
        if controller is None or style_model is None or controller.document is None:
            return
        mark = None if controller.is_painting else self._mark
        self.request(controller.document.snapshot(), style_model.style, mark)

    def request(self, layout: np.ndarray, style: Style, mark: object | None) -> None:
        """Request the picture of `layout`, uint8 [H, H], which must not change afterwards.

        Does nothing before `ready`. mark: of the document's state; None while the pen is down: then only a draft is
        made.
        """
        if self.about is None:
            return
        # Not at the top of the file: it imports torch, which takes seconds; by now the preview thread has done so.
        from smis_desktop.inference.synthesizer import PictureRequest

        basis = self.repainting.basis(mark, layout, style)
        self._request = PictureRequest(
            layout, style, self.about.full_size, repaint=basis.repaint, anchor=basis.anchor,
            composition=basis.composition, lock=basis.lock,
        )  # fmt: skip
        self._steps_before = basis.refined
        self._revision += 1
        if mark is not None:
            self._state = self._revision, mark, style
        self._submit(draft_only=mark is None)

    def change_picture(self, name: str, change: Callable[[object], object]) -> None:
        """Make a step of the document's history after which the layout has another picture.

        Does nothing before the first request or during a stroke. change: takes the mark of the new state.
        """
        if self._controller is not None and self._request is not None:

            def make(editor: DocumentEditor) -> Change:
                made = editor.change_picture(name)
                change(editor.mark)
                return made

            self._controller.do(make)

    def save(self, path: Path, project: Project | None = None, style: Style | None = None) -> None:
        """Write the present picture at full size to `path`: `saved` or `failed` follows.

        Does nothing before the first request. project: what a PNG carries as its recipe. style: used instead of the
        present one.
        """
        if self._request is None:
            return
        request, picture = self._request, None
        if style is not None:
            request = self._in_style(request, style)
        elif self._shown is not None and self.is_up_to_date:
            picture = self._shown.result.picture
        self._saves_under_way += 1
        self._thread.save(path, request, picture, project)

    def render_in_background(self, ticket: int, style: Style, size: int = 256) -> None:
        """Render the present picture in another style when the thread is idle: `background_rendered` follows."""
        if self._request is not None:
            request = self._in_style(self._request, style)
            self._thread.render_in_background(ticket, replace(request, quality="draft", size=size))

    def drop_background_renders(self) -> None:
        """Drop the background renders that wait."""
        self._thread.drop_background_renders()

    def film(self, path: Path, keyframes: Sequence[Keyframe], settings: FilmSettings) -> None:
        """Make a film to `path`, of the pictures that it goes through: `film_progress`, `film_cancelled` or `failed`
        follows."""
        if self.about is None:
            return
        from smis_desktop.inference.synthesizer import PictureRequest

        requests = [
            PictureRequest(frame.layout, frame.style, settings.size, composition=frame.composition)
            for frame in keyframes
        ]
        self._saves_under_way += 1
        self._thread.film(path, requests, settings)

    def cancel_films(self) -> None:
        """Stop making films: `film_cancelled` follows for each."""
        self._thread.cancel_films()

    def _in_style(self, request: PictureRequest, style: Style) -> PictureRequest:
        basis = self.repainting.in_style(style)
        return replace(request, style=style, repaint=basis.repaint, anchor=basis.anchor, composition=basis.composition)

    def _submit(self, draft_only: bool = False) -> None:
        if self._request is not None:
            self._thread.submit(
                self._session, self._revision, self._request, draft_only=draft_only, refined=self._steps_before
            )

    @property
    def _mark(self) -> object:
        """The mark of the document's state."""
        editor = None if self._controller is None else self._controller.editor
        assert editor is not None, "pictures are of a document"
        return editor.mark

    def _follow_replaced(self) -> None:
        self.begin(Beginning())
        self.refresh()

    def _follow_painted(self) -> None:
        if self._controller is not None and self._controller.is_painting:
            # A fast mouse moves more often than a layout can be copied: one request for all moves that have come.
            self._next_request.start()
        else:
            self.refresh()

    def _follow_stroke_end(self) -> None:
        if self._next_request.isActive():
            self.refresh()
        elif self._request is not None and self._style_model is not None:
            style = self._style_model.style
            self._state = self._revision, self._mark, style
            self.repainting.end_stroke(self._mark, self._request.layout, style)
            self._submit()  # the same revision again, now with its full picture

    # Answers

    @Slot(object)
    def _receive(self, message: PreviewMessage) -> None:
        match message:
            case LoadingProgress():
                self.loading.emit(message.text, message.fraction)
            case Ready():
                self._take_model(message)
            case DeviceChanged():
                assert self.about is not None, "pictures come after what makes them"
                self.about = replace(self.about, device=message.device)
                self.device_changed.emit(message.device)
            case PicturePainted():
                if is_news(message, self._session, self._shown):
                    self._take_picture(message)
            case PictureSaved():
                self._saves_under_way -= 1
                self.saved.emit(message.path)
            case BackgroundRendered():
                self.background_rendered.emit(message)
            case FilmProgress():
                if message.fraction == 1.0:
                    self._saves_under_way -= 1
                self.film_progress.emit(message)
            case FilmCancelled():
                self._saves_under_way -= 1
                self.film_cancelled.emit(message)
            case Failed():
                self._take_failure(message)

    def _take_model(self, about: Ready) -> None:
        self.about = about
        self._session += 1
        self._request = None
        kept = self.repainting.beginning if self._keeps_next_model else Beginning(self.repainting.photo)
        self.begin(kept.of_generator(about.generator_name))
        self._keeps_next_model = False
        if self._panel is not None:
            self._panel.end_progress()
        self.ready.emit(about)
        self.refresh()

    def _take_picture(self, painted: PicturePainted) -> None:
        self._shown = painted
        if painted.quality == "full" and self._state is not None and painted.revision == self._state[0]:
            # Also while the next stroke is under way: it is put into the picture on screen.
            _, mark, style = self._state
            self.repainting.remember(mark, painted.result.composition, painted.refined, style)
        if self._panel is not None:
            self._show(painted, self._panel)
        self.painted.emit(painted)
        if painted.quality == "full":
            self.completed.emit(painted)

    def _show(self, painted: PicturePainted, panel: PreviewPanel) -> None:
        is_first = self.image is None
        self.image = picture_to_qimage(painted.result.picture)
        panel.show_picture(self.image)
        if is_first:
            self.picture_available.emit(True)
        if painted.quality == "draft":
            self.detail_changed.emit(self.tr("draft"))
            self.latency_changed.emit(self.tr("Preview {ms} ms").format(ms=round(1000 * painted.latency)))
            return
        size = painted.result.picture.shape[0]
        words = self.tr("{width} × {height}, refined") if painted.refined else self.tr("{width} × {height}")
        self.detail_changed.emit(words.format(width=size, height=size))
        document, seen = self._controller.document if self._controller else None, painted.result.predicted_labels
        if document is not None and seen is not None:
            self.fidelity_measured.emit(layout_fidelity(document.snapshot(), seen, document.palette))

    def _take_failure(self, failure: Failed) -> None:
        if failure.stage == "saving":
            self._saves_under_way -= 1
        log.warning("%s", failure.text)
        if self._panel is not None:
            if failure.stage == "painting" or (failure.stage == "opening" and not self.is_ready):
                self._panel.show_failure(failure.text, can_retry=failure.stage == "opening")
            else:
                self._panel.end_progress()
                self.complaint.emit(failure.text)
        self.failed.emit(failure)
