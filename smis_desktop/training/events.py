"""The request that starts a training run, and the events that the run reports. Free of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from smis_desktop.document.palette import LabelKind
from smis_desktop.formats.shots_folder import TransferRule


@dataclass(frozen=True)
class TrainingRequest:
    """What to train, from which shots, and where to. Options that are None keep their defaults.

    The unfinished training is kept in a folder next to `out`. What happens when one is there already:
    "refuse" raises UserError; "resume" continues it, or raises UserError where it had other shots or settings;
    "resume or restart" deletes it in that case and starts anew.
    """

    shots: Path
    """A shots folder."""
    out: Path
    """The model file to write."""
    generator: str
    name: str
    label_kind: LabelKind = "dense"
    top_k: int = 3
    threshold: float = 0.5
    transfer: TransferRule = "informed"
    samples: int | None = None
    """How many pseudo-labelled pictures to learn from."""
    consistency_steps: int | None = None
    seed: int = 0
    workspace: Path | None = None
    """Where the shots come from: latents of photos that are found are kept there too."""
    minutes: float | None = None
    """Instead of `samples`: about how long the training may take on this machine."""
    inversion_steps: int | None = None
    on_unfinished: Literal["refuse", "resume", "resume or restart"] = "resume or restart"
    writes_intermediate_models: bool = True
    """Whether to write each improved model to the folder of the unfinished training, for use in the meantime."""


@dataclass(frozen=True, eq=False)
class StageProgress:
    """The progress of a stage.

    `done` of `total` is what `label` describes, in units of the stage (samples, steps); a negative `done` is unknown.
    `overall` (0–1) and `seconds_left` are of the whole training; `seconds_left` is None until the pace is known. `loss`
    is of the stage's own kind.
    pictures: uint8 [256, 256, 3], every so often: of the photos `shot_names` as far as they are reconstructed, where
    the event names any; else the shots' own layouts, rendered by the newest encoder.
    shot_numbers: the photos' places among the shots, from 1.
    """

    stage: str
    label: str
    done: float
    total: float
    overall: float = 0.0
    seconds_left: float | None = None
    loss: float | None = None
    shot_names: tuple[str, ...] = ()
    shot_numbers: tuple[int, ...] = ()
    pictures: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @property
    def fraction(self) -> float:
        """The fraction done of what `label` describes, 0–1; negative where it is unknown."""
        return self.done / self.total


@dataclass(frozen=True)
class StageFinished:
    """A stage has done its work. `stage` is its name."""

    stage: str


@dataclass(frozen=True)
class ShotsOpened:
    """All shots are read. `known` of them are the generator's own pictures, or were inverted before.

    notes: sentences for people about files that were changed in reading."""

    notes: tuple[str, ...]
    count: int
    known: int


@dataclass(frozen=True)
class SamplesChosen:
    """About `samples` samples fit into the requested `minutes`."""

    minutes: float
    samples: int


@dataclass(frozen=True)
class RunOpened:
    """Everything is open and checked; the stages begin. folder: of the unfinished training. is_resumed: whether it held
    one."""

    folder: Path
    is_resumed: bool


@dataclass(frozen=True, eq=False)
class ShotInverted:
    """A photo's reconstruction, in figures (see `inversion.InversionResult`), and its latents, float32 [num_ws, 512].

    `seconds`: of photos that were inverted at once, an equal share each. `is_by_label`: whether the photo's label
    decided where the search began."""

    name: str
    perceptual: float
    psnr: float
    latent_distance: float
    seconds: float
    is_by_label: bool = False
    ws: np.ndarray | None = field(default=None, repr=False)
    reconstruction_ws: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ClassesLearned:
    """The label transfer is learned. `missing`: names of classes in the palette that no shot holds."""

    kind: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ModelImproved:
    """The file at `path` holds a model that can be painted with already."""

    path: Path


@dataclass(frozen=True)
class SmallerBatch:
    """There was too little memory: the training continues with batches of that size."""

    batch_size: int


@dataclass(frozen=True)
class FallsBackToCpu:
    """The graphics card had too little memory for the smallest batch: the processor continues from the last stage."""


TrainingEvent = (
    StageProgress
    | StageFinished
    | ShotsOpened
    | SamplesChosen
    | RunOpened
    | ShotInverted
    | ClassesLearned
    | ModelImproved
    | SmallerBatch
    | FallsBackToCpu
)
OnEvent = Callable[[TrainingEvent], None]
"""Called in the training's own thread. An exception that it raises stops the training; what was stored stays."""
