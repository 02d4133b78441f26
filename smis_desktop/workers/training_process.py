"""Training a personal model in a process of its own, from a shots folder to a model file, with the brush in hand."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.errors import UserError
from smis_desktop.workers.process import Inbox, Send, WorkerProcess
from smis_desktop.workers.shot_messages import SAMPLE_SIDE, ShotFound

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.document.palette import LabelKind
    from smis_desktop.formats.shots_folder import TransferRule
    from smis_desktop.generators.generator import Generator
    from smis_desktop.generators.layers import Precision
    from smis_desktop.inference.backends import SynthesisBackend
    from smis_desktop.personal_model.model import PersonalModel
    from smis_desktop.training.events import ShotInverted, TrainingEvent
    from smis_desktop.training.store import TrainingFolder
    from smis_desktop.training.training import TrainingSettings

log = logging.getLogger(__name__)

_STARTS_SECONDS, _PHOTO_SECONDS, _ENCODER_SECONDS, _OBEDIENCE_SECONDS = 14.0, 34.0, 75.0, 85.0
"""What a look for pictures to begin with, a photo's inversion, the usual samples and the usual steps for obedience take
on two cores: shares of the whole, and the first guess of the time that is left."""
_SMALL_STEP = 1 / 3
"""Time of an inversion's step at half the side, of one at the whole."""


@dataclass(frozen=True)
class TrainingOrder:
    """What to train, and how. shots: a shots folder. out: the model file; the unfinished training is kept beside it,
    and gone on with. samples: how many pseudo-labelled pictures to learn from (None: the usual number). workspace:
    where the shots come from; latents of photos that are found are kept there.
    """

    shots: Path
    out: Path
    generator: str
    name: str
    label_kind: LabelKind = "dense"
    top_k: int = 3
    threshold: float = 0.5
    transfer: TransferRule = "informed"
    samples: int | None = None
    obedience_steps: int | None = None
    seed: int = 0
    workspace: Path | None = None


@dataclass(frozen=True)
class Pause:
    """To the training: hold still until `Resume`."""


@dataclass(frozen=True)
class Resume:
    """To the training."""


@dataclass(frozen=True)
class FinishEarly:
    """To the training: what it is now is good enough; finish with it."""


@dataclass(frozen=True)
class TrainingStep:
    """Where it is. `fraction` 0–1 and `seconds_left` are of everything; `loss` is of the stage's own kind, None where
    it has none. photos: the names of those that are searched for."""

    stage: str
    fraction: float
    seconds_left: float | None
    loss: float | None = None
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PhotosGrowing:
    """What the photos that are searched for look like so far, uint8 [256, 256, 3] each."""

    pictures: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class TrainingPictures:
    """The shots' own layouts by the newest encoder, uint8 [256, 256, 3] each."""

    pictures: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True)
class ModelImproved:
    """A model that may be painted with already is in that file."""

    path: Path


@dataclass(frozen=True)
class TrainingPaused:
    """It holds still."""


@dataclass(frozen=True)
class SmallerBatch:
    """There was too little memory: it goes on with batches of that size."""

    batch_size: int


@dataclass(frozen=True)
class FallsBackToCpu:
    """The graphics card had too little memory for the smallest batch: the processor goes on from the last stage."""


@dataclass(frozen=True)
class Trained:
    """The model is written."""

    path: Path
    seconds: float


def training(order: TrainingOrder, deliver: Callable[[Any], None]) -> WorkerProcess:
    """A training process, not started yet. deliver: gets the messages above, `ShotFound` of photos that are kept in the
    workspace, `WorkFailed`, and at last `WorkEnded`."""
    return WorkerProcess(train_by_order, (order,), deliver)


