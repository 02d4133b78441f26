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
from smis_desktop.jobs.spawned import Inbox, Send, Spawned

if TYPE_CHECKING:
    from smis_desktop.fewshot.events import TrainingEvent
    from smis_desktop.fewshot.personal_model import PersonalModel
    from smis_desktop.fewshot.training import TrainingSettings
    from smis_desktop.gan.pictures import Pictures
    from smis_desktop.gan.precision import Precision
    from smis_desktop.labels.shots import LabelKind

log = logging.getLogger(__name__)

_SMALLEST_BATCH = 2


@dataclass(frozen=True)
class TrainingOrder:
    """What to train, and how. shots: a shots folder. out: the model file; the unfinished training is kept beside it,
    and gone on with. samples: how many pseudo-labelled pictures to learn from (None: the usual number).
    """

    shots: Path
    out: Path
    generator: str
    name: str
    label_kind: LabelKind = "dense"
    top_k: int = 3
    threshold: float = 0.5
    samples: int | None = None
    obedience_steps: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Pause:
    """To the training: hold still until `GoOn`."""


@dataclass(frozen=True)
class GoOn:
    """To the training."""


@dataclass(frozen=True)
class UseNow:
    """To the training: what it is now is good enough; finish with it."""


@dataclass(frozen=True)
class TrainingStep:
    """Where it is. `fraction` 0–1 of everything; `loss` of the stage's own kind, None where it has none."""

    stage: str
    fraction: float
    seconds_left: float | None
    loss: float | None = None


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
class GoesOnOnProcessor:
    """The graphics card had too little memory for the smallest batch: the processor goes on from the last stage."""


@dataclass(frozen=True)
class Trained:
    """The model is written."""

    path: Path
    seconds: float


def training(order: TrainingOrder, deliver: Callable[[Any], None]) -> Spawned:
    """Not started yet. deliver: the messages above, `WorkFailed` and at last `WorkEnded`."""
    return Spawned(train_by_order, (order,), deliver)


def train_by_order(send: Send, inbox: Inbox, order: TrainingOrder) -> None:
    """The process's work. Raises UserError for shots that cannot be learned from, and a full disk."""
    import torch

    from smis_desktop.fewshot.training import describe, precision_begun_with, train
    from smis_desktop.gan.device import best_device
    from smis_desktop.jobs.model_pictures import keep_picture
    from smis_desktop.jobs.shot_latents import training_shots
    from smis_desktop.labels.shots import read_shots
    from smis_desktop.storage.backend_choice import open_chosen_pictures
    from smis_desktop.storage.generator_store import open_generator
    from smis_desktop.storage.kept_features import KeptFeatures
    from smis_desktop.storage.perceptual_store import open_perceptual_distance
    from smis_desktop.storage.personal_model_file import read_personal_model, write_personal_model
    from smis_desktop.storage.training_folder import TrainingFolder, shots_digest

    started = time.monotonic()
    threads = max(1, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    send(TrainingStep("opening", 0.0, None))
    folder = read_shots(order.shots, order.label_kind)
    generator = open_generator(order.generator).to(best_device())
    stages = TrainingFolder.beside(order.out)

    def opened_pictures(precision: Precision | None) -> Pictures:
        return open_chosen_pictures(generator, threads, lambda words, fraction: None, precision)

    pictures = opened_pictures(precision_begun_with(stages.begun()))
    shots = training_shots(order.shots, folder, generator)
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

    def improved(model: PersonalModel) -> None:
        write_personal_model(unfinished, model)
        send(ModelImproved(unfinished))
        watcher.has_model = True

    while True:
        try:
            model = train(
                order.name, generator,
                lambda: open_perceptual_distance(lambda words, fraction: None).to(generator.device),
                shots, folder.palette, settings, stages, watcher.tell, pictures, improved,
                kept=KeptFeatures.of(generator, settings),
            )  # fmt: skip
            write_personal_model(order.out, model)
            break
        except _Enough:
            os.replace(unfinished, order.out)
            break
        except (MemoryError, RuntimeError) as error:
            if not _is_lack_of_memory(error):
                raise
            if settings.batch_size > _SMALLEST_BATCH:
                settings = replace(
                    settings,
                    batch_size=settings.batch_size // 2,
                    obedience_batch_size=max(_SMALLEST_BATCH, settings.obedience_batch_size // 2),
                )
                send(SmallerBatch(settings.batch_size))
            elif generator.device.type != "cpu":
                generator.to("cpu")
                pictures = opened_pictures(settings.precision)
                settings = replace(settings_of(order), precision=settings.precision)
                send(GoesOnOnProcessor())
            else:
                raise
    stages.remove()
    try:
        keep_picture(order.out, generator, pictures, read_personal_model(order.out))
    except UserError as error:
        log.warning("the model is there, but no picture of it: %s", error)
    send(Trained(order.out, time.monotonic() - started))


def settings_of(order: TrainingOrder) -> TrainingSettings:
    """All that the order leaves open as it usually is."""
    from smis_desktop.fewshot.training import TrainingSettings

    usual = TrainingSettings()
    samples = order.samples or usual.samples
    return replace(
        usual,
        label_kind=order.label_kind,
        top_k=order.top_k,
        threshold=order.threshold,
        samples=samples,
        round_size=min(usual.round_size, samples),
        seed=order.seed,
        obedience_steps=usual.obedience_steps if order.obedience_steps is None else order.obedience_steps,
    )


class _Enough(Exception):
    """The person wants the model as it is."""


class _Watcher:
    """Turns the training's events into messages, and does between two of them what it was told to."""

    def __init__(self, send: Send, inbox: Inbox, settings: TrainingSettings, to_invert: int) -> None:
        self._send, self._inbox = send, inbox
        self.has_model = False
        # Shares of the whole, by the time they take: an inversion some 40 s, the encoder 200 s, obedience 80 s.
        obeying = 80.0 if settings.obedience_steps else 0.0
        spans = {"inverting": 40.0 * to_invert, "encoder": 200.0, "obedience": obeying}
        total, at = sum(spans.values()), 0.0
        self._spans = {}
        for stage, seconds in spans.items():
            self._spans[stage] = (at / total, seconds / total)
            at += seconds

    def tell(self, event: TrainingEvent) -> None:
        from smis_desktop.fewshot.events import EncoderProgress, InvertingShot, ObedienceProgress

        if isinstance(event, InvertingShot):
            part = (event.number - 1 + event.step / event.steps) / event.count
            self._step("inverting", part, None, event.best_loss)
        elif isinstance(event, EncoderProgress):
            self._step("encoder", event.samples / event.total_samples, event.seconds_left, event.loss)
            self._show(event.previews)
        elif isinstance(event, ObedienceProgress):
            self._step("obedience", event.step / event.steps, event.seconds_left, event.loss)
            self._show(event.previews)
        self._listen()

    def _step(self, stage: str, part: float, seconds_left: float | None, loss: float) -> None:
        start, span = self._spans[stage]
        self._send(TrainingStep(stage, start + part * span, seconds_left, loss))

    def _show(self, pictures: tuple[np.ndarray, ...]) -> None:
        if pictures:
            self._send(TrainingPictures(pictures))

    def _listen(self) -> None:
        told = self._inbox.take()
        if isinstance(told, Pause):
            self._send(TrainingPaused())
            while not isinstance(told, GoOn | UseNow):
                told = self._inbox.take(wait=True)
        if isinstance(told, UseNow) and self.has_model:
            raise _Enough


def _is_lack_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
