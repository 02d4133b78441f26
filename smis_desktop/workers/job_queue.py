"""What the preview thread paints with: opened once, asked again and again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from smis_desktop.document.palette import Palette
from smis_desktop.formats.project import Project
from smis_desktop.workers.film import Filming

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Quality


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
        """What computes, for people: `CPU, 4 threads`. Another after a picture that did not fit into its memory."""
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
OpenModel = Callable[[Path], OpenRenderer]
"""Says how the personal model in a file is opened."""


@dataclass(frozen=True, eq=False)
class Submission:
    """A layout to paint. `since`: when it was submitted, by the monotonic clock. `refined`: steps of refinement
    that it begins with."""

    session: int
    revision: int
    request: PictureRequest
    draft_only: bool
    since: float
    refined: int = 0

    def continues(self, other: Submission | None) -> bool:
        """Whether it is the same layout, asked for again."""
        return other is not None and (self.session, self.revision) == (other.session, other.revision)


@dataclass(frozen=True, eq=False)
class OpenJob:
    """A renderer to open."""

    open_renderer: OpenRenderer


@dataclass(frozen=True, eq=False)
class PaintJob:
    """A picture for the front."""

    submission: Submission
    quality: Quality


@dataclass(frozen=True, eq=False)
class RefineJob:
    """The hand rests: so many steps are left for the picture whose latents these are, float32 [num_ws, D]."""

    submission: Submission
    ws: np.ndarray
    steps_left: int


@dataclass(frozen=True, eq=False)
class SaveJob:
    """A picture for a file; uint8 [size, size, 3] when it is known already."""

    path: Path
    request: PictureRequest
    picture: np.ndarray | None
    project: Project | None


@dataclass(frozen=True, eq=False)
class BackgroundRender:
    """A picture for elsewhere."""

    ticket: int
    request: PictureRequest


@dataclass(frozen=True, eq=False)
class CancelFilm:
    """A film that nobody wants any more."""

    film: Filming


Job = OpenJob | PaintJob | RefineJob | SaveJob | BackgroundRender | Filming | CancelFilm


class JobQueue:
    """Filled from any thread, emptied by one. Of submitted layouts only the newest waits."""

    def __init__(self, opening: OpenJob, settle_seconds: float) -> None:
        """settle_seconds: how long the newest layout must have stood before its full picture is begun."""
        self._settle_seconds = settle_seconds
        self._changed = threading.Condition()
        self._opening: OpenJob | None = opening
        self._newest: Submission | None = None
        self._drafted: Submission | None = None
        self._resting: RefineJob | None = None
        self._saves: deque[SaveJob] = deque()
        self._asides: deque[BackgroundRender] = deque()
        self._films: deque[Filming] = deque()
        self._unwanted: deque[Filming] = deque()
        self._can_paint = False
        self._closed = False

    def add(self, job: OpenJob | Submission | SaveJob | BackgroundRender | Filming) -> None:
        """One thing more to do; an opening or a submission replaces the one that waits."""
        with self._changed:
            match job:
                case OpenJob():
                    self._opening = job
                case Submission():
                    self._newest = job
                case SaveJob():
                    self._saves.append(job)
                case BackgroundRender():
                    self._asides.append(job)
                case Filming():
                    self._films.append(job)
            self._changed.notify()

    def drop_background_renders(self) -> None:
        """Forget the pictures for elsewhere."""
        with self._changed:
            self._asides.clear()

    def drop_films(self) -> None:
        """No film is wanted any more. A frame may be under way just now: the thread itself lets go of them."""
        with self._changed:
            self._unwanted.extend(self._films)
            self._films.clear()
            self._changed.notify()

    def end_film(self, film: Filming) -> None:
        """It is done, or has failed."""
        with self._changed:
            for films in (self._films, self._unwanted):
                if film in films:
                    films.remove(film)

    def unfinished_films(self) -> list[Filming]:
        """Also those that nobody wants."""
        with self._changed:
            return [*self._unwanted, *self._films]

    def rest(self, job: RefineJob) -> None:
        """To go on with while nothing newer is asked for."""
        with self._changed:
            if self._newest is None and self._opening is None:
                self._resting = job

    def renderer_is_open(self) -> None:
        """Layouts can be painted, from the draft on."""
        with self._changed:
            self._can_paint = True
            self._drafted = None

    def give_up_front(self) -> None:
        """What fails as a draft fails at full size too: once is enough to say so."""
        with self._changed:
            self._drafted = None

    def is_opening_idle(self) -> bool:
        """Whether nobody waits any more for the renderer that is being opened."""
        with self._changed:
            return self._closed or self._opening is not None

    def close(self) -> None:
        """Nothing is to be done any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def next(self) -> Job | None:
        """Wait for something to do; None once closed."""
        with self._changed:
            while not self._closed:
                if (job := self._urgent()) is not None:
                    return job
                if self._can_paint and self._drafted is not None and not self._drafted.draft_only:
                    if not self._changed.wait_for(self._is_disturbed, self._settle_seconds):
                        drafted, self._drafted = self._drafted, None
                        return PaintJob(drafted, "full")
                elif (job := self._patient()) is not None:
                    return job
                else:
                    self._changed.wait()
            return None

    def _urgent(self) -> Job | None:
        if self._can_paint and self._opening is not None and self._saves:
            return self._saves.popleft()  # asked for with the renderer that is about to go
        if (opening := self._opening) is not None:
            self._opening = self._resting = None
            return opening
        if not self._can_paint:
            return None
        if (newest := self._newest) is not None:
            self._newest = self._resting = None
            is_drafted = newest.continues(self._drafted)
            self._drafted = newest
            if not is_drafted:
                return PaintJob(newest, "draft")
        return self._saves.popleft() if self._saves else None

    def _patient(self) -> Job | None:
        """What is done when the picture in front is."""
        if self._unwanted:
            return CancelFilm(self._unwanted.popleft())
        if self._resting is not None:
            resting, self._resting = self._resting, None
            return resting
        if not self._can_paint:
            return None
        if self._asides:
            return self._asides.popleft()
        return self._films[0] if self._films else None

    def _is_disturbed(self) -> bool:
        return self._closed or self._opening is not None or self._newest is not None or bool(self._saves)
