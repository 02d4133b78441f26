"""What the workspace's hand is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SAMPLES = 6
"""Random pictures on which a palette is tried out."""
FIRST_SAMPLE = 700_000
SAMPLE_SIDE = 256
"""Of all pictures that are shown here, whatever side the generator makes."""


@dataclass(frozen=True)
class ShowSamples:
    """Wish: the generator's pictures of these seeds. One of another truncation takes the place of what waits."""

    seeds: tuple[int, ...]
    truncation: float


@dataclass(frozen=True)
class InvertShot:
    """Wish: look for a photo of the workspace in the generator. start: another number, another try. steps: how long
    (None: the usual number). only_by_label: not unless its label says where to begin."""

    workspace: Path
    name: str
    start: int = 0
    steps: int | None = None
    only_by_label: bool = False


@dataclass(frozen=True)
class LearnClasses:
    """Wish: learn from all shots that are labelled and located, and try it on random pictures. A newer one takes the
    place of one that waits.

    ticket: comes back. first_sample: which random pictures.
    """

    workspace: Path
    ticket: int
    first_sample: int = FIRST_SAMPLE


@dataclass(frozen=True)
class CancelSearch:
    """Wish: end the search that is under way, and forget those that wait."""


@dataclass(frozen=True)
class WorkerReady:
    """The generator is open."""

    generator: str
    weights_sha256: str
    img_resolution: int


@dataclass(frozen=True, eq=False)
class SampleShown:
    """uint8 [256, 256, 3]."""

    seed: int
    truncation: float
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class ShotGrowing:
    """The search for a photo goes on; `picture` uint8 [256, 256, 3] now and then."""

    name: str
    fraction: float
    picture: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class ShotFound:
    """It was found, and better than before if it was found before (`is_kept`)."""

    name: str
    psnr: float
    perceptual: float
    is_kept: bool
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class SamplePrediction:
    """One random picture: uint8 [256, 256, 3], what is believed of it in class ids uint8 [r, r] (255 unknown), how
    surely float32 [r, r], and on the whole."""

    seed: int
    picture: np.ndarray = field(repr=False)
    label_map: np.ndarray = field(repr=False)
    certainty: np.ndarray = field(repr=False)
    uncertainty: float


@dataclass(frozen=True)
class ClassLearned:
    """See `fewshot.beliefs.ClassPrediction`."""

    class_id: int
    confidence: float | None
    is_thin: bool
    is_rare: bool


@dataclass(frozen=True, eq=False)
class PaletteLearned:
    """The least sure pictures first. is_claimed: by labelled pixels that claim others (landmarks), not by a probe."""

    ticket: int
    classes: tuple[ClassLearned, ...]
    samples: tuple[SamplePrediction, ...]
    is_claimed: bool
    seconds: float


@dataclass(frozen=True)
class RequestFailed:
    """A wish that cannot be granted: one sentence. `name`: of the shot it was about, if it was."""

    text: str
    name: str = ""
