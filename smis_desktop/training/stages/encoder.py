"""The stages that train the encoder and its correction on pseudo-labelled samples, and the trainer that every objective
shares."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator, LatentStatistics
from smis_desktop.generators.layers import Precision, autocast_to, current_precision, freeze, in_float32
from smis_desktop.personal_model.encoder import Correction, LayoutEncoder, class_fractions, grid_features
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner
from smis_desktop.training.flat_adamw import FlatAdamW
from smis_desktop.training.sample_pool import SamplePool, draws
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.training import TrainingContext, TrainingSettings

_SECONDS = 75.0
_CHECKPOINT_EVERY = 8
"""Rounds between two checkpoints."""
_WARM_UP = 0.1
"""Fraction of the steps, fifty at most, in which the learning rate rises."""
_OTHER_DIRECTIONS_WEIGHT = 0.1
"""Weight of errors in all directions that move no class. It matters little."""
_DROP_SAMPLE, _DROP_CLASS = 0.4, 0.2
"""Fraction of samples in which classes are dropped, and each class's chance there."""
_DROP_SQUARE = 0.5
"""Fraction of the squares of the encoder's grid that are dropped."""
CORRECTIONS = 2
"""How many times an answer is corrected. Each takes up to a tenth of the time of a draft."""
_CORRECTION_SECONDS = 18.0
_MAX_ANSWERS = 4096
"""First answers to learn from. From half as many it learns single samples (docs/experiments/encoder.md)."""
_MAX_READ = 512
"""Pictures that the reading of class fractions is fitted to."""
_MAX_DROPPED = 0.7
"""Largest fraction of the grid's squares that are erased before a first answer. The encoder knows the pool by heart;
its answers to damaged layouts are as wrong as those to new ones."""
_BATCH = 16
"""Pictures at once whose features are computed; they are small."""
_RIDGE = 1e-3
"""Relative to the mean square of the features."""
_REPORT_EVERY = 20


@register_stage
class EncoderStage(Stage):
    """Grows the pool of samples round by round, and trains the encoder on the whole pool after each."""

    name, position = "encoder", 40
    milestone, milestone_text = "encoder_trained", "encoder trained"

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _SECONDS * settings.samples / TrainingSettings().samples

    def run(self, context: TrainingContext) -> None:
        settings, model = context.settings, context.model
        assert model.directions is not None
        context.pool = SamplePool(
            context.generator, model.transfer, settings.seed, settings.round_size, context.palette.num_classes,
            context.backend, context.group, context.feature_cache,
        )  # fmt: skip
        self._add_round(context, 0)
        encoder = context.encoder_to_train()
        shares = class_fractions(context.pool.labels, encoder.shape.num_classes, encoder.grid_side)
        encoder.set_input_mean(shares.to(encoder.w_avg.device))
        objective = LatentObjective(settings.batch_size, context.generator.latents, model.directions, context.group)
        trainer = EncoderTrainer(
            encoder,
            objective,
            settings.seed,
            settings.learning_rate,
            settings.rounds * settings.steps_per_round,
            settings.precision,
            context.group,
        )
        checkpoint = context.store.read("encoder")
        if checkpoint is not None:
            trainer.restore(checkpoint)
        self._train(context, trainer)
        context.model = dataclasses.replace(context.model, encoder=freeze(trainer.averaged()))

    def _train(self, context: TrainingContext, trainer: EncoderTrainer) -> None:
        settings, pool, label = context.settings, context.pool, "Training the encoder"
        size, rounds = settings.round_size, settings.rounds
        first = trainer.steps // settings.steps_per_round
        context.report(self, label, first * size, rounds * size)
        for number in range(rounds):
            if number:
                self._add_round(context, number)
            if number < first:
                continue
            losses = [trainer.step(pool) for _ in range(settings.steps_per_round)]
            done = number + 1
            pictures: tuple[np.ndarray, ...] = ()
            if done % _CHECKPOINT_EVERY == 0 or done == rounds:
                context.store.write("encoder", trainer.state())
                pictures = context.show_improved(trainer.averaged())
            loss = sum(losses) / len(losses)
            context.report(self, label, done * size, rounds * size, loss=loss, pictures=pictures)

    @staticmethod
    def _add_round(context: TrainingContext, number: int) -> None:
        stored = context.store.read(f"pool-{number}")
        if stored is not None:
            context.pool.add(stored["w"], stored["labels"])
        else:
            w, labels = context.pool.grow()
            context.store.write(f"pool-{number}", {"w": w, "labels": labels})