def train_by_order(send: Send, inbox: Inbox, order: TrainingOrder) -> None:
    """The process's work. Raises UserError for shots that cannot be learned from, and a full disk."""
    import torch

    from smis_desktop.formats.shots_folder import read_shots
    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.store import open_generator
    from smis_desktop.inference.backend_selection import open_chosen_backend
    from smis_desktop.personal_model.model import read_personal_model, write_personal_model
    from smis_desktop.training.feature_cache import FeatureCache
    from smis_desktop.training.oom import is_out_of_memory, retry_with_smaller_batches
    from smis_desktop.training.perceptual import open_perceptual_distance
    from smis_desktop.training.shots import training_shots
    from smis_desktop.training.store import TrainingFolder, shots_digest
    from smis_desktop.training.training import describe, precision_begun_with, train
    from smis_desktop.workers.model_pictures import keep_picture

    started = time.monotonic()
    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    send(TrainingStep("opening", 0.0, None))
    folder = read_shots(order.shots, order.label_kind)
    generator = open_generator(order.generator).to(best_device())
    stages = TrainingFolder.beside(order.out)

    def opened_pictures(precision: Precision | None) -> SynthesisBackend:
        return open_chosen_backend(generator, threads, lambda words, fraction: None, precision)

    pictures = opened_pictures(precision_begun_with(stages.begun()))
    shots = training_shots(order.shots, folder, generator, order.label_kind)
    settings = replace(settings_of(order), precision=pictures.precision)
    description = {
        **describe(settings, [shot.name for shot in shots]),
        "generator_sha256": generator.weights_sha256,
        "classes": [[c.class_id, c.name, *c.color] for c in folder.palette.classes],
        "shots_sha256": shots_digest({shot.name: (shot.picture, shot.label_map) for shot in folder.shots}),
    }
    try:
        stages.open(description, resume=True)
    except UserError:
        stages.remove()  # of other shots or settings: the person has changed something and pressed Train again
        stages.open(description, resume=True)
    unfinished = stages.path / "unfinished.smismodel"
    watcher = _Watcher(send, inbox, settings, sum(not shot.is_known for shot in shots))
    store = _Stages(stages, order, generator, send)

    def tell(event: TrainingEvent) -> None:
        store.hear(event)
        watcher.tell(event)

    def improved(model: PersonalModel) -> None:
        write_personal_model(unfinished, model)
        send(ModelImproved(unfinished))
        watcher.has_model = True

    def trained(settings: TrainingSettings) -> PersonalModel:
        return train(
            order.name, generator,
            lambda: open_perceptual_distance(lambda words, fraction: None).to(generator.device),
            shots, folder.palette, settings, store, tell, pictures, improved,
            kept=FeatureCache.of(generator, settings),
        )  # fmt: skip

    def tell_smaller(smaller: TrainingSettings) -> None:
        send(SmallerBatch(smaller.batch_size))

    try:
        try:
            model = retry_with_smaller_batches(trained, settings, tell_smaller)
        except (MemoryError, RuntimeError) as error:
            if generator.device.type == "cpu" or not is_out_of_memory(error):
                raise
            generator.to("cpu")
            pictures = opened_pictures(settings.precision)
            send(FallsBackToCpu())
            model = retry_with_smaller_batches(trained, settings, tell_smaller)
        write_personal_model(order.out, model)
    except _FinishedEarly:
        os.replace(unfinished, order.out)
    stages.remove()
    try:
        keep_picture(order.out, generator, pictures, read_personal_model(order.out))
    except UserError as error:
        log.warning("the model is there, but no picture of it: %s", error)
    send(Trained(order.out, time.monotonic() - started))


def settings_of(order: TrainingOrder) -> TrainingSettings:
    """All that the order leaves open as it usually is."""
    from smis_desktop.training.training import TrainingSettings

    usual = TrainingSettings()
    samples = order.samples or usual.samples
    return replace(
        usual,
        label_kind=order.label_kind,
        top_k=order.top_k,
        threshold=order.threshold,
        transfer=order.transfer,
        samples=samples,
        round_size=min(usual.round_size, samples),
        seed=order.seed,
        obedience_steps=usual.obedience_steps if order.obedience_steps is None else order.obedience_steps,
    )


class _FinishedEarly(Exception):
    """The person wants the model as it is."""


