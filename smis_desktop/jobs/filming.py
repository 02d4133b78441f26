"""A film in the making, one frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.jobs.morph import FilmSettings, between
from smis_desktop.storage.films import FilmWriter, film_file

if TYPE_CHECKING:
    from smis_desktop.synthesis import PictureRequest, PictureResult


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
            error = _GivenUp()
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


class _GivenUp(Exception):
    """Ends the writing of a film that nobody wants any more."""
