"""The window's end of the preview: which session and revision it is at, and what of the answers is news."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from smis_desktop.document.style import Anchor, Style
from smis_desktop.formats.project import Project
from smis_desktop.workers.film import FilmSettings
from smis_desktop.workers.job_queue import OpenRenderer
from smis_desktop.workers.messages import (
    BackgroundRendered,
    DeviceChanged,
    Failed,
    FilmCancelled,
    FilmProgress,
    LoadingProgress,
    OnScreen,
    PicturePainted,
    PictureSaved,
    PreviewMessage,
    Ready,
    is_news,
)
from smis_desktop.workers.preview_thread import PreviewThread

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest

log = logging.getLogger(__name__)

_KEPT_OF_REFINEMENT = 0.7
"""How much of a refinement the next stroke begins with: all of it would add up, stroke by stroke."""


@dataclass(frozen=True, eq=False)
class _Refined:
    """Latents float32 [num_ws, D] that were brought nearer to a layout by so many steps; structural: `Style.structural`
    of the style that they wear."""

    layout: np.ndarray
    ws: np.ndarray
    steps: int
    structural: tuple[object, ...]


class LivePreview(QObject):
    """Sends layouts to the preview thread and turns its messages into signals of the window's thread."""

    loading = Signal(str, float)
    ready = Signal(Ready)
    device_changed = Signal(str)
    """Something else makes the pictures, because of too little memory."""
    painted = Signal(PicturePainted)
    """Only pictures that are news: newer than the one on screen, or better."""
    saved = Signal(Path)
    failed = Signal(Failed)
    aside_painted = Signal(BackgroundRendered)
    """A picture asked for with `render_in_background`."""
    film_progress = Signal(FilmProgress)
    film_dropped = Signal(FilmCancelled)

    _arrived = Signal(object)

    def __init__(self, open_renderer: OpenRenderer, refine_steps: int = 0, parent: QObject | None = None) -> None:
        """refine_steps: how far pictures are refined when the hand rests."""
        super().__init__(parent)
        # The thread emits this signal; the connection brings the message into the thread that this object lives in.
        self._arrived.connect(self._receive)
        self._worker = PreviewThread(open_renderer, self._arrived.emit, refine_steps=refine_steps)
        self._about: Ready | None = None
        self._session = 0
        self._revision = 0
        self._request: PictureRequest | None = None
        self._shown: OnScreen | None = None
        self._shown_picture: np.ndarray | None = None
        self._shown_ws: np.ndarray | None = None
        self._anchor: Anchor | None = None
        self._refined: _Refined | None = None
        self._begun_with = 0
        self._saves_under_way = 0

    def start(self) -> None:
        """Start the thread, and with it the opening of the model."""
        self._worker.start()

    def open(self, open_renderer: OpenRenderer) -> None:
        """Open another model: `ready` or `failed` follows."""
        self._worker.open(open_renderer)

    def close(self, timeout: float) -> bool:
        """Stop; no signal comes after this. True when the thread has ended within `timeout` seconds."""
        return self._worker.close(timeout)

    @property
    def is_ready(self) -> bool:
        """Whether a model is open."""
        return self._about is not None

    @property
    def is_up_to_date(self) -> bool:
        """Whether the full picture of the latest request has been painted."""
        shown = self._shown
        return (
            self._request is not None
            and shown is not None
            and (shown.session, shown.revision, shown.quality) == (self._session, self._revision, "full")
        )

    @property
    def is_saving(self) -> bool:
        """Whether a picture that was asked for is not on the disk yet."""
        return self._saves_under_way > 0

    def request(self, layout: np.ndarray, style: Style, *, pen_is_down: bool = False) -> None:
        """Something has changed: ask for the picture of `layout` (uint8 [H, H], not to be written to any more).

        Before `ready` nothing is asked for. While the pen is down only drafts are.
        """
        if self._about is None:
            return
        # Not at the top of the file: it brings torch along, seconds of it; by now the thread has paid for them.
        from smis_desktop.inference.synthesizer import PictureRequest

        known, self._begun_with = self._refined, 0
        if known is not None and known.structural != style.structural:
            known = None
            self._forget_refinement()  # another face
        request = PictureRequest(layout, style, size=self._about.full_size, anchor=self._anchor)
        if known is not None and np.array_equal(known.layout, layout):
            # Only colours change: the face stays exactly as it was refined.
            request, self._begun_with = replace(request, start_ws=known.ws), known.steps
        self._request = request
        self._revision += 1
        self._submit(draft_only=pen_is_down)

    @property
    def anchor(self) -> Anchor | None:
        """The photo that the painting began as, if it did."""
        return self._anchor if self._anchor is not None and self._anchor.keeps_style else None

    def set_anchor(self, anchor: Anchor | None) -> None:
        """From the next request on; what was refined before says nothing any more."""
        self._anchor, self._refined = anchor, None

    def _forget_refinement(self) -> None:
        self._refined = None
        if self._anchor is not None and not self._anchor.keeps_style:
            self._anchor = None

    def finish(self) -> None:
        """The pen is lifted: the latest request deserves its full picture."""
        self._submit()

    def _submit(self, draft_only: bool = False) -> None:
        if self._request is not None:
            self._worker.submit(
                self._session, self._revision, self._request, draft_only=draft_only, refined=self._begun_with
            )

    def save(self, path: Path, project: Project | None = None, style: Style | None = None) -> None:
        """Write the present picture, full size, to `path`: `saved` or `failed` follows.

        project: what a PNG carries as its recipe. style: another than the present one. Does nothing before the first
        request.
        """
        if self._request is None:
            return
        request, picture = self._request, self._shown_picture if self.is_up_to_date else None
        if style is not None:
            request, picture = replace(request, style=style), None
        self._saves_under_way += 1
        self._worker.save(path, request, picture, project)

    def render_in_background(self, ticket: int, style: Style, size: int = 256) -> None:
        """The present layout in another style, when nothing else is to be done: `aside_painted` brings it.

        As far as the style leaves the structure alone it is that of the picture on show.
        """
        if self._request is None:
            return
        request, known = replace(self._request, style=style, quality="draft", size=size), self._refined
        if known is None or known.structural != style.structural:
            request = replace(request, start_ws=None, anchor=self.anchor)
        elif np.array_equal(known.layout, request.layout):
            request = replace(request, start_ws=known.ws)
        self._worker.render_in_background(ticket, request)

    @property
    def layout(self) -> np.ndarray | None:
        """uint8 [H, H], read-only: of the latest request."""
        return None if self._request is None else self._request.layout

    def drop_background_renders(self) -> None:
        """Nobody waits for them any more."""
        self._worker.drop_background_renders()

    def film(
        self, path: Path, keyframes: Sequence[tuple[np.ndarray, Style, np.ndarray | None]], settings: FilmSettings
    ) -> None:
        """A film from picture to picture; keyframes: layout, style and, where known, latents. `film_progress` follows,
        or `failed`."""
        if self._about is None:
            return
        from smis_desktop.inference.synthesizer import PictureRequest

        requests = [PictureRequest(layout, style, size=settings.size, exact_ws=ws) for layout, style, ws in keyframes]
        self._saves_under_way += 1
        self._worker.film(path, requests, settings)

    def cancel_films(self) -> None:
        """No film is wanted any more: `film_dropped` follows for each."""
        self._worker.cancel_films()

    @property
    def generator_name(self) -> str | None:
        """The installed generator that makes the pictures; None before `ready`."""
        return None if self._about is None else self._about.generator_name

    @property
    def full_size(self) -> int:
        """Side of the generator's own pictures; 0 before `ready`."""
        return 0 if self._about is None else self._about.full_size

    def _go_on_from(self, painted: PicturePainted) -> None:
        """A refined picture of the latest layout is where the next stroke begins: small changes need few steps."""
        request = self._request
        if not painted.refined or request is None or painted.revision != self._revision:
            return
        begun = self._anchor
        if request.style.moves_structure:
            return  # what a style does to the structure would be done twice
        self._refined = _Refined(request.layout, painted.result.ws, painted.refined, request.style.structural)
        if begun is not None and begun.keeps_style:
            return  # a photo stays where the painting began
        self._anchor = Anchor(request.layout, painted.result.ws, weight=_KEPT_OF_REFINEMENT, keeps_style=False)

    @property
    def shown_ws(self) -> np.ndarray | None:
        """float32 [num_ws, D], the latents of the picture on screen; None unless that is of what is painted now."""
        return self._shown_ws if self.is_up_to_date else None

    @Slot(object)
    def _receive(self, message: PreviewMessage) -> None:
        match message:
            case LoadingProgress():
                self.loading.emit(message.text, message.fraction)
            case Ready():
                self._about = message
                self._session += 1
                self._request = self._refined = None
                self.ready.emit(message)
            case DeviceChanged():
                assert self._about is not None, "pictures come after what makes them"
                self._about = replace(self._about, device=message.device)
                self.device_changed.emit(message.device)
            case PicturePainted():
                if is_news(message, self._session, self._shown):
                    self._shown = OnScreen(message.session, message.revision, message.quality, message.refined)
                    self._shown_picture = message.result.picture
                    self._shown_ws = message.result.ws
                    self._go_on_from(message)
                    self.painted.emit(message)
            case PictureSaved():
                self._saves_under_way -= 1
                self.saved.emit(message.path)
            case BackgroundRendered():
                self.aside_painted.emit(message)
            case FilmProgress():
                if message.fraction == 1.0:
                    self._saves_under_way -= 1
                self.film_progress.emit(message)
            case FilmCancelled():
                self._saves_under_way -= 1
                self.film_dropped.emit(message)
            case Failed():
                if message.stage == "saving":
                    self._saves_under_way -= 1
                log.warning("%s", message.text)
                self.failed.emit(message)


OpenModel = Callable[[Path], OpenRenderer]
"""How the window opens a personal model file: given by whoever puts the program together."""