class _Stages:
    """The training's folder, which goes with the training; photos that were found stay in the workspace, where searches
    keep theirs."""

    def __init__(self, folder: TrainingFolder, order: TrainingOrder, generator: Generator, send: Send) -> None:
        self._folder, self._order, self._generator, self._send = folder, order, generator, send
        self._inverted: ShotInverted | None = None

    def hear(self, event: TrainingEvent) -> None:
        """A photo's figures come just before its latents are written."""
        from smis_desktop.training.events import ShotInverted

        if isinstance(event, ShotInverted):
            self._inverted = event

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._folder.read(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        inverted, self._inverted = self._inverted, None
        if inverted is not None and name.startswith("inverted-"):
            self._keep(inverted, tensors)
        self._folder.write(name, tensors)

    def _keep(self, inverted: ShotInverted, tensors: dict[str, Tensor]) -> None:
        import torch

        from smis_desktop.generators.generator import to_rgb8
        from smis_desktop.training.workspace import Workspace

        if self._order.workspace is None:
            return
        workspace, name = Workspace(self._order.workspace), inverted.name
        if not workspace.has_picture_of(self._order.shots, name):
            return
        ws, reconstruction_ws = tensors["ws"], tensors["close_ws"]
        is_kept = workspace.set_better_latents(
            name, ws.numpy(), reconstruction_ws.numpy(), inverted.psnr, inverted.perceptual, inverted.is_by_label
        )
        with torch.inference_mode():
            picture = to_rgb8(self._generator.draft(reconstruction_ws[None].to(self._generator.device), SAMPLE_SIDE)[0])
        self._send(ShotFound(name, inverted.psnr, inverted.perceptual, is_kept, picture))


class _Watcher:
    """Turns the training's events into messages, and does between two of them what it was told to."""

    def __init__(self, send: Send, inbox: Inbox, settings: TrainingSettings, to_invert: int) -> None:
        self._send, self._inbox = send, inbox
        self.has_model = False
        self._left = _TimeLeft(settings, to_invert)

    def tell(self, event: TrainingEvent) -> None:
        from smis_desktop.training.events import (
            EncoderProgress,
            InvertingShots,
            LayoutConsistencyProgress,
            SearchingInitialLatents,
            ShotInverted,
        )

        left = self._left
        if isinstance(event, SearchingInitialLatents):
            self._step("starts", event.pictures / event.count, None)
        elif isinstance(event, InvertingShots):
            part, seconds = left.inverting(event.step, len(event.names))
            self._step("inverting", part, seconds, event.best_loss, event.names)
            if event.pictures:
                self._send(PhotosGrowing(event.pictures))
        elif isinstance(event, ShotInverted):
            left.inverted += 1
        elif isinstance(event, EncoderProgress):
            seconds = left.encoder(event.total_samples / event.samples_per_second, event.seconds_left)
            self._step("encoder", event.samples / event.total_samples, seconds, event.loss)
            self._show(event.previews)
        elif isinstance(event, LayoutConsistencyProgress):
            self._step("obedience", event.step / event.steps, event.seconds_left, event.loss)
            self._show(event.previews)
        self._listen()

    def _step(
        self,
        stage: str,
        part: float,
        seconds_left: float | None,
        loss: float | None = None,
        photos: tuple[str, ...] = (),
    ) -> None:
        start, span = self._left.spans[stage]
        self._send(TrainingStep(stage, start + part * span, seconds_left, loss, photos))

    def _show(self, pictures: tuple[np.ndarray, ...]) -> None:
        if pictures:
            self._send(TrainingPictures(pictures))

    def _listen(self) -> None:
        told = self._inbox.take()
        if isinstance(told, Pause):
            self._send(TrainingPaused())
            since = time.monotonic()
            while not isinstance(told, Resume | FinishEarly):
                told = self._inbox.take(wait=True)
            self._left.rested += time.monotonic() - since
        if isinstance(told, FinishEarly) and self.has_model:
            raise _FinishedEarly


class _TimeLeft:
    """Of the whole training, by the pace so far: stages to come take as many times their usual seconds as this one."""

    def __init__(self, settings: TrainingSettings, to_invert: int) -> None:
        from smis_desktop.training.training import TrainingSettings

        usual = TrainingSettings()
        self._inversion, self._to_invert = settings.inversion, max(1, to_invert)
        self._encoder = _ENCODER_SECONDS * settings.samples / usual.samples
        self._obedience = _OBEDIENCE_SECONDS * settings.obedience_steps / usual.obedience_steps
        self.inverted = 0
        self.rested = 0.0
        """Seconds in which it was paused."""
        self._begun: tuple[float, float] | None = None
        self._pace: float | None = None
        usually = {
            "starts": _STARTS_SECONDS if to_invert else 0.0,
            "inverting": _PHOTO_SECONDS * to_invert,
            "encoder": self._encoder,
            "obedience": self._obedience,
        }
        total, at = sum(usually.values()), 0.0
        self.spans: dict[str, tuple[float, float]] = {}
        """Where each stage begins, and its share of the whole."""
        for stage, seconds in usually.items():
            self.spans[stage] = (at / total, seconds / total)
            at += seconds

    def inverting(self, step: int, count: int) -> tuple[float, float | None]:
        """After a step of the inversion of so many photos at once: the share of all photos that is done, and the
        seconds left of everything; None before there is a pace."""
        done = min(self.inverted + count * self._photo_share(step), float(self._to_invert))
        worked = time.monotonic() - self.rested
        if self._begun is None:
            self._begun = done, worked  # one that is gone on with begins in the middle, and the first step is slow
        first, since = self._begun
        if done > first:
            self._pace = (worked - since) / (_PHOTO_SECONDS * (done - first))
        if self._pace is None:
            return done / self._to_invert, None
        left = _PHOTO_SECONDS * (self._to_invert - done) + self._encoder + self._obedience
        return done / self._to_invert, self._pace * left

    def encoder(self, whole: float, left: float) -> float:
        """whole, left: seconds of this stage, as it goes."""
        pace = whole / self._encoder if self._pace is None else self._pace
        return left + pace * self._obedience

    def _photo_share(self, step: int) -> float:
        settings = self._inversion
        small = settings.small_steps

        def work(steps: int) -> float:
            return _SMALL_STEP * min(steps, small) + max(0, steps - small)

        return work(step) / work(settings.all_steps)
