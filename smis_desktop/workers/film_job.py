"""Films in which pictures change into each other, rendered one frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.document.composition import Composition, blended
from smis_desktop.document.style import Style
from smis_desktop.formats.film import FilmWriter, film_file

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult


@dataclass(frozen=True, eq=False)
class Keyframe:
    """A picture that a film goes through. layout: uint8 [H, H]. composition: what it is made of, where that is
    known."""

    layout: np.ndarray
    style: Style
    composition: Composition | None = None


@dataclass(frozen=True)
class FilmSettings:
    """The settings of a film. seconds: from one picture to the next. size: side in pixels. loop: back to the first
    picture at the end."""

    seconds: float = 2.0
    fps: int = 25
    size: int = 512
    loop: bool = True

    def frames(self, keyframes: int) -> int:
        """Return how many frames the film has."""
        return self._transitions(keyframes) * self._steps + (0 if self.loop else 1)

    @property
    def _steps(self) -> int:
        return max(2, round(self.seconds * self.fps))

    def _transitions(self, keyframes: int) -> int:
        return keyframes if self.loop else keyframes - 1

    def position(self, frame: int, keyframes: int) -> tuple[int, int, float]:
        """Return the two keyframes that a frame lies between and how far it is on the way, 0–1, eased in and out."""
        transition, step = divmod(frame, self._steps)
        if transition == self._transitions(keyframes):
            return transition, transition, 0.0
        part = step / self._steps
        return transition, (transition + 1) % keyframes, part * part * (3 - 2 * part)


class FilmJob:
    """Renders every keyframe, for the latents that it shows, then the frames; the file appears with the last one."""

    def __init__(self, path: Path, keyframes: tuple[PictureRequest, ...], settings: FilmSettings) -> None:
        self.path = path
        self._keyframes, self._settings = keyframes, settings
        self._shown: list[Composition] = []
        self._done = 0
        self._count = settings.frames(len(keyframes))
        self._open = ExitStack()
        self._writer: FilmWriter | None = None

    def render_next(self, render: Callable[[PictureRequest], PictureResult]) -> float:
        """Render one more picture.

        Returns:
            The fraction done, 0–1; at 1 the file is written.

        Raises:
            UserError: As `film_file` and `render` raise it; nothing is written then.
        """
        try:
            return self._render_next(render)
        except BaseException:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Stop, and remove what has been written. Does nothing after the last frame."""
        if self._writer is not None:
            self._writer = None
            error = _FilmCancelled()
            self._open.__exit__(type(error), error, None)

    def _render_next(self, render: Callable[[PictureRequest], PictureResult]) -> float:
        if len(self._shown) < len(self._keyframes):
            keyframe = self._keyframes[len(self._shown)]
            self._shown.append(render(replace(keyframe, quality="draft")).shown)
            return 0.0
        if self._writer is None:
            self._writer = self._open.enter_context(film_file(self.path, self._settings.fps))
        first, second, part = self._settings.position(self._done, len(self._keyframes))
        keyframe = self._keyframes[first]
        frame = replace(
            keyframe,
            style=keyframe.style.without_mixing(),
            composition=blended(self._shown[first], self._shown[second], part),
            size=self._settings.size,
            refine_steps=0,
        )
        self._writer.add(render(frame).picture)
        self._done += 1
        if self._done == self._count:
            self._writer = None
            self._open.close()
        return self._done / self._count


class _FilmCancelled(Exception):
    """Raised to end the writing of a cancelled film."""