class Objective(Protocol):
    """The objective that an encoder is trained for."""

    stream: str
    """Names the random stream that its batches are drawn from."""

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """Returns this process's share of the loss of one random batch, a scalar, differentiable in the encoder's
        weights.

        Draws from `random` alone, and the same in every process.
        """
        ...


class LatentObjective:
    """Predicting the `w` of pseudo-labelled samples (Endo & Kanamori 2021, section 3.3, equation 5), above all along
    the directions of `w` that move classes.

    The paper's ‖ŵ − w‖² weighs all dimensions alike. But of 512 about thirty can be read off a layout; all others a
    network can only memorise. So errors along those count as much as all others together, the stronger ones of them
    more; and grid dropout hides half of each layout, for the same reason.
    """

    stream = "batch"

    def __init__(
        self, batch_size: int, latents: LatentStatistics, directions: Tensor, group: ProcessGroup = SINGLE_PROCESS
    ) -> None:
        """latents: the generator's. directions [k, w_dim], orthonormal in whitened coordinates, the strongest first."""
        self._batch_size, self._latents, self._group = batch_size, latents, group
        self._directions = directions.to(latents.w_avg.device)
        strengths = torch.arange(1.0, len(directions) + 1, device=latents.w_avg.device).rsqrt()
        self._strengths = strengths / strengths.sum()
        self._spread = latents.std / latents.std.square().mean().sqrt()

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """Returns the mean squared errors in whitened coordinates, along the directions and of all slots."""
        chosen = pool.draw(self._batch_size, random)
        device = encoder.w_avg.device
        num_classes = encoder.shape.num_classes
        classes = dropped_classes(self._batch_size, num_classes, random)
        squares = grid_dropout(self._batch_size, encoder.grid_side, random)
        own = self._group.share(self._batch_size)
        fractions = class_fractions(pool.labels[chosen[own]].to(device), num_classes, encoder.grid_side)
        dropped = classes[own, 1:, None, None] | squares[own, None]
        structural, fine = encoder.coordinates(fractions.masked_fill(dropped.to(device), 0.0))
        with in_float32(structural):
            w = pool.w[chosen[own]].to(device)
            of_style = ((fine - self._latents.whiten(w)) * self._spread).square().mean(1)
            error = self.structural_error(structural, w) + _OTHER_DIRECTIONS_WEIGHT * of_style
        return error.sum() / self._batch_size

    def structural_error(self, structural: Tensor, w: Tensor) -> Tensor:
        """Returns [N]: the squared errors of structural coordinates [N, axes] of `w` [N, w_dim]."""
        with in_float32(structural):
            target, axes = self._latents.whiten(w), structural.shape[1]
            along = structural @ self._directions[:, :axes].T - target @ self._directions.T
            of_structure = (structural - target[:, :axes]).square().mean(1)
            error: Tensor = along.square() @ self._strengths + _OTHER_DIRECTIONS_WEIGHT * of_structure
            return error


def dropped_classes(count: int, num_classes: int, random: torch.Generator) -> Tensor:
    """Draws the classes to drop from `count` layouts, as if not painted yet: bool [count, num_classes + 1], unknown
    first."""
    affected = torch.rand(count, 1, generator=random) < _DROP_SAMPLE
    return (torch.rand(count, num_classes + 1, generator=random) < _DROP_CLASS) & affected


def grid_dropout(count: int, side: int, random: torch.Generator) -> Tensor:
    """Draws the grid squares to drop from `count` layouts, bool [count, side, side]. No layout looks like that; it
    regularises."""
    return torch.rand(count, side, side, generator=random) < _DROP_SQUARE


