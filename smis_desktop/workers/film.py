"""Films of pictures that change into each other, one frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.formats.film import FilmWriter, film_file

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest, PictureResult


@dataclass(frozen=True)
class FilmSettings:
    """seconds: from one picture to the next. size: side in pixels. loop: and back to the first."""

    seconds: float = 2.0
    fps: int = 25
    size: int = 512
    loop: bool = True

    def frames(self, keyframes: int) -> int:
        """How many pictures such a film has."""
        return self._ways(keyframes) * self._steps + (0 if self.loop else 1)

    @property
    def _steps(self) -> int:
        return max(2, round(self.seconds * self.fps))

    def _ways(self, keyframes: int) -> int:
        return keyframes if self.loop else keyframes - 1

    def position(self, frame: int, keyframes: int) -> tuple[int, int, float]:
        """Between which two keyframes a frame lies, and how far on the way, 0–1: slow, quick, slow."""
        way, step = divmod(frame, self._steps)
        if way == self._ways(keyframes):
            return way, way, 0.0
        part = step / self._steps
        return way, (way + 1) % keyframes, part * part * (3 - 2 * part)


def between(latents: Sequence[np.ndarray], position: tuple[int, int, float]) -> np.ndarray:
    """Latents float32 [num_ws, D] of a frame."""
    first, second, part = position
    blend: np.ndarray = (1 - part) * latents[first] + part * latents[second]
    blend = blend.astype(np.float32)
    blend.setflags(write=False)
    return blend


class Filming:
    """First the latents of every keyframe, then the frames; the file appears with the last one."""

    def __init__(self, path: Path, keyframes: tuple[PictureRequest, ...], settings: FilmSettings) -> None:
        self.path = path
        self._keyframes, self._settings = keyframes, settings
        self._latents: list[np.ndarray] = []
        self._done = 0
        self._count = settings.frames(len(keyframes))
        self._open = ExitStack()
        self._writer: FilmWriter | None = None

    def go_on(self, render: Callable[[PictureRequest], PictureResult]) -> float:
        """One more picture; how much of the film there is, 0–1. At 1 the file is written; on an exception nothing is.

        Raises what `film_file` and `render` raise.
        """
        try:
            return self._go_on(render)
        except BaseException:
            self.give_up()
            raise

    def give_up(self) -> None:
        """Leave no trace; also after the last frame, when it does nothing."""
        if self._writer is not None:
            self._writer = None
            error = _FilmCancelled()
            self._open.__exit__(type(error), error, None)

    def _go_on(self, render: Callable[[PictureRequest], PictureResult]) -> float:
        if len(self._latents) < len(self._keyframes):
            keyframe = self._keyframes[len(self._latents)]
            exact = keyframe.exact_ws
            self._latents.append(render(replace(keyframe, quality="draft")).ws if exact is None else exact)
            return 0.0
        if self._writer is None:
            self._writer = self._open.enter_context(film_file(self.path, self._settings.fps))
        position = self._settings.position(self._done, len(self._keyframes))
        frame = replace(
            self._keyframes[position[0]], exact_ws=between(self._latents, position), size=self._settings.size
        )
        self._writer.add(render(frame).picture)
        self._done += 1
        if self._done == self._count:
            self._writer = None
            self._open.close()
        return self._done / self._count


class _FilmCancelled(Exception):
    """Ends the writing of a film that nobody wants any more."""
