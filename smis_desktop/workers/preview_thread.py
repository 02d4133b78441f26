"""The live preview: a background thread that always paints the newest request it has been given.

Requests go through a one-slot mailbox, newest wins. Each is answered twice: at once with a quick draft, and, when
nothing newer waits, with the generator's own full-size picture. The thread knows no window: it tells everything it
has to tell through one callable, in messages that are frozen values.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project
from smis_desktop.formats.recipe_png import write_recipe_png
from smis_desktop.workers.film import Filming, FilmSettings
from smis_desktop.workers.job_queue import (
    BackgroundRender,
    CancelFilm,
    Job,
    JobQueue,
    OpenJob,
    OpenRenderer,
    PaintJob,
    RefineJob,
    Renderer,
    SaveJob,
    Submission,
)
from smis_desktop.workers.messages import (
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
    Stage,
)
from smis_desktop.workers.picture_file import write_picture

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult

log = logging.getLogger(__name__)

DRAFT_SIZE = 256
"""Side in pixels of the quick picture."""

STEPS_AT_REST = 24
"""Refinement steps when the hand rests, a second on two cores. Half as many leave a quarter of the gain; with more,
pictures look less and less like real ones (docs/measurements.md, "Begun where the labels lie")."""

_STEPS_AT_ONCE = 6
"""Refinement steps between two looks whether the hand still rests: a third of a second on two cores."""


class _Closed(Exception):
    """Thrown through a loading renderer when nobody waits for it any more."""


class PreviewThread:
    """Owns the preview thread. Every method returns at once and may be called from any thread.

    open_renderer: opens the first renderer, in the thread, as soon as `start` is called.
    deliver: receives every message, in the thread; must return quickly. Never called again once `close` has been.
    refine_steps: when the hand rests, the picture is refined by so many gradient steps, a few at a time, and shown
        again; whatever is asked for meanwhile goes first.
    settle_seconds: how long the newest request must have stood before its full-size picture is begun, so that a hand
        that is still painting is not kept waiting by it.
    """

    def __init__(
        self,
        open_renderer: OpenRenderer,
        deliver: Callable[[PreviewMessage], None],
        *,
        refine_steps: int = 0,
        settle_seconds: float = 0.15,
    ) -> None:
        self._deliver = deliver
        self._refine_steps = refine_steps
        self._agenda = JobQueue(OpenJob(open_renderer), settle_seconds)
        self._delivery = threading.Lock()
        self._renderer: Renderer | None = None
        self._device = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Start the thread. Call once."""
        self._thread.start()

    def open(self, open_renderer: OpenRenderer) -> None:
        """Open another renderer. It replaces the present one with a `Ready`, or changes nothing with a `Failed`."""
        self._agenda.add(OpenJob(open_renderer))

    def submit(
        self, session: int, revision: int, request: PictureRequest, *, draft_only: bool = False, refined: int = 0
    ) -> None:
        """Ask for the picture of `request`, instead of any request that still waits.

        session, revision: come back with the picture; revisions grow. `request.size` is the full size; the draft is
        always `DRAFT_SIZE`. draft_only: the pen is still down, a full-size picture would be in its way. Submitting the
        same revision again without it brings the full picture alone. refined: steps of refinement that are in
        `request.start_ws` already: only the rest of them is taken.
        """
        self._agenda.add(Submission(session, revision, request, draft_only, time.monotonic(), refined))

    def save(
        self, path: Path, request: PictureRequest, picture: np.ndarray | None = None, project: Project | None = None
    ) -> None:
        """Write the full-size picture of `request` to `path`, whatever is painted meanwhile; then `PictureSaved`.

        picture: uint8 [size, size, 3], when it is known already; else it is made first. project: the recipe that a PNG
        is to carry.
        """
        self._agenda.add(SaveJob(path, request, picture, project))

    def render_in_background(self, ticket: int, request: PictureRequest) -> None:
        """A picture for elsewhere, whenever nothing is waited for in front: `BackgroundRendered` brings it."""
        self._agenda.add(BackgroundRender(ticket, request))

    def drop_background_renders(self) -> None:
        """Nobody waits for pictures asked for with `render_in_background` any more."""
        self._agenda.drop_background_renders()

    def film(self, path: Path, keyframes: Sequence[PictureRequest], settings: FilmSettings) -> None:
        """Write a film from picture to picture, a frame at a time between everything else: `FilmProgress` follows."""
        self._agenda.add(Filming(path, tuple(keyframes), settings))

    def cancel_films(self) -> None:
        """Make no film any further; nothing is written, and `FilmCancelled` tells so."""
        self._agenda.drop_films()

    def close(self, timeout: float) -> bool:
        """Stop after the call that is being computed; no message comes after this. True when the thread has ended.

        timeout: seconds to wait for that; 0 waits not at all.
        """
        self._agenda.close()
        with self._delivery:  # a delivery that has begun may end; a later one sees `_closing`
            self._closing = True
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._agenda.next()) is not None:
            stage, work = self._work(job)
            self._attempt(stage, work)
        for film in self._agenda.unfinished_films():
            film.give_up()

    def _work(self, job: Job) -> tuple[Stage, Callable[[], None]]:
        match job:
            case OpenJob():
                return "opening", partial(self._open, job)
            case PaintJob():
                return "painting", partial(self._paint, job)
            case RefineJob():
                return "painting", partial(self._refine, job)
            case BackgroundRender():
                return "painting", partial(self._render_in_background, job)
            case Filming():
                return "saving", partial(self._go_on_filming, job)
            case CancelFilm():
                return "saving", partial(self._drop_film, job.film)
            case SaveJob():
                return "saving", partial(self._save, job)

    def _attempt(self, stage: Stage, work: Callable[[], None]) -> None:
        """Run `work`; whatever happens in it, the thread lives on and the window is told."""
        try:
            work()
        except _Closed:
            log.debug("closed while %s", stage)
        except UserError as error:
            self._tell(Failed(str(error), is_bug=False, stage=stage))
        except Exception as error:
            log.exception("the preview failed while %s", stage)
            self._tell(Failed(f"{_BUG_TEXTS[stage]} ({type(error).__name__}: {error}).", is_bug=True, stage=stage))

    def _open(self, job: OpenJob) -> None:
        def report(text: str, fraction: float) -> None:
            if self._agenda.is_opening_idle():
                raise _Closed
            self._tell(LoadingProgress(text, fraction))

        renderer = job.open_renderer(report)
        self._renderer, self._device = renderer, renderer.device
        self._agenda.renderer_is_open()
        self._tell(Ready(renderer.name, renderer.palette, renderer.device, renderer.full_size, renderer.generator_name))

    def _paint(self, job: PaintJob) -> None:
        submission = job.submission
        size = DRAFT_SIZE if job.quality == "draft" else submission.request.size
        result = self._render(replace(submission.request, quality=job.quality, size=size))
        latency = time.monotonic() - submission.since
        log.info("revision %d %s in %.2f s", submission.revision, job.quality, result.seconds)
        done = submission.refined if job.quality == "full" else 0
        self._tell(PicturePainted(submission.session, submission.revision, job.quality, result, latency, done))
        left = self._refine_steps - submission.refined
        if job.quality == "full" and left > 0:
            self._agenda.rest(RefineJob(submission, result.ws, left))

    def _refine(self, job: RefineJob) -> None:
        submission = job.submission
        steps = min(job.steps_left, _STEPS_AT_ONCE)
        request = replace(submission.request, start_ws=job.ws)
        result = self._render(replace(request, refine_steps=steps, quality="full"))
        if np.array_equal(result.ws, job.ws):
            return  # nothing better was found: the picture on show stays as it is
        latency = time.monotonic() - submission.since
        left = job.steps_left - steps
        done = self._refine_steps - left
        self._tell(PicturePainted(submission.session, submission.revision, "full", result, latency, refined=done))
        if left:
            self._agenda.rest(RefineJob(submission, result.ws, left))

    def _render_in_background(self, job: BackgroundRender) -> None:
        self._tell(BackgroundRendered(job.ticket, self._render(job.request)))

    def _go_on_filming(self, film: Filming) -> None:
        try:
            fraction = film.go_on(self._render)
        except BaseException:
            self._agenda.end_film(film)
            raise
        if fraction == 1.0:
            self._agenda.end_film(film)
        self._tell(FilmProgress(film.path, fraction))

    def _drop_film(self, film: Filming) -> None:
        film.give_up()
        self._tell(FilmCancelled(film.path))

    def _save(self, job: SaveJob) -> None:
        picture = job.picture
        if picture is None:
            picture = self._render(replace(job.request, quality="full")).picture
        if job.project is not None and job.path.suffix.lower() == ".png":
            write_recipe_png(job.path, picture, job.project)
        else:
            write_picture(job.path, picture)
        self._tell(PictureSaved(job.path))

    def _render(self, request: PictureRequest) -> PictureResult:
        assert self._renderer is not None, "jobs that need a renderer wait for one"
        try:
            result = self._renderer.render(request)
        except BaseException:
            self._agenda.give_up_front()
            raise
        if self._renderer.device != self._device:
            self._device = self._renderer.device
            self._tell(DeviceChanged(self._device))
        return result

    def _tell(self, message: PreviewMessage) -> None:
        with self._delivery:
            if not self._closing:
                self._deliver(message)


_BUG_TEXTS: dict[Stage, str] = {
    "opening": "The model could not be opened because of a fault in this program",
    "painting": "The picture could not be made because of a fault in this program",
    "saving": "The picture could not be saved because of a fault in this program",
}
