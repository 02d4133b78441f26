"""The preview thread's jobs, the order they are done in, and the messages that answer them: all frozen values."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from smis_desktop.document.composition import Composition
from smis_desktop.document.palette import Palette
from smis_desktop.formats.project import Project
from smis_desktop.workers.film_job import FilmJob
from smis_desktop.workers.renderer import OpenRenderer

if TYPE_CHECKING:
    from smis_desktop.inference.refinement import Refinement
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Quality

# Messages of the thread

Stage = Literal["opening", "painting", "saving"]


@dataclass(frozen=True)
class LoadingProgress:
    """A renderer is being opened. fraction: 0–1, negative when unknown."""

    text: str
    fraction: float


@dataclass(frozen=True)
class Ready:
    """A renderer is open and has replaced the one before. The receiver starts a new session."""

    name: str
    palette: Palette
    device: str
    full_size: int
    generator_name: str


@dataclass(frozen=True)
class DeviceChanged:
    """Another device makes the pictures from now on, because memory ran out. device: as in `Ready`."""

    device: str


@dataclass(frozen=True, eq=False)
class PicturePainted:
    """The picture of a submitted request.

    latency: seconds since `submit`. refined: how many refinement steps its latents have taken.
    """

    session: int
    revision: int
    quality: Quality
    result: PictureResult
    latency: float
    refined: int = 0


@dataclass(frozen=True)
class PictureSaved:
    """The picture that `save` was asked for is on the disk."""

    path: Path


@dataclass(frozen=True)
class Failed:
    """Something did not work; the state before it remains.

    text: one sentence for people. is_bug: it is this program's fault, and the log has the traceback.
    """

    text: str
    is_bug: bool
    stage: Stage


@dataclass(frozen=True, eq=False)
class BackgroundRendered:
    """The answer to `render_in_background`."""

    ticket: int
    result: PictureResult


@dataclass(frozen=True)
class FilmProgress:
    """A film is being made. fraction: 0–1; at 1 it is on the disk."""

    path: Path
    fraction: float


@dataclass(frozen=True)
class FilmCancelled:
    """A film was cancelled; nothing of it is on the disk."""

    path: Path


PreviewMessage = (
    LoadingProgress
    | Ready
    | DeviceChanged
    | PicturePainted
    | PictureSaved
    | BackgroundRendered
    | FilmProgress
    | FilmCancelled
    | Failed
)


def is_news(painted: PicturePainted, session: int, shown: PicturePainted | None) -> bool:
    """Return whether `painted` should replace the picture on screen, `shown`, in a window that is at `session`.

    It should if it is newer, or equally new and better. Waiting for the newest request's picture instead would freeze
    the preview through a long stroke.
    """
    if painted.session != session:
        return False
    if shown is None or shown.session != session:
        return True
    if painted.revision == shown.revision:
        return (painted.quality == "full", painted.refined) > (shown.quality == "full", shown.refined)
    return painted.revision > shown.revision


# Jobs


@dataclass(frozen=True, eq=False)
class Submission:
    """A layout to paint.

    since: when it was submitted, by the monotonic clock. refined: refinement steps that it starts with.
    """

    session: int
    revision: int
    request: PictureRequest
    draft_only: bool
    since: float
    refined: int = 0

    def repeats(self, other: Submission | None) -> bool:
        """Return whether it is the same layout, submitted again."""
        return other is not None and (self.session, self.revision) == (other.session, other.revision)


@dataclass(frozen=True, eq=False)
class OpenJob:
    """Open a renderer."""

    open_renderer: OpenRenderer


@dataclass(frozen=True, eq=False)
class PaintJob:
    """Render a submitted layout."""

    submission: Submission
    quality: Quality


@dataclass(frozen=True, eq=False)
class RefineJob:
    """Refine a picture further while nothing else is requested. composition: what it is made of. refinement: how far it
    has got; None before the first step."""

    submission: Submission
    composition: Composition
    refinement: Refinement | None
    steps_left: int


@dataclass(frozen=True, eq=False)
class SaveJob:
    """Write a picture to a file. picture: uint8 [size, size, 3] if it has been rendered already."""

    path: Path
    request: PictureRequest
    picture: np.ndarray | None
    project: Project | None


@dataclass(frozen=True, eq=False)
class BackgroundRender:
    """Render a picture other than the main one, such as a variation."""

    ticket: int
    request: PictureRequest


@dataclass(frozen=True, eq=False)
class CancelFilm:
    """Remove what has been written of a cancelled film."""

    film: FilmJob


Job = OpenJob | PaintJob | RefineJob | SaveJob | BackgroundRender | FilmJob | CancelFilm


class JobQueue:
    """The jobs that wait, filled from any thread, emptied by one. Of submitted layouts only the newest waits.

    Order: saves asked of a renderer that is about to be replaced, opening, the newest draft, saves, the full picture,
    cancelled films, refinement, background renders, films.
    """

    def __init__(self, opening: OpenJob, settle_seconds: float) -> None:
        """settle_seconds: how long the newest layout must have waited before its full picture is begun."""
        self._settle_seconds = settle_seconds
        self._changed = threading.Condition()
        self._opening: OpenJob | None = opening
        self._newest: Submission | None = None
        self._drafted: Submission | None = None
        self._refinement: RefineJob | None = None
        self._saves: deque[SaveJob] = deque()
        self._background: deque[BackgroundRender] = deque()
        self._films: deque[FilmJob] = deque()
        self._cancelled_films: deque[FilmJob] = deque()
        self._can_paint = False
        self._closed = False

    def add(self, job: OpenJob | Submission | SaveJob | BackgroundRender | FilmJob) -> None:
        """Add a job; an opening or a submission replaces the one that waits."""
        with self._changed:
            match job:
                case OpenJob():
                    self._opening = job
                case Submission():
                    self._newest = job
                case SaveJob():
                    self._saves.append(job)
                case BackgroundRender():
                    self._background.append(job)
                case FilmJob():
                    self._films.append(job)
            self._changed.notify()

    def drop_background_renders(self) -> None:
        """Remove all waiting background renders."""
        with self._changed:
            self._background.clear()

    def cancel_films(self) -> None:
        """Cancel all films. The thread removes them itself, because a frame may be in progress."""
        with self._changed:
            self._cancelled_films.extend(self._films)
            self._films.clear()
            self._changed.notify()

    def remove_film(self, film: FilmJob) -> None:
        """Remove a film that is finished or has failed."""
        with self._changed:
            for films in (self._films, self._cancelled_films):
                if film in films:
                    films.remove(film)

    def unfinished_films(self) -> list[FilmJob]:
        """All films that are not finished, cancelled ones too."""
        with self._changed:
            return [*self._cancelled_films, *self._films]

    def refine_later(self, job: RefineJob) -> None:
        """Refine this picture when nothing newer is requested."""
        with self._changed:
            if self._newest is None and self._opening is None:
                self._refinement = job

    def renderer_is_open(self) -> None:
        """Let layouts be painted, from the draft on."""
        with self._changed:
            self._can_paint = True
            self._drafted = None

    def skip_full_picture(self) -> None:
        """Skip the full picture of the latest draft: what fails as a draft also fails at full size."""
        with self._changed:
            self._drafted = None

    def is_opening_obsolete(self) -> bool:
        """Return whether the renderer that is being opened is no longer needed."""
        with self._changed:
            return self._closed or self._opening is not None

    def close(self) -> None:
        """Close the queue: `next` returns None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def next(self) -> Job | None:
        """Wait for the next job; None once closed."""
        with self._changed:
            while not self._closed:
                if (job := self._next_urgent()) is not None:
                    return job
                if self._can_paint and self._drafted is not None and not self._drafted.draft_only:
                    if not self._changed.wait_for(self._is_disturbed, self._settle_seconds):
                        drafted, self._drafted = self._drafted, None
                        return PaintJob(drafted, "full")
                elif (job := self._next_idle()) is not None:
                    return job
                else:
                    self._changed.wait()
            return None

    def _next_urgent(self) -> Job | None:
        if self._can_paint and self._opening is not None and self._saves:
            return self._saves.popleft()  # asked for with the renderer that is about to be replaced
        if (opening := self._opening) is not None:
            self._opening = self._refinement = None
            return opening
        if not self._can_paint:
            return None
        if (newest := self._newest) is not None:
            self._newest = self._refinement = None
            is_drafted = newest.repeats(self._drafted)
            self._drafted = newest
            if not is_drafted:
                return PaintJob(newest, "draft")
        return self._saves.popleft() if self._saves else None

    def _next_idle(self) -> Job | None:
        """Return the next job once the main picture is complete."""
        if self._cancelled_films:
            return CancelFilm(self._cancelled_films.popleft())
        if self._refinement is not None:
            refinement, self._refinement = self._refinement, None
            return refinement
        if not self._can_paint:
            return None
        if self._background:
            return self._background.popleft()
        return self._films[0] if self._films else None

    def _is_disturbed(self) -> bool:
        return self._closed or self._opening is not None or self._newest is not None or bool(self._saves)
