"""The preview thread: renders the newest request it has been given, and answers with messages.

Of requests that wait only the newest is kept. Each is answered twice: with a quick draft at once, and, when nothing
newer waits, with the generator's own full-size picture. The thread knows no window: it delivers every message, a
frozen value, through one callable.
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

from smis_desktop.document.style import DRAFT_SIZE
from smis_desktop.errors import UserError
from smis_desktop.formats.exported_picture import write_photograph
from smis_desktop.formats.project import Project
from smis_desktop.workers.film_job import FilmJob, FilmSettings
from smis_desktop.workers.preview_jobs import (
    BackgroundRender,
    BackgroundRendered,
    CancelFilm,
    DeviceChanged,
    Failed,
    FilmCancelled,
    FilmProgress,
    Job,
    JobQueue,
    LoadingProgress,
    OpenJob,
    PaintJob,
    PicturePainted,
    PictureSaved,
    PreviewMessage,
    Ready,
    RefineJob,
    SaveJob,
    Stage,
    Submission,
)
from smis_desktop.workers.renderer import OpenRenderer, Renderer

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult

log = logging.getLogger(__name__)

STEPS_AT_REST = 30
"""Refinement steps while nothing new is painted, a second on two cores. Half as many leave a quarter of the gain; with
more, pictures look less and less like real ones (docs/results.md)."""

STEPS_AT_ONCE = 6
"""Refinement steps before the thread looks for newer jobs: a third of a second on two cores."""


class _Closed(Exception):
    """Raised to interrupt the opening of a renderer that is no longer needed."""


class PreviewThread:
    """Owns the preview thread. Every method returns at once and may be called from any thread."""

    def __init__(
        self,
        open_renderer: OpenRenderer,
        deliver: Callable[[PreviewMessage], None],
        *,
        refine_steps: int = 0,
        settle_seconds: float = 0.15,
    ) -> None:
        """Prepare the thread; `start` starts it.

        Args:
            open_renderer: Opens the first renderer, in the thread.
            deliver: Receives every message, in the thread; must return quickly. Not called any more after `close`.
            refine_steps: How many gradient steps a picture is refined by, a few at a time, while nothing else is asked
                for.
            settle_seconds: How long the newest request must have waited before its full-size picture is begun, so that
                it does not delay the next stroke's draft.
        """
        self._deliver = deliver
        self._refine_steps = refine_steps
        self._jobs = JobQueue(OpenJob(open_renderer), settle_seconds)
        self._delivery = threading.Lock()
        self._renderer: Renderer | None = None
        self._device = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Start the thread. Call once."""
        self._thread.start()

    def open(self, open_renderer: OpenRenderer) -> None:
        """Open another renderer: it replaces the present one with a `Ready`, or changes nothing with a `Failed`."""
        self._jobs.add(OpenJob(open_renderer))

    def submit(
        self, session: int, revision: int, request: PictureRequest, *, draft_only: bool = False, refined: int = 0
    ) -> None:
        """Request a picture; replaces a request that still waits.

        Args:
            session: Comes back with the picture.
            revision: Comes back with the picture; revisions grow.
            request: Its `size` is that of the full picture; drafts are `DRAFT_SIZE`.
            draft_only: The pen is still down, and a full picture would delay it. Submitting the same revision again
                without it brings the full picture alone.
            refined: Refinement steps that `request.composition` has taken already; only the rest is taken.
        """
        self._jobs.add(Submission(session, revision, request, draft_only, time.monotonic(), refined))

    def save(
        self, path: Path, request: PictureRequest, picture: np.ndarray | None = None, project: Project | None = None
    ) -> None:
        """Write the full-size picture of `request` to `path`, even if other layouts are painted meanwhile:
        `PictureSaved` follows.

        Args:
            path: Its ending says which format.
            request: What to render.
            picture: The rendered picture, uint8 [size, size, 3], if there is one.
            project: The project that a PNG carries.
        """
        self._jobs.add(SaveJob(path, request, picture, project))

    def render_in_background(self, ticket: int, request: PictureRequest) -> None:
        """Render another picture when no request waits: `BackgroundRendered` follows."""
        self._jobs.add(BackgroundRender(ticket, request))

    def drop_background_renders(self) -> None:
        """Drop the background renders that wait."""
        self._jobs.drop_background_renders()

    def film(self, path: Path, keyframes: Sequence[PictureRequest], settings: FilmSettings) -> None:
        """Make a film, frame by frame between all other jobs: `FilmProgress` follows."""
        self._jobs.add(FilmJob(path, tuple(keyframes), settings))

    def cancel_films(self) -> None:
        """Stop making films; nothing is written, and `FilmCancelled` follows for each."""
        self._jobs.cancel_films()

    def close(self, timeout: float) -> bool:
        """Stop after the picture that is being rendered; no message is delivered after this call.

        Args:
            timeout: Seconds to wait for the thread's end; 0 does not wait.

        Returns:
            Whether the thread has ended.
        """
        self._jobs.close()
        with self._delivery:  # a delivery that has begun may end; a later one sees `_closing`
            self._closing = True
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.next()) is not None:
            stage, work = self._work(job)
            self._attempt(stage, work)
        for film in self._jobs.unfinished_films():
            film.cancel()

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
            case FilmJob():
                return "saving", partial(self._continue_film, job)
            case CancelFilm():
                return "saving", partial(self._cancel_film, job.film)
            case SaveJob():
                return "saving", partial(self._save, job)

    def _attempt(self, stage: Stage, work: Callable[[], None]) -> None:
        """Run `work`; if it raises, deliver a `Failed` and keep the thread alive."""
        try:
            work()
        except _Closed:
            log.debug("closed while %s", stage)
        except UserError as error:
            self._send(Failed(str(error), is_bug=False, stage=stage))
        except Exception as error:
            log.exception("the preview failed while %s", stage)
            self._send(Failed(f"{_BUG_TEXTS[stage]} ({type(error).__name__}: {error}).", is_bug=True, stage=stage))

    def _open(self, job: OpenJob) -> None:
        def report(text: str, fraction: float) -> None:
            if self._jobs.is_opening_obsolete():
                raise _Closed
            self._send(LoadingProgress(text, fraction))

        renderer = job.open_renderer(report)
        self._renderer, self._device = renderer, renderer.device
        self._jobs.renderer_is_open()
        self._send(Ready(renderer.name, renderer.palette, renderer.device, renderer.full_size, renderer.generator_name))

    def _paint(self, job: PaintJob) -> None:
        submission = job.submission
        size = DRAFT_SIZE if job.quality == "draft" else submission.request.size
        result = self._render(replace(submission.request, quality=job.quality, size=size))
        latency = time.monotonic() - submission.since
        log.info("revision %d %s in %.2f s", submission.revision, job.quality, result.seconds)
        done = submission.refined if job.quality == "full" else 0
        self._send(PicturePainted(submission.session, submission.revision, job.quality, result, latency, done))
        left = self._refine_steps - submission.refined
        if job.quality == "full" and left > 0:
            self._jobs.refine_later(RefineJob(submission, result.composition, result.refinement, left))

    def _refine(self, job: RefineJob) -> None:
        submission = job.submission
        steps = min(job.steps_left, STEPS_AT_ONCE)
        request = replace(submission.request, composition=job.composition, refinement=job.refinement)
        result = self._render(replace(request, refine_steps=steps, quality="full"))
        left = job.steps_left - steps
        is_better = result.composition is not job.composition  # else the picture on screen stays
        if is_better:
            latency, done = time.monotonic() - submission.since, self._refine_steps - left
            self._send(PicturePainted(submission.session, submission.revision, "full", result, latency, refined=done))
        if left and (is_better or result.refinement is not None):
            self._jobs.refine_later(RefineJob(submission, result.composition, result.refinement, left))

    def _render_in_background(self, job: BackgroundRender) -> None:
        self._send(BackgroundRendered(job.ticket, self._render(job.request)))

    def _continue_film(self, film: FilmJob) -> None:
        try:
            fraction = film.render_next(self._render)
        except BaseException:
            self._jobs.remove_film(film)
            raise
        if fraction == 1.0:
            self._jobs.remove_film(film)
        self._send(FilmProgress(film.path, fraction))

    def _cancel_film(self, film: FilmJob) -> None:
        film.cancel()
        self._send(FilmCancelled(film.path))

    def _save(self, job: SaveJob) -> None:
        picture = job.picture
        if picture is None:
            picture = self._render(replace(job.request, quality="full")).picture
        write_photograph(job.path, picture, job.project)
        self._send(PictureSaved(job.path))

    def _render(self, request: PictureRequest) -> PictureResult:
        assert self._renderer is not None, "jobs that need a renderer wait for one"
        try:
            result = self._renderer.render(request)
        except BaseException:
            self._jobs.skip_full_picture()
            raise
        if self._renderer.device != self._device:
            self._device = self._renderer.device
            self._send(DeviceChanged(self._device))
        return result

    def _send(self, message: PreviewMessage) -> None:
        with self._delivery:
            if not self._closing:
                self._deliver(message)


_BUG_TEXTS: dict[Stage, str] = {
    "opening": "The model could not be opened because of a fault in this program",
    "painting": "The picture could not be made because of a fault in this program",
    "saving": "The picture could not be saved because of a fault in this program",
}
