"""Measures how fast this machine trains, by a few seconds of the real code."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from smis_desktop.generators.generator import Generator, latents_of_seed, to_rgb8
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner, split_evenly
from smis_desktop.training.flat_adamw import FlatAdamW
from smis_desktop.training.inversion import Inversion, InversionSettings, run_inversions
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.stages.encoder import (
    EncoderTrainer,
    LatentObjective,
    first_answers,
    with_correction,
)
from smis_desktop.training.stages.layout_consistency import LayoutConsistencyObjective
from smis_desktop.training.training import TrainingSettings

_CLASSES = 12
_DIRECTIONS = 16
_SAMPLES = 8
_INVERSION_STEPS = 6
"""Few, but with the same mix of step sizes as a whole inversion."""


@dataclass(frozen=True)
class Pace:
    """The seconds that three things take: the inversion of all photos, one round, one layout consistency step."""

    inversion: float
    round: float
    consistency_step: float


def measured_pace(
    generator: Generator,
    perceptual: PerceptualDistance | None,
    settings: TrainingSettings,
    backend: SynthesisBackend | None = None,
    to_invert: int = 0,
) -> Pace:
    """Times a few inversion steps, samples and encoder steps, without drawing from a training's random streams.

    to_invert: the number of photos; if there are any, the perceptual network is needed.
    """
    inversion = 0.0
    if perceptual is not None and to_invert:
        inversion = _seconds_of_inversion(generator, perceptual, to_invert, settings.inversion)
    pool = _pool(generator, settings, backend)
    sample = _seconds(lambda: pool.grow(), generator) / _SAMPLES
    encoder = _encoder(generator, settings)
    latent_objective = _latent_objective(generator, settings, SINGLE_PROCESS)
    trainer = EncoderTrainer(encoder, latent_objective, settings.seed, 1e-4, 10, settings.precision)
    encoder_step = _seconds(lambda: trainer.step(pool), generator)
    encoder = with_correction(encoder, generator)
    correction = _seconds(_correction_work(encoder, latent_objective, pool, generator, settings), generator)
    weights = {r: torch.zeros(_CLASSES, generator.feature_channels(r)) for r in (8, generator.feature_resolution)}
    probe = LinearProbe(weights, torch.zeros(_CLASSES)).to(generator.device)
    colors = torch.zeros(generator.feature_channels(generator.feature_resolution) + 1, 3)
    before = copy.deepcopy(encoder).requires_grad_(False)
    objective = LayoutConsistencyObjective(generator, probe, colors, before, settings.consistency_batch_size)
    trainer = EncoderTrainer(encoder, objective, settings.seed, 1e-4, 10, settings.precision)
    consistency_step = _seconds(lambda: trainer.step(pool), generator)
    round_seconds = settings.round_size * sample + settings.steps_per_round * (encoder_step + correction)
    return Pace(inversion, round_seconds, consistency_step)


def _correction_work(
    encoder: LayoutEncoder,
    objective: LatentObjective,
    pool: SamplePool,
    generator: Generator,
    settings: TrainingSettings,
) -> Callable[[], object]:
    """Returns a step of the correction's training, together with the answers that it takes in a whole training."""
    assert encoder.correction is not None
    answers = first_answers(encoder, generator, pool, settings.seed)
    optimizer = FlatAdamW(copy.deepcopy(encoder.correction).requires_grad_(True), SINGLE_PROCESS)
    random = torch.Generator().manual_seed(0)

    def work() -> None:
        first_answers(encoder, generator, pool, settings.seed)  # of as many samples as one of the steps of a round
        loss = answers.loss(optimizer.network, objective, settings.batch_size, random)
        optimizer.step(loss, 1e-4)

    return work


class Rounds:
    """The rounds of a training: each grows the pool, then trains the encoder on it."""

    def __init__(
        self, generator: Generator, settings: TrainingSettings, backend: SynthesisBackend, group: ProcessGroup
    ) -> None:
        """group: the processes that take the rounds together."""
        self.size, self._steps = settings.round_size, settings.steps_per_round
        self._pool = _pool(generator, settings, backend, self.size, group)
        objective = _latent_objective(generator, settings, group)
        encoder = _encoder(generator, settings)
        self._trainer = EncoderTrainer(encoder, objective, settings.seed, 1e-4, 1000, settings.precision, group)

    def take(self) -> None:
        """Takes one round."""
        self._pool.grow()
        for _ in range(self._steps):
            self._trainer.step(self._pool)


def _pool(
    generator: Generator,
    settings: TrainingSettings,
    backend: SynthesisBackend | None,
    samples: int = _SAMPLES,
    group: ProcessGroup = SINGLE_PROCESS,
) -> SamplePool:
    draws = torch.Generator().manual_seed(0)
    sides = generator.label_features(generator.broadcast(generator.w_avg[None]))
    weights = {r: 0.01 * torch.randn(_CLASSES, found.shape[1], generator=draws) for r, found in sides.items()}
    transfer = LinearProbe(weights, torch.zeros(_CLASSES))
    return SamplePool(generator, transfer.to(generator.device), settings.seed, samples, _CLASSES, backend, group)


def _latent_objective(generator: Generator, settings: TrainingSettings, group: ProcessGroup) -> LatentObjective:
    return LatentObjective(settings.batch_size, generator.latents, torch.eye(_DIRECTIONS, generator.w_dim), group)


def _encoder(generator: Generator, settings: TrainingSettings) -> LayoutEncoder:
    groups = (len(generator.coarse_slots), len(generator.middle_slots), len(generator.fine_slots))
    shape = EncoderShape(
        _CLASSES, generator.num_ws, generator.w_dim, groups, generator.feature_resolution, settings.encoder_width
    )
    with torch.random.fork_rng(devices=[]):
        return LayoutEncoder(shape).to(generator.device)


def _seconds(work: Callable[[], object], generator: Generator) -> float:
    """Returns the mean duration of two calls, after one to warm up."""
    work()
    _finish(generator)
    started = time.perf_counter()
    work()
    work()
    _finish(generator)
    return (time.perf_counter() - started) / 2


def _seconds_of_inversion(
    generator: Generator, perceptual: PerceptualDistance, photos: int, settings: InversionSettings
) -> float:
    """Estimates the inversion of `photos` photos from a short one of as many as a training inverts at once."""
    with torch.no_grad():
        photo = to_rgb8(generator.draft(latents_of_seed(generator, 0, 1.0)[None], 256)[0])
    count = max(len(group) for group in split_evenly(range(photos), generator.device))
    short = dataclasses.replace(settings, steps=_INVERSION_STEPS)

    def invert(runner: ThreadedRunner) -> None:
        run_inversions([Inversion(generator, perceptual, photo, short) for _ in range(count)], runner=runner)
        _finish(generator)

    with ThreadedRunner(count) as runner:
        invert(runner)  # to warm up
        started = time.perf_counter()
        invert(runner)
    seconds = time.perf_counter() - started
    return seconds / count * photos * settings.all_steps / short.all_steps


def _finish(generator: Generator) -> None:
    if generator.device.type == "cuda":
        torch.cuda.synchronize(generator.device)
