"""From picture to picture: the latents in between, eased so that a film rests on each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
