"""The live preview: a background thread that always paints the newest request it has been given.

Requests go through a one-slot mailbox, newest wins. Each is answered twice: at once with a quick draft, and, when
nothing newer waits, with the generator's own full-size picture. The thread knows no window: it tells everything it
has to tell through one callable, in messages that are frozen values.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.jobs.filming import Filming
from smis_desktop.jobs.morph import FilmSettings
from smis_desktop.jobs.picture_file import write_picture
from smis_desktop.labels.palette import Palette
from smis_desktop.storage.project_file import Project
from smis_desktop.storage.recipe_png import write_recipe_png

if TYPE_CHECKING:  # synthesis imports torch, which takes seconds: only the thread itself waits for that
    from smis_desktop.synthesis import PictureRequest, PictureResult, Quality

log = logging.getLogger(__name__)

DRAFT_SIZE = 256
"""Side in pixels of the quick picture."""

STEPS_AT_REST = 12
"""Refinement steps when the hand rests: twice as many obey a little better, in colours less and less natural
(docs/measurements.md)."""

_STEPS_AT_ONCE = 6
"""Refinement steps between two looks whether the hand still rests: a third of a second on two cores."""

Stage = Literal["opening", "painting", "saving"]


class Renderer(Protocol):
    """What turns requests into pictures: a generator and a personal model, opened and ready."""

    @property
    def name(self) -> str:
        """The personal model's name, for people."""
        ...

    @property
    def palette(self) -> Palette:
        """The classes that layouts are painted in."""
        ...

    @property
    def device(self) -> str:
        """What computes, for people: `CPU, 4 threads`."""
        ...

    @property
    def generator_name(self) -> str:
        """The installed generator that makes the pictures."""
        ...

    @property
    def full_size(self) -> int:
        """Side of the generator's own pictures in pixels."""
        ...

    def render(self, request: PictureRequest) -> PictureResult:
        """A pure function of the request. Raises UserError for what a person can put right."""
        ...


OpenRenderer = Callable[[Callable[[str, float], None]], Renderer]
"""Opens a renderer, reporting `(what is being done, fraction 0–1)` on the way; a negative fraction: nobody knows."""


@dataclass(frozen=True)
class LoadingProgress:
    """A renderer is being opened. `fraction` is 0–1, negative when nobody knows."""

    text: str
    fraction: float


@dataclass(frozen=True)
class Ready:
    """A renderer is open and has replaced the one before. Whoever hears this starts a new session."""

    name: str
    palette: Palette
    device: str
    full_size: int
    generator_name: str = "faces"


@dataclass(frozen=True, eq=False)
class PicturePainted:
    """The answer to one submitted request. `latency` is the seconds from `submit` to now. `refined`: how many
    steps its latents were moved towards the layout."""

    session: int
    revision: int
    quality: Quality
    result: PictureResult
    latency: float
    refined: int = 0


@dataclass(frozen=True)
class PictureSaved:
    """The picture asked for with `save` is safely on the disk."""

    path: Path


@dataclass(frozen=True)
class Failed:
    """Something did not work; what was there before is still there. `text` is one sentence for people.

    `is_bug`: it is this program's fault and not the person's; the log has the traceback.
    """

    text: str
    is_bug: bool
    stage: Stage


@dataclass(frozen=True, eq=False)
class AsidePainted:
    """The answer to `paint_aside`."""

    ticket: int
    result: PictureResult


@dataclass(frozen=True)
class FilmProgress:
    """A film is being made. `fraction` is 0–1; 1: it is safely on the disk."""

    path: Path
    fraction: float


PreviewMessage = LoadingProgress | Ready | PicturePainted | PictureSaved | AsidePainted | FilmProgress | Failed


@dataclass(frozen=True)
class OnScreen:
    """Which picture a window is showing."""

    session: int
    revision: int
    quality: Quality
    refined: int = 0


def is_news(painted: PicturePainted, session: int, shown: OnScreen | None) -> bool:
    """Whether `painted` should replace `shown` in a window that is at `session`.

    Newer than the one on screen, or equally new and better. Not "only if it is the newest there is": through a long
    stroke no picture ever is, and the screen would stand still until the pen is lifted.
    """
    if painted.session != session:
        return False
    if shown is None or shown.session != session:
        return True
    if painted.revision == shown.revision:
        return (painted.quality == "full", painted.refined) > (shown.quality == "full", shown.refined)
    return painted.revision > shown.revision


