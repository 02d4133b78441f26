"""The live preview: requests the picture of what is painted from the preview thread, and shows it.

`PreviewController` decides when which picture is asked for, which answers are newer than the picture on screen, how
refined latents are passed on to later requests, and what the preview pane shows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from smis_desktop.document.fidelity import LayoutFidelity, layout_fidelity
from smis_desktop.document.style import Anchor, Style
from smis_desktop.formats.project import Project
from smis_desktop.ui.panels.preview_panel import PreviewPanel
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.style_model import StyleModel
from smis_desktop.workers.film_job import FilmSettings
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

_KEPT_OF_REFINEMENT = 0.7
"""How much of a refinement the next stroke starts with. All of it would add up, stroke by stroke."""


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
        self._steps_before = 0
        self._refinement = _Refinement()
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
        controller.stroke_ended.connect(self._follow_stroke_end)
        style_model.changed.connect(self.refresh)
        self.loading.connect(panel.show_progress)

    def start(self) -> None:
        """Start the thread, which opens the first model."""
        self._thread.start()

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
    def anchor(self) -> Anchor | None:
        """The photo that the painting started from, if any."""
        return self._refinement.photo

    def set_anchor(self, anchor: Anchor | None) -> None:
        """Start from that photo from the next request on, and forget earlier refinements."""
        self._refinement.start_from(anchor)

    # Requests

    def refresh(self) -> None:
        """Request the picture of what is painted now."""
        self._next_request.stop()
        controller, style_model = self._controller, self._style_model
        if controller is None or style_model is None or controller.document is None:
            return
        self.request(controller.document.snapshot(), style_model.style, pen_is_down=controller.is_painting)

    def request(self, layout: np.ndarray, style: Style, *, pen_is_down: bool = False) -> None:
        """Request the picture of `layout`, uint8 [H, H], which must not change afterwards.

        Does nothing before `ready`. While the pen is down only a draft is made.
        """
        if self.about is None:
            return
        # Not at the top of the file: it imports torch, which takes seconds; by now the preview thread has done so.
        from smis_desktop.inference.synthesizer import PictureRequest

        request = PictureRequest(layout, style, size=self.about.full_size)
        self._request, self._steps_before = self._refinement.applied_to(request)
        self._revision += 1
        self._submit(draft_only=pen_is_down)

    def save(self, path: Path, project: Project | None = None, style: Style | None = None) -> None:
        """Write the present picture at full size to `path`: `saved` or `failed` follows.

        Does nothing before the first request. project: what a PNG carries as its recipe. style: used instead of the
        present one.
        """
        if self._request is None:
            return
        request, picture = self._request, None
        if style is not None:
            request = replace(request, style=style)
        elif self._shown is not None and self.is_up_to_date:
            picture = self._shown.result.picture
        self._saves_under_way += 1
        self._thread.save(path, request, picture, project)

    def render_in_background(self, ticket: int, style: Style, size: int = 256) -> None:
        """Render the present layout in another style when the thread is idle: `background_rendered` follows.

        Where the style leaves the structure alone, that is the structure of the picture on screen.
        """
        if self._request is not None:
            request = replace(self._request, style=style, quality="draft", size=size)
            self._thread.render_in_background(ticket, self._refinement.applied_to_variant(request))

    def drop_background_renders(self) -> None:
        """Drop the background renders that wait."""
        self._thread.drop_background_renders()

    def film(
        self, path: Path, keyframes: Sequence[tuple[np.ndarray, Style, np.ndarray | None]], settings: FilmSettings
    ) -> None:
        """Make a film to `path`: `film_progress`, `film_cancelled` or `failed` follows.

        keyframes: layout, style and, where known, latents of each picture that it goes through.
        """
        if self.about is None:
            return
        from smis_desktop.inference.synthesizer import PictureRequest

        requests = [PictureRequest(layout, style, size=settings.size, exact_ws=ws) for layout, style, ws in keyframes]
        self._saves_under_way += 1
        self._thread.film(path, requests, settings)

    def cancel_films(self) -> None:
        """Stop making films: `film_cancelled` follows for each."""
        self._thread.cancel_films()

    def _submit(self, draft_only: bool = False) -> None:
        if self._request is not None:
            self._thread.submit(
                self._session, self._revision, self._request, draft_only=draft_only, refined=self._steps_before
            )

    def _follow_replaced(self) -> None:
        self.set_anchor(None)
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
        else:
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
        self._refinement.forget()
        if self._panel is not None:
            self._panel.end_progress()
        self.ready.emit(about)
        self.refresh()

    def _take_picture(self, painted: PicturePainted) -> None:
        self._shown = painted
        if painted.refined and painted.revision == self._revision and self._request is not None:
            self._refinement.remember(self._request, painted)
        if self._panel is not None:
            self._show(painted, self._panel)
        self.painted.emit(painted)

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


@dataclass(frozen=True, eq=False)
class _Refined:
    """Latents `ws`, float32 [num_ws, D], that were refined towards a layout; structural: `Style.structural`."""

    layout: np.ndarray
    ws: np.ndarray
    steps: int
    structural: tuple[object, ...]


class _Refinement:
    """What a refined picture passes on to later requests: its latents while the layout stays, an anchor after that."""

    def __init__(self) -> None:
        self._anchor: Anchor | None = None
        self._refined: _Refined | None = None

    @property
    def photo(self) -> Anchor | None:
        """The anchor, if it is a photo and not an earlier refinement."""
        return self._anchor if self._anchor is not None and self._anchor.keeps_style else None

    def start_from(self, anchor: Anchor | None) -> None:
        self._anchor, self._refined = anchor, None

    def forget(self) -> None:
        """Forget the refined latents; the anchor stays."""
        self._refined = None

    def applied_to(self, request: PictureRequest) -> tuple[PictureRequest, int]:
        """Return the request with its starting point, and how many refinement steps that already includes."""
        known = self._refined
        if known is not None and known.structural != request.style.structural:
            self.start_from(self.photo)  # another face
            known = None
        request = replace(request, anchor=self._anchor)
        if known is not None and np.array_equal(known.layout, request.layout):
            # Only colours change: the face stays exactly as it was refined.
            return replace(request, start_ws=known.ws), known.steps
        return request, 0

    def applied_to_variant(self, request: PictureRequest) -> PictureRequest:
        """Return a copy of an earlier request in another style, with the starting point that suits that style."""
        known = self._refined
        if known is None or known.structural != request.style.structural:
            return replace(request, start_ws=None, anchor=self.photo)
        return replace(request, start_ws=known.ws) if np.array_equal(known.layout, request.layout) else request

    def remember(self, request: PictureRequest, painted: PicturePainted) -> None:
        """Let later requests start from a refined picture: after small changes they need fewer steps."""
        if request.style.moves_structure:
            return  # what the style does to the structure would be done twice
        self._refined = _Refined(request.layout, painted.result.ws, painted.refined, request.style.structural)
        if self.photo is None:
            self._anchor = Anchor(request.layout, painted.result.ws, weight=_KEPT_OF_REFINEMENT, keeps_style=False)
