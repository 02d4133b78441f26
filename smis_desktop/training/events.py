"""What a training tells whoever watches: frozen dataclasses, in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class SearchingInitialLatents:
    """So many of `count` random pictures were looked at for those that photos are searched for from."""

    pictures: int
    count: int


@dataclass(frozen=True, eq=False)
class InvertingShots:
    """One step of the inversion of photos, several at once: their names, and their numbers among the `count` shots, the
    first of which is 1. `best_loss` is their mean. `pictures` (uint8 [256, 256, 3] each) come every so often."""

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    count: int
    step: int
    steps: int
    best_loss: float
    pictures: tuple[np.ndarray, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ShotInverted:
    """A photo's reconstruction, in figures (see `inversion.InversionResult`). `seconds`: of photos that were searched
    for at once, each one's equal share. is_by_label: whether its label told where to begin."""

    name: str
    perceptual: float
    psnr: float
    latent_distance: float
    seconds: float
    is_by_label: bool = False


@dataclass(frozen=True)
class ClassesLearned:
    """The label transfer is there. `missing`: names of classes in the palette that no shot holds."""

    kind: str
    missing: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EncoderProgress:
    """A round of training. `previews`: uint8 [256, 256, 3], the shots' own layouts rendered by the newest encoder."""

    samples: int
    total_samples: int
    steps: int
    loss: float
    seconds_left: float
    samples_per_second: float
    previews: tuple[np.ndarray, ...] = field(default=(), repr=False)


@dataclass(frozen=True, eq=False)
class LayoutConsistencyProgress:
    """A step of the training for obedience. `previews` as in `EncoderProgress`, every so often."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    previews: tuple[np.ndarray, ...] = field(default=(), repr=False)


TrainingEvent = (
    SearchingInitialLatents
    | InvertingShots
    | ShotInverted
    | ClassesLearned
    | EncoderProgress
    | LayoutConsistencyProgress
)
OnEvent = Callable[[TrainingEvent], None]
"""Called in the training's own thread. An exception that it raises stops the training; what was stored stays."""