class EncoderTrainer:
    """Trains an encoder for an objective: `step(pool)`, then `averaged()` is the result.

    A step is a pure function of its number, the seed, the pool and the weights: no draw depends on earlier ones.
    """

    def __init__(
        self,
        encoder: LayoutEncoder,
        objective: Objective,
        seed: int,
        learning_rate: float,
        total_steps: int,
        precision: Precision = "float32",
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """group: the processes that take each step together, with the same `objective`.

        precision: of the products in a step; weights, their averages and the optimiser are always float32.
        """
        self.encoder = encoder.train()
        self._objective, self._precision = objective, precision
        self._seed, self._learning_rate, self._total_steps = seed, learning_rate, total_steps
        self._optimizer = FlatAdamW(encoder, group)

    @property
    def steps(self) -> int:
        """The number of steps taken."""
        return self._optimizer.steps

    def step(self, pool: SamplePool) -> float:
        """Takes one step on a random batch of the pool; returns the loss."""
        random = draws(self._seed, self._objective.stream, self.steps)
        with autocast_to(self._precision, self.encoder.w_avg.device):
            loss = self._objective.loss(self.encoder, pool, random)
        return self._optimizer.step(loss, self._learning_rate * learning_rate_factor(self.steps, self._total_steps))

    def averaged(self) -> LayoutEncoder:
        """Returns a copy with the averaged weights, the ones to use."""
        return self._optimizer.averaged()

    def state(self) -> dict[str, Tensor]:
        """Returns everything that the next step depends on, except the pool."""
        return self._optimizer.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continues from a `state()`. Raises KeyError or RuntimeError when it is of another encoder."""
        self._optimizer.restore(state)


def learning_rate_factor(steps: int, total_steps: int) -> float:
    """Returns the learning-rate factor after `steps` steps: linear warm-up, then half a cosine down to 2 %."""
    warm_up = min(1.0, (steps + 1) / min(50.0, max(1.0, _WARM_UP * total_steps)))
    return warm_up * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, steps / total_steps))))


@register_stage
class CorrectionStage(Stage):
    """Adds a correction to the encoder, and trains it on answers to the pool's layouts."""

    name, position = "correction", 43
    milestone, milestone_text = "correction_trained", "corrections trained"

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _CORRECTION_SECONDS * settings.samples / TrainingSettings().samples

    def is_needed(self, context: TrainingContext) -> bool:
        store = context.store
        # A training of an earlier version that is past this stage goes on without a correction.
        is_past = store.read("obedience") is not None and store.read("correction") is None
        return context.model.probe is not None and not is_past

    def run(self, context: TrainingContext) -> None:
        encoder = with_correction(context.model.encoder, context.generator)
        assert encoder.correction is not None
        stored = context.store.read("correction")
        if stored is None:
            encoder.correction.load_state_dict(self._trained(context, encoder).state_dict())
            context.store.write("correction", encoder.correction.state_dict())
        else:
            encoder.correction.load_state_dict(stored)
        context.model = dataclasses.replace(context.model, encoder=freeze(encoder))

    def _trained(self, context: TrainingContext, encoder: LayoutEncoder) -> Correction:
        settings, pool, directions = context.settings, context.pool, context.model.directions
        assert encoder.correction is not None
        assert directions is not None
        steps, label = settings.rounds * settings.steps_per_round, "Training corrections"
        context.report(self, label, 0, steps)
        with autocast_to(settings.precision, encoder.w_avg.device):
            encoder.correction.set_reading(*learn_reading(context.generator, pool, encoder.grid_side, context.group))
            answers = first_answers(encoder, context.generator, pool, settings.seed, context.group)
        correction = copy.deepcopy(encoder.correction).requires_grad_(True)
        optimizer = FlatAdamW(correction, context.group)
        objective = LatentObjective(settings.batch_size, context.generator.latents, directions, context.group)
        for step in range(steps):
            random = draws(settings.seed, "correction", step)
            with autocast_to(settings.precision, encoder.w_avg.device):
                loss = answers.loss(correction, objective, settings.batch_size, random, context.group)
            rate = settings.learning_rate * learning_rate_factor(step, steps)
            found = optimizer.step(loss, rate)
            if (step + 1) % _REPORT_EVERY == 0 or step + 1 == steps:
                context.report(self, label, step + 1, steps, loss=found)
        return optimizer.averaged()


def with_correction(encoder: LayoutEncoder, generator: Generator) -> LayoutEncoder:
    """Returns a copy of the encoder with a correction that changes nothing yet."""
    channels = generator.feature_channels(encoder.grid_side)
    shape = dataclasses.replace(encoder.shape, corrections=CORRECTIONS, feature_channels=channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = LayoutEncoder(shape).to(encoder.w_avg.device)
    found.load_state_dict({**found.state_dict(), **encoder.state_dict()})
    return found


@torch.no_grad()
def learn_reading(
    generator: Generator, pool: SamplePool, side: int, group: ProcessGroup = SINGLE_PROCESS
) -> tuple[Tensor, Tensor]:
    """Fits the classes' fractions of grid cells to features, by ridge regression over some of the pool's
    pictures.

    Returns the weight [C, Z] and the bias [C] of `Correction.set_reading`.
    """
    count = min(len(pool), _MAX_READ)
    own, device = group.share(count), generator.device
    size, num_classes = generator.feature_channels(side) + 1, pool.num_classes
    sums = torch.zeros(size, size + num_classes, dtype=torch.float64, device=device)
    for w, labels in zip(pool.w[own].split(_BATCH), pool.labels[own].split(_BATCH), strict=True):
        features = _rows(grid_features(generator, w.to(device), side))
        inputs = torch.cat((features, features.new_ones(len(features), 1)), 1)
        with torch.autocast(device.type, enabled=False):
            fractions = _rows(class_fractions(labels.to(device), num_classes, side))
            sums += inputs.T @ torch.cat((inputs, fractions), 1)  # float64 products would take several seconds
    group.all_reduce(sums)
    products, answers = sums[:, :size], sums[:, size:]
    ridge = _RIDGE * products.diagonal()[:-1].mean() * torch.ones(size, dtype=torch.float64, device=device)
    ridge[-1] = 0  # the mean fraction itself is not pulled to nothing
    found = torch.linalg.solve(products + torch.diag(ridge + 1e-9), answers).float()
    return found[:-1].T.contiguous(), found[-1]


@dataclass(frozen=True, eq=False)
class FirstAnswers:
    """Answers to layouts, what their pictures show, and what they should have been.

    centred: float32 [N, C, s, s], the layouts' class fractions minus their mean. missing: float16 [N, C, s, s], the
    fractions minus those that the pictures show. coordinates: float32 [N, axes]. w: float32 [N, D], the right ones.
    """

    centred: Tensor
    missing: Tensor
    coordinates: Tensor
    w: Tensor

    def loss(
        self,
        correction: Correction,
        objective: LatentObjective,
        batch_size: int,
        random: torch.Generator,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Tensor:
        """Returns this process's share of the loss of one random batch: the errors that are left after a correction."""
        chosen = torch.randint(len(self.w), (batch_size,), generator=random)
        dropped = grid_dropout(batch_size, self.centred.shape[-1], random)
        own = group.share(batch_size)
        some, gone = chosen[own].to(self.w.device), dropped[own, None].to(self.w.device)
        before = self.coordinates[some]
        change = correction.change_for(
            before, self.centred[some].masked_fill(gone, 0.0), self.missing[some].float().masked_fill(gone, 0.0)
        )
        return objective.structural_error(before + change, self.w[some]).sum() / batch_size


@torch.no_grad()
def first_answers(
    encoder: LayoutEncoder, generator: Generator, pool: SamplePool, seed: int, group: ProcessGroup = SINGLE_PROCESS
) -> FirstAnswers:
    """Lets the encoder answer the pool's layouts with some squares erased, and reads what its pictures show."""
    assert encoder.correction is not None
    side, device, count = encoder.grid_side, encoder.w_avg.device, min(len(pool), _MAX_ANSWERS)
    fractions = class_fractions(pool.labels[:count].to(device), encoder.shape.num_classes, side)
    random = draws(seed, "correction", -1 % 2**32)
    rate = _MAX_DROPPED * torch.rand(count, 1, 1, generator=random)
    dropped = torch.rand(count, side, side, generator=random) < rate
    coordinates, _ = encoder.coordinates(fractions.masked_fill(dropped[:, None].to(device), 0.0))
    precision, correction = current_precision(device), encoder.correction

    def read(some: Tensor) -> Tensor:
        with torch.no_grad(), autocast_to(precision, device):  # which threads do not inherit
            return correction.shown(grid_features(generator, encoder.structural_w(some), side)).half()

    with ThreadedRunner(torch.get_num_threads()) as runner:
        shown = runner.map([partial(read, some) for some in coordinates[group.share(count)].split(_BATCH)])
    with in_float32(coordinates):  # autocast does not join float16
        missing = fractions.half() - group.all_gather(torch.cat(shown), count)
    return FirstAnswers(fractions - encoder.input_mean, missing, coordinates, pool.w[:count].to(device))


def _rows(maps: Tensor) -> Tensor:
    """Turns [N, K, s, s] into float32 rows [N·s², K]."""
    return maps.flatten(2).mT.flatten(0, 1).float()