@dataclass(frozen=True, eq=False)
class _Submission:
    session: int
    revision: int
    request: PictureRequest
    draft_only: bool
    since: float

    def continues(self, other: _Submission | None) -> bool:
        return other is not None and (self.session, self.revision) == (other.session, other.revision)


@dataclass(frozen=True, eq=False)
class _Opening:
    open_renderer: OpenRenderer


@dataclass(frozen=True, eq=False)
class _Painting:
    submission: _Submission
    quality: Quality


@dataclass(frozen=True, eq=False)
class _Refining:
    """The hand rests: so many steps are left for the picture whose latents these are."""

    submission: _Submission
    ws: np.ndarray
    steps_left: int


@dataclass(frozen=True, eq=False)
class _Saving:
    path: Path
    request: PictureRequest
    picture: np.ndarray | None
    project: Project | None


@dataclass(frozen=True, eq=False)
class _Aside:
    ticket: int
    request: PictureRequest


_Job = _Opening | _Painting | _Refining | _Saving | _Aside | Filming


class _Closed(Exception):
    """Thrown through a loading renderer when nobody waits for it any more."""


class PreviewWorker:
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
        self._settle_seconds = settle_seconds
        self._refine_steps = refine_steps
        self._resting: _Refining | None = None
        self._changed = threading.Condition()
        self._delivery = threading.Lock()
        self._opening: _Opening | None = _Opening(open_renderer)
        self._newest: _Submission | None = None
        self._drafted: _Submission | None = None
        self._saves: deque[_Saving] = deque()
        self._asides: deque[_Aside] = deque()
        self._films: deque[Filming] = deque()
        self._renderer: Renderer | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Start the thread. Call once."""
        self._thread.start()

    def open(self, open_renderer: OpenRenderer) -> None:
        """Open another renderer. It replaces the present one with a `Ready`, or changes nothing with a `Failed`."""
        with self._changed:
            self._opening = _Opening(open_renderer)
            self._changed.notify()

    def submit(self, session: int, revision: int, request: PictureRequest, *, draft_only: bool = False) -> None:
        """Ask for the picture of `request`, instead of any request that still waits.

        session, revision: come back with the picture; revisions grow. `request.size` is the full size; the draft is
        always `DRAFT_SIZE`. draft_only: the pen is still down, a full-size picture would be in its way. Submitting the
        same revision again without it brings the full picture alone.
        """
        with self._changed:
            self._newest = _Submission(session, revision, request, draft_only, time.monotonic())
            self._changed.notify()

    def save(
        self, path: Path, request: PictureRequest, picture: np.ndarray | None = None, project: Project | None = None
    ) -> None:
        """Write the full-size picture of `request` to `path`, whatever is painted meanwhile; then `PictureSaved`.

        picture: uint8 [size, size, 3], when it is known already; else it is made first. project: the recipe that a PNG
        is to carry.
        """
        with self._changed:
            self._saves.append(_Saving(path, request, picture, project))
            self._changed.notify()

    def paint_aside(self, ticket: int, request: PictureRequest) -> None:
        """A picture for elsewhere, whenever nothing is waited for in front: `AsidePainted` brings it."""
        with self._changed:
            self._asides.append(_Aside(ticket, request))
            self._changed.notify()

    def drop_asides(self) -> None:
        """Nobody waits for pictures asked for with `paint_aside` any more."""
        with self._changed:
            self._asides.clear()

    def film(self, path: Path, keyframes: Sequence[PictureRequest], settings: FilmSettings) -> None:
        """Write a film from picture to picture, a frame at a time between everything else: `FilmProgress` follows."""
        with self._changed:
            self._films.append(Filming(path, tuple(keyframes), settings))
            self._changed.notify()

    def cancel_films(self) -> None:
        """Make no film any further; nothing is written."""
        with self._changed:
            for film in self._films:
                film.give_up()
            self._films.clear()

    def close(self, timeout: float) -> bool:
        """Stop after the call that is being computed; no message comes after this. True when the thread has ended.

        timeout: seconds to wait for that; 0 waits not at all.
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        with self._delivery:  # a delivery that has begun may end; a later one sees `_closing`
            pass
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._next_job()) is not None:
            if isinstance(job, _Opening):
                self._attempt("opening", partial(self._open, job))
            elif isinstance(job, _Painting):
                self._attempt("painting", partial(self._paint, job))
            elif isinstance(job, _Refining):
                self._attempt("painting", partial(self._refine, job))
            elif isinstance(job, _Aside):
                self._attempt("painting", partial(self._paint_aside, job))
            elif isinstance(job, Filming):
                self._attempt("saving", partial(self._go_on_filming, job))
            else:
                self._attempt("saving", partial(self._save, job))

    def _next_job(self) -> _Job | None:
        """Wait for something to do: first a renderer, then drafts, then saves, then the full picture."""
        with self._changed:
            while not self._closing:
                if (job := self._urgent_job()) is not None:
                    return job
                if self._renderer is not None and self._drafted is not None and not self._drafted.draft_only:
                    if not self._changed.wait_for(self._is_disturbed, self._settle_seconds):
                        drafted, self._drafted = self._drafted, None
                        return _Painting(drafted, "full")
                elif (job := self._patient_job()) is not None:
                    return job
                else:
                    self._changed.wait()
            return None

    def _urgent_job(self) -> _Job | None:
        if self._renderer is not None and self._opening is not None and self._saves:
            return self._saves.popleft()  # asked for with the renderer that is about to go
        if (opening := self._opening) is not None:
            self._opening = self._resting = None
            return opening
        if self._renderer is None:
            return None
        if (newest := self._newest) is not None:
            self._newest = self._resting = None
            is_drafted = newest.continues(self._drafted)
            self._drafted = newest
            if not is_drafted:
                return _Painting(newest, "draft")
        return self._saves.popleft() if self._saves else None

    def _patient_job(self) -> _Job | None:
        """What is done when the picture in front is: its refinement, pictures for elsewhere, films."""
        if self._resting is not None:
            resting, self._resting = self._resting, None
            return resting
        if self._renderer is None:
            return None
        if self._asides:
            return self._asides.popleft()
        return self._films[0] if self._films else None

    def _is_disturbed(self) -> bool:
        return self._closing or self._opening is not None or self._newest is not None or bool(self._saves)

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

    def _open(self, job: _Opening) -> None:
        def report(text: str, fraction: float) -> None:
            with self._changed:
                if self._closing or self._opening is not None:
                    raise _Closed
            self._tell(LoadingProgress(text, fraction))

        renderer = job.open_renderer(report)
        with self._changed:
            self._renderer = renderer
            self._drafted = None
        self._tell(Ready(renderer.name, renderer.palette, renderer.device, renderer.full_size, renderer.generator_name))

    def _paint(self, job: _Painting) -> None:
        submission = job.submission
        size = DRAFT_SIZE if job.quality == "draft" else submission.request.size
        result = self._render(replace(submission.request, quality=job.quality, size=size))
        latency = time.monotonic() - submission.since
        log.info("revision %d %s in %.2f s", submission.revision, job.quality, result.seconds)
        self._tell(PicturePainted(submission.session, submission.revision, job.quality, result, latency))
        if job.quality == "full" and self._refine_steps > 0:
            self._rest(_Refining(submission, result.ws, self._refine_steps))

    def _refine(self, job: _Refining) -> None:
        submission = job.submission
        steps = min(job.steps_left, _STEPS_AT_ONCE)
        request = replace(submission.request, start_ws=job.ws)
        result = self._render(replace(request, refine_steps=steps, quality="full"))
        latency = time.monotonic() - submission.since
        left = job.steps_left - steps
        done = self._refine_steps - left
        self._tell(PicturePainted(submission.session, submission.revision, "full", result, latency, refined=done))
        if left:
            self._rest(_Refining(submission, result.ws, left))

    def _rest(self, job: _Refining) -> None:
        """To go on with when nothing else is asked for."""
        with self._changed:
            if self._newest is None and self._opening is None:
                self._resting = job

    def _paint_aside(self, job: _Aside) -> None:
        self._tell(AsidePainted(job.ticket, self._render(job.request)))

    def _go_on_filming(self, job: Filming) -> None:
        try:
            fraction = job.go_on(self._render)
        except BaseException:
            self._end_film(job)
            raise
        if fraction == 1.0:
            self._end_film(job)
        self._tell(FilmProgress(job.path, fraction))

    def _end_film(self, job: Filming) -> None:
        with self._changed:
            if job in self._films:
                self._films.remove(job)

    def _save(self, job: _Saving) -> None:
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
            return self._renderer.render(request)
        except BaseException:
            self._drafted = None  # what fails as a draft fails at full size too: once is enough to say so
            raise

    def _tell(self, message: PreviewMessage) -> None:
        with self._delivery:
            if not self._closing:
                self._deliver(message)


_BUG_TEXTS: dict[Stage, str] = {
    "opening": "The model could not be opened because of a fault in this program",
    "painting": "The picture could not be made because of a fault in this program",
    "saving": "The picture could not be saved because of a fault in this program",
}
