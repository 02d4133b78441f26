"""Requests to the assistant's shot worker, and the messages that it sends back. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SAMPLES = 6
"""Random pictures that show what was learned."""
FIRST_SAMPLE = 700_000
"""Seed of the first of them."""
SAMPLE_SIDE = 256
"""Side of all pictures in these messages, independent of the generator."""


@dataclass(frozen=True)
class ShowSamples:
    """Request: the generator's pictures of these seeds. It replaces a waiting request of another truncation."""

    seeds: tuple[int, ...]
    truncation: float


@dataclass(frozen=True)
class InvertShot:
    """Request: invert a photo of the workspace.

    start: another number gives another attempt. steps: None for the default. only_by_label: do nothing unless the
    photo's label gives the start.
    """

    workspace: Path
    name: str
    start: int = 0
    steps: int | None = None
    only_by_label: bool = False


@dataclass(frozen=True)
class LearnClasses:
    """Request: learn from all shots that have a label and latents, and predict random pictures. It replaces a waiting
    request of its kind.

    ticket: comes back in the answer. first_sample: the seed of the first random picture.
    """

    workspace: Path
    ticket: int
    first_sample: int = FIRST_SAMPLE


@dataclass(frozen=True)
class CancelSearch:
    """Request: cancel the running inversion and those that wait."""


@dataclass(frozen=True)
class WorkerReady:
    """The generator is open."""

    generator: str
    weights_sha256: str
    img_resolution: int


@dataclass(frozen=True, eq=False)
class SampleShown:
    """The generator's picture of a seed, uint8 [256, 256, 3]."""

    seed: int
    truncation: float
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class ShotGrowing:
    """Progress of an inversion, 0–1; about once a second with the reconstruction so far, uint8 [256, 256, 3]."""

    name: str
    fraction: float
    picture: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class ShotFound:
    """A photo is inverted. `is_kept`: whether the result is better than an earlier one; otherwise that one stays."""

    name: str
    psnr: float
    perceptual: float
    is_kept: bool
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class SamplePrediction:
    """The classes predicted in one random picture.

    picture: uint8 [256, 256, 3]. label_map: uint8 [r, r] class ids, 255 where unknown. certainty: float32 [r, r], 0–1.
    uncertainty: of the whole picture, 0–1.
    """

    seed: int
    picture: np.ndarray = field(repr=False)
    label_map: np.ndarray = field(repr=False)
    certainty: np.ndarray = field(repr=False)
    uncertainty: float


@dataclass(frozen=True)
class ClassLearned:
    """How well a class was learned; see `smis_desktop.personal_model.prediction.ClassPrediction`."""

    class_id: int
    confidence: float | None
    is_thin: bool
    is_rare: bool


@dataclass(frozen=True, eq=False)
class PaletteLearned:
    """What was learned from the labels. `samples`: least certain first. `is_claimed`: labelled pixels claim others
    (landmarks), instead of a probe."""

    ticket: int
    classes: tuple[ClassLearned, ...]
    samples: tuple[SamplePrediction, ...]
    is_claimed: bool
    seconds: float


@dataclass(frozen=True)
class RequestFailed:
    """A request that could not be handled, in one sentence. `name`: the shot that it was about, if any."""

    text: str
    name: str = ""
