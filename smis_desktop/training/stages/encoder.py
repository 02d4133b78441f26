"""The stage that trains the encoder on pseudo-labelled samples, and the trainer that every objective shares."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Generic, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from smis_desktop.generators.generator import LatentStatistics
from smis_desktop.generators.layers import Network, Precision, autocast_to, freeze, in_float32
from smis_desktop.personal_model.encoder import LayoutEncoder, class_fractions
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup
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

_BETAS = (0.9, 0.99)
_WEIGHT_DECAY = 0.2
_MAX_GRADIENT_NORM = 1.0
"""Norm over all weights to which longer gradients are scaled down."""
_EMA_DECAY = 0.99
_ALIGNMENT = 16
"""The flat tensor is padded to a multiple of this. The padding affects the order in which the gradient's norm is
summed, so resumed trainings need it."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


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
        shares = class_fractions(pool.labels[chosen[own]].to(device), num_classes, encoder.grid_side)
        dropped = classes[own, 1:, None, None] | squares[own, None]
        structural, fine = encoder.coordinates(shares.masked_fill(dropped.to(device), 0.0))
        with in_float32(structural):
            target = self._latents.whiten(pool.w[chosen[own]].to(device))
            axes = structural.shape[1]
            along = structural @ self._directions[:, :axes].T - target @ self._directions.T
            of_directions = along.square() @ self._strengths
            of_structure = (structural - target[:, :axes]).square().mean(1)
            of_style = ((fine - target) * self._spread).square().mean(1)
            error: Tensor = of_directions + _OTHER_DIRECTIONS_WEIGHT * (of_structure + of_style)
        return error.sum() / self._batch_size


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
        return self._optimizer.step(loss, self._learning_rate * self._schedule())

    def averaged(self) -> LayoutEncoder:
        """Returns a copy with the averaged weights, the ones to use."""
        return self._optimizer.averaged()

    def state(self) -> dict[str, Tensor]:
        """Returns everything that the next step depends on, except the pool."""
        return self._optimizer.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continues from a `state()`. Raises KeyError or RuntimeError when it is of another encoder."""
        self._optimizer.restore(state)

    def _schedule(self) -> float:
        """Returns the learning-rate factor: linear warm-up, then half a cosine down to 2 %."""
        warm_up = min(1.0, (self.steps + 1) / min(50.0, max(1.0, _WARM_UP * self._total_steps)))
        return warm_up * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.steps / self._total_steps))))


class FlatAdamW(Generic[Network]):
    """AdamW over all weights of a network as one flat tensor, and their exponential moving average (EMA).

    One tensor is updated in one pass of the memory, where some sixty would take as many. The processes of a group add
    up their flat gradients with one all-reduce and then take the same step.
    """

    def __init__(self, network: Network, group: ProcessGroup) -> None:
        """Makes the network's parameters views of the flat tensor."""
        self._network, self._group = network, group
        self._weights = _FlatParameters(network)
        self._ema = freeze(copy.deepcopy(network))
        self._ema_weights = _FlatParameters(self._ema)
        length = len(self._weights.values)
        self._sums = self._weights.values.new_zeros(length + 1)
        """What is added up over the group: the flat gradient, then the loss."""
        self._gradient = self._sums[:length]
        self._flat = nn.Parameter(self._weights.values)
        self._adam = torch.optim.AdamW([self._flat], betas=_BETAS, weight_decay=_WEIGHT_DECAY, fused=True)
        self.steps = 0

    def step(self, loss: Tensor, learning_rate: float) -> float:
        """Moves the weights against the gradient of `loss`, this process's share of it; returns the whole loss."""
        gradients = torch.autograd.grad(loss, list(self._network.parameters()))
        torch._foreach_copy_(self._weights.views(self._gradient), gradients)
        self._sums[-1] = loss.detach()
        self._group.all_reduce(self._sums)
        gradient = self._gradient
        total, squared_norm = torch.stack((self._sums[-1], torch.dot(gradient, gradient))).tolist()
        if squared_norm > _MAX_GRADIENT_NORM**2:
            gradient *= _MAX_GRADIENT_NORM / squared_norm**0.5
        self._flat.grad = gradient
        self._adam.param_groups[0]["lr"] = learning_rate
        self._adam.step()
        decay = min(_EMA_DECAY, (self.steps + 1) / (self.steps + 10))  # follows closely at first
        self._ema_weights.values.lerp_(self._weights.values, 1 - decay)
        self.steps += 1
        return float(total)

    def averaged(self) -> Network:
        """Returns a copy of the network with the averaged weights."""
        return copy.deepcopy(self._ema)

    def state(self) -> dict[str, Tensor]:
        """Returns everything that the next step depends on, by names of weights, for a group of any size to continue
        from."""
        found = {
            "steps": torch.tensor(self.steps),
            **{f"encoder.{name}": value.clone() for name, value in self._network.state_dict().items()},
            **{f"averaged.{name}": value.clone() for name, value in self._ema.state_dict().items()},
        }
        moments = self._adam.state[self._flat]
        for kind in _MOMENTS:
            flat = moments[kind] if moments else torch.zeros_like(self._weights.values)
            for name, view in zip(self._weights.names, self._weights.views(flat), strict=True):
                found[f"adam.{name}.{kind}"] = view.clone()
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continues from a `state()`. Raises KeyError or RuntimeError when it is of another network."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        self._network.load_state_dict(part("encoder."))
        self._ema.load_state_dict(part("averaged."))
        self.steps = int(state["steps"].item())
        moments: dict[str, Tensor] = {"step": torch.tensor(float(self.steps))}
        for kind in _MOMENTS:
            moments[kind] = torch.zeros_like(self._weights.values)
            for name, view in zip(self._weights.names, self._weights.views(moments[kind]), strict=True):
                view.copy_(state[f"adam.{name}.{kind}"])
        self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: moments}})


class _FlatParameters:
    """The parameters of a network as views of one tensor `values` [n], padded with zeros."""

    def __init__(self, network: nn.Module) -> None:
        parameters = dict(network.named_parameters())
        self.names = tuple(parameters)
        self._shapes = [parameter.shape for parameter in parameters.values()]
        length = sum(shape.numel() for shape in self._shapes)
        padded = -(-length // _ALIGNMENT) * _ALIGNMENT
        self.values = next(iter(parameters.values())).new_zeros(padded).detach()
        for parameter, view in zip(parameters.values(), self.views(self.values), strict=True):
            parameter.data = view.copy_(parameter.data)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Returns the parts of a tensor like `values` that belong to each parameter, in the parameters' shapes."""
        sizes = [shape.numel() for shape in self._shapes]
        parts = flat[: sum(sizes)].split(sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
