"""A few-shot training: its settings, the context that its stages share, and the loop that runs them.

Photos → inversion → label transfer → pool of (w, pseudo label) → encoder → layout consistency. Every stage keeps what
it made in a store, so that a training can stop at any moment and resume to the same result.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import TransferRule
from smis_desktop.generators.generator import Generator, draft_side, to_rgb8
from smis_desktop.generators.layers import Precision, freeze
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import LayoutEncoder, layout_channels, one_hot
from smis_desktop.personal_model.label_transfer import LatentShot, TrainingShot
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.personal_model.scribbles import are_scribbles
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup
from smis_desktop.training.events import OnEvent, StageFinished, StageProgress, TrainingEvent
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.sample_pool import FeatureStore, SamplePool
from smis_desktop.training.stages import Stage, all_stages

_STAGE_KIND, _VERSION = "training-stage", 1
_DESCRIPTION = "training.json"
_STORED_NAMES = {
    "consistency_steps": "obedience_steps",
    "consistency_batch_size": "obedience_batch_size",
    "consistency_learning_rate": "obedience_learning_rate",
}
"""Settings whose names in files differ from those here."""


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that determines a training, given generator, shots and palette.

    top_k and threshold matter to sparse labels only, top_k to landmarks alone (see `uses_probe`). `samples`
    pseudo-labelled pictures are made in rounds; after each round the encoder takes `steps_per_round` steps of
    `batch_size` on all samples so far. With a probe, `consistency_steps` of layout consistency training follow.
    """

    label_kind: LabelKind = "dense"
    transfer: TransferRule = "informed"
    top_k: int = 3
    threshold: float = 0.5
    samples: int = 4800
    round_size: int = 64
    steps_per_round: int = 4
    batch_size: int = 224
    learning_rate: float = 1.4e-3
    consistency_steps: int = 160
    consistency_batch_size: int = 8
    consistency_learning_rate: float = 4e-4
    encoder_width: int = 512
    seed: int = 0
    precision: Precision = "float32"
    """Precision of the products in samples and steps (see `generators.device`). A resumed training keeps its own."""
    inversion: InversionSettings = field(default_factory=InversionSettings)

    @property
    def rounds(self) -> int:
        """The number of rounds that `samples` take."""
        return -(-self.samples // self.round_size)


class ProgressEstimate:
    """Estimates how far a whole training is, and how many seconds it still takes.

    Stages weigh by the seconds that they are expected to take. How much slower or faster this machine is than the one
    those were measured on shows in the first stage that runs; later stages are scaled by that pace.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        settings: TrainingSettings,
        num_photos: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = {stage.name: stage.expected_seconds(settings, num_photos) for stage in stages}
        self._clock = clock
        self._begun: dict[str, tuple[float, float]] = {}
        self._paces: dict[str, float] = {}
        self.idle_seconds = 0.0
        """How long the training was paused."""

    def at(self, stage: Stage, done: float) -> tuple[float, float | None]:
        """Returns the fraction of the whole training, and the seconds left if known, when `done` (0–1) of a stage is
        done."""
        names = list(self._seconds)
        place, expected = names.index(stage.name), self._seconds[stage.name]
        before = sum(self._seconds[name] for name in names[:place])
        after = sum(self._seconds[name] for name in names[place + 1 :])
        fraction = (before + done * expected) / (before + expected + after)
        if stage.predicts_pace:
            now = self._clock() - self.idle_seconds
            # A resumed stage begins in the middle, and the first step is slow.
            first, since = self._begun.setdefault(stage.name, (done, now))
            if done > first:
                self._paces[stage.name] = (now - since) / (expected * (done - first))
        if not self._paces:
            return fraction, None
        machine = next(iter(self._paces.values()))
        own = self._paces.get(stage.name, machine)
        return fraction, own * expected * (1 - done) + machine * after


class TrainingStore(Protocol):
    """Keeps the intermediate results of a training by name."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """Returns what was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Replaces what is under that name, atomically."""
        ...


class ReadOnly:
    """The read-only store of a process that is not the main process."""

    def __init__(self, store: TrainingStore) -> None:
        self._store = store

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._store.read(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Does nothing: the main process writes."""


class TrainingFolder:
    """A `TrainingStore` in a folder. Files are written atomically: a stop loses at most the current stage."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, model_path: Path) -> TrainingFolder:
        """Returns the folder of a model's training: `my.smismodel` → `my.smismodel.training/`."""
        return cls(model_path.with_name(model_path.name + ".training"))

    def open(self, description: Mapping[str, Any], resume: bool) -> bool:
        """Creates the folder, or checks that it holds the same training. Returns whether there is one to resume.

        Raises UserError when there is one but not `resume`, or when it is a different one.
        """
        text = json.dumps(description, sort_keys=True)
        described = self.path / _DESCRIPTION
        if described.is_file():
            if not resume:
                raise UserError(
                    f"{self.path} holds an unfinished training; add --resume to go on with it, "
                    "or delete that folder to start anew."
                )
            if described.read_text(encoding="utf-8") != text:
                raise UserError(
                    f"{self.path} holds a training with other shots or settings; use the same ones with --resume, "
                    "or delete that folder to start anew."
                )
            return True
        try:
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be made ({error.strerror}); choose an --out in a folder you can write to."
            ) from error
        write_bytes(described, text.encode())
        return False

    def begun(self) -> dict[str, Any]:
        """Returns the description that the unfinished training was opened with; empty where there is none."""
        try:
            found = json.loads((self.path / _DESCRIPTION).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def read(self, name: str) -> dict[str, Tensor] | None:
        path = self._file(name)
        if not path.is_file():
            return None
        tensors, _ = read_tensors(path, _STAGE_KIND, _VERSION, "delete it and resume: it is made again")
        return tensors

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        write_tensors(self._file(name), _STAGE_KIND, _VERSION, tensors, {"name": name})

    def write_picture(self, name: str, content: bytes) -> Path:
        """Writes an encoded picture to the folder, for people to look at; returns its path."""
        write_bytes(self.path / name, content)
        return self.path / name

    def remove(self) -> None:
        """Deletes the folder, once the model is written."""
        shutil.rmtree(self.path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"


@dataclass(eq=False)
class TrainingContext:
    """What the stages of a training share: its inputs, and the results of earlier stages.

    open_perceptual: called only if a photo has to be inverted. backend: synthesises in the settings' precision.
    on_improved: called with each usable intermediate model. group: the processes that train together, each with the
    same arguments; only the main process writes to `store` and reports events, and the model is the same in all.
    feature_cache: features of the same random pictures, in that precision, from other trainings.
    """

    name: str
    generator: Generator
    shots: Sequence[TrainingShot]
    palette: Palette
    settings: TrainingSettings
    store: TrainingStore
    on_event: OnEvent
    open_perceptual: Callable[[], PerceptualDistance]
    backend: SynthesisBackend
    on_improved: Callable[[PersonalModel], None] | None = None
    group: ProcessGroup = SINGLE_PROCESS
    feature_cache: FeatureStore | None = None

    initial_latents: list[Tensor | None] = field(init=False)
    """For each shot the `w` [512] at which its inversion begins; None for the mean, or where none is needed."""
    shot_latents: list[Tensor | None] = field(init=False)
    """Of each shot [1, num_ws, 512] where the generator made it, else [2, num_ws, 512] (see `latent_pair`); None where
    it is still to be inverted."""
    latent_shots: list[LatentShot] = field(init=False)
    model: PersonalModel = field(init=False)
    """Whole from the label transfer on; later stages replace its encoder."""
    pool: SamplePool = field(init=False)
    estimate: ProgressEstimate = field(init=False)

    def __post_init__(self) -> None:
        if not self.group.is_main_process:
            self.store, self.on_event, self.on_improved = ReadOnly(self.store), _ignore, None
        self.initial_latents = [None] * len(self.shots)
        known = [shot.found if shot.ws is None else shot.ws[None] for shot in self.shots]
        self.shot_latents = [None if latents is None else latents.cpu() for latents in known]
        num_photos = sum(latents is None for latents in known)
        self.estimate = ProgressEstimate(all_stages(), self.settings, num_photos)

    @cached_property
    def layouts(self) -> list[Tensor]:
        """The shots' labels in palette channels, int64 [r, r]."""
        side = self.generator.feature_resolution
        return [layout_channels(shot.label_map, self.palette, self.settings.label_kind, side) for shot in self.shots]

    def check(self) -> None:
        """Raises UserError when a label has no labelled pixel, or when a batch is too small for the processes."""
        settings = self.settings
        smallest = min(settings.batch_size, settings.consistency_batch_size, settings.round_size)
        if self.group.size > smallest:
            raise UserError(
                f"{self.group.size} processes are too many for batches of {smallest}; start {smallest} at most."
            )
        for shot, layout in zip(self.shots, self.layouts, strict=True):
            if not bool((layout != UNKNOWN_CHANNEL).any()):
                raise UserError(
                    f"The label of {shot.name} has no labelled pixel; paint at least one class and train again."
                )

    def send(self, event: TrainingEvent) -> None:
        """Passes the event on. The time that listeners take, which may pause the training, counts as idle."""
        since = time.monotonic()
        self.on_event(event)
        self.estimate.idle_seconds += time.monotonic() - since

    def report(
        self,
        stage: Stage,
        label: str,
        done: float,
        total: float,
        *,
        stage_done: float | None = None,
        loss: float | None = None,
        shot_names: tuple[str, ...] = (),
        shot_numbers: tuple[int, ...] = (),
        pictures: tuple[np.ndarray, ...] = (),
    ) -> None:
        """Sends a `StageProgress`. stage_done: the fraction of the stage's work, where that is not done / total."""
        overall, left = self.estimate.at(stage, done / total if stage_done is None else stage_done)
        self.send(
            StageProgress(
                stage.name, label, done, total, overall, left, loss, shot_names, shot_numbers, pictures
            )
        )  # fmt: skip

    def encoder_to_train(self) -> LayoutEncoder:
        """Returns a trainable copy of the model's encoder."""
        return copy.deepcopy(self.model.encoder).requires_grad_(True)

    def show_improved(self, encoder: LayoutEncoder) -> tuple[np.ndarray, ...]:
        """Gives the model that encoder, passes the model to `on_improved`, and returns pictures by it.

        Those are of the shots' own layouts, by the quick path, uint8 [S, S, 3] each; in the main process alone.
        """
        self.model = dataclasses.replace(self.model, encoder=freeze(encoder))
        if not self.group.is_main_process:
            return ()
        pictures = []
        with torch.inference_mode():
            for shot in self.latent_shots:
                ws = encoder(one_hot(shot.labels[None], encoder.shape.num_classes), self.generator)
                coarse = self.backend.coarse_features(ws)
                picture = self.backend.synthesize_fine(coarse, ws, draft_side(self.generator), None)[0]
                pictures.append(to_rgb8(picture))
        if self.on_improved is not None:
            self.on_improved(self.model)
        return tuple(pictures)


def train(context: TrainingContext) -> PersonalModel:
    """Runs all stages, each from where the context's store has it, and returns the personal model.

    Raises UserError when a label has no labelled pixel, or when a batch is too small for so many processes.
    """
    context.check()
    for stage in all_stages():
        if stage.is_needed(context):
            stage.run(context)
            context.send(StageFinished(stage.name))
    return context.model


def uses_probe(settings: TrainingSettings, labels: Sequence[Tensor]) -> bool:
    """Returns whether a probe transfers these labels (int64 [r, r] in channels); for landmarks it never does."""
    return settings.transfer != "vectors" and (settings.label_kind == "dense" or are_scribbles(labels))


def describe(settings: TrainingSettings, shot_names: Sequence[str]) -> dict[str, Any]:
    """Returns settings as JSON-compatible values, for the model's file and to recognise an unfinished training."""
    facts = {_STORED_NAMES.get(name, name): value for name, value in dataclasses.asdict(settings).items()}
    return {**facts, "shots": list(shot_names)}


def stored_precision(description: Mapping[str, Any]) -> Precision | None:
    """Returns the precision of the unfinished training with that description; None where there is no description."""
    if not description:
        return None
    return "bfloat16" if description.get("precision") == "bfloat16" else "float32"


def _ignore(event: TrainingEvent) -> None:
    """Ignores an event: the main process reports it."""
