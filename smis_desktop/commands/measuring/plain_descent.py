"""The yardstick of inversion: descent on pixels alone, in `ws` as it is; nothing holds it near real latents."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.gan.pixels import from_rgb8
from smis_desktop.gan.protocol import Generator

_SIDE = 256
_LEVELS = 4
_LEARNING_RATE = 0.05
"""Of Adam, for `ws` as they are; not tuned."""


class PlainDescent:
    """Adam on the mean L1 distance at 256², 128², 64² and 32², from the mean latent in every slot."""

    def __init__(self, generator: Generator, photo: np.ndarray) -> None:
        """photo: uint8 [S, S, 3] sRGB, square."""
        self._generator = generator
        self._target = _pyramid(from_rgb8(photo, _SIDE).to(generator.device))
        self._ws = generator.broadcast(generator.w_avg[None]).detach().clone().requires_grad_()
        self._adam = torch.optim.Adam([self._ws], lr=_LEARNING_RATE, betas=(0.9, 0.99))

    @property
    def ws(self) -> Tensor:
        """Where it is: float32 [num_ws, 512]."""
        return self._ws.detach()[0]

    def step(self, done: float) -> float:
        """One step; returns the loss. done: how much of its time is over, 0–1, for the learning rate's slope down over
        the last quarter."""
        for group in self._adam.param_groups:
            group["lr"] = _LEARNING_RATE * (0.5 - 0.5 * math.cos(math.pi * min(1.0, 4 * (1 - done))))
        picture = _pyramid(self._generator.draft(self._ws, _SIDE))
        loss = torch.stack([(a - b).abs().mean() for a, b in zip(picture, self._target, strict=True)]).mean()
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return float(loss.item())


def _pyramid(picture: Tensor) -> list[Tensor]:
    levels = [picture]
    while len(levels) < _LEVELS:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels
