"""The encoder in training: batches, optimiser, averaged weights. What it is trained for is an `Objective`."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from smis_desktop.generators.generator import LatentStatistics
from smis_desktop.generators.layers import Precision, autocast_to, in_float32
from smis_desktop.personal_model.encoder import LayoutEncoder, class_fractions
from smis_desktop.training.distributed import ALONE, ProcessGroup
from smis_desktop.training.layout_augmentation import dropped_classes, grid_dropout
from smis_desktop.training.sample_pool import SamplePool, draws
from smis_desktop.training.shared_adam import SharedAdam

_WARM_UP = 0.1
"""Share of the steps, fifty at most, in which the learning rate rises."""


_REST = 0.1
"""What errors in all other directions count. It decides little."""


class Objective(Protocol):
    """What an encoder is trained for."""

    stream: str
    """Names the random stream that its batches are drawn from."""

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """This process's summand of a scalar for one random batch, differentiable in the encoder's weights; draws from
        `random` alone, and in every process the same."""
        ...


class LatentObjective:
    """ŵ is to be the `w` of pseudo-labelled samples (Endo & Kanamori 2021, section 3.3, equation 5), above all along
    the directions of `w` that move classes.

    The paper's ‖ŵ − w‖² weighs all dimensions alike. But of 512 some thirty say what a layout says, and in all others a
    network can only learn its samples by heart. So errors along those count as much as all others together, the
    stronger ones of them more; and half of each layout is forgotten, square by square, for the same reason.
    """

    stream = "batch"

    def __init__(
        self, batch_size: int, latents: LatentStatistics, directions: Tensor, ranks: ProcessGroup = ALONE
    ) -> None:
        """latents: the generator's. directions [k, w_dim], orthonormal in whitened coordinates, the strongest first."""
        self._batch_size, self._latents, self._ranks = batch_size, latents, ranks
        self._directions = directions.to(latents.w_avg.device)
        strengths = torch.arange(1.0, len(directions) + 1, device=latents.w_avg.device).rsqrt()
        self._strengths = strengths / strengths.sum()
        self._spread = latents.std / latents.std.square().mean().sqrt()

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """Mean squared errors in whitened coordinates, along the directions and of all slots."""
        chosen = pool.drawn(self._batch_size, random)
        device = encoder.w_avg.device
        num_classes = encoder.shape.num_classes
        classes = dropped_classes(self._batch_size, num_classes, random)
        squares = grid_dropout(self._batch_size, encoder.grid_side, random)
        own = self._ranks.share(self._batch_size)
        shares = class_fractions(pool.labels[chosen[own]].to(device), num_classes, encoder.grid_side)
        gone = classes[own, 1:, None, None] | squares[own, None]
        structural, fine = encoder.coordinates(shares.masked_fill(gone.to(device), 0.0))
        with in_float32(structural):
            wanted = self._latents.whiten(pool.w[chosen[own]].to(device))
            axes = structural.shape[1]
            told = (structural @ self._directions[:, :axes].T - wanted @ self._directions.T).square() @ self._strengths
            of_structure = (structural - wanted[:, :axes]).square().mean(1)
            of_style = ((fine - wanted) * self._spread).square().mean(1)
            error: Tensor = told + _REST * (of_structure + of_style)
        return error.sum() / self._batch_size


class EncoderTraining:
    """An encoder in training: `step(pool)`, and `averaged()` is what has come of it.

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
        ranks: ProcessGroup = ALONE,
    ) -> None:
        """ranks: who takes the steps together, with the same `objective`.

        precision: of the products in a step; weights, their averages and the optimiser are float32 always.
        """
        self.encoder = encoder.train()
        self._objective, self._precision = objective, precision
        self._seed, self._learning_rate, self._total_steps = seed, learning_rate, total_steps
        self._adam = SharedAdam(encoder, ranks)

    @property
    def steps(self) -> int:
        """How many it has taken."""
        return self._adam.steps

    def step(self, pool: SamplePool) -> float:
        """One step on a random batch of the pool; returns the loss."""
        random = draws(self._seed, self._objective.stream, self.steps)
        with autocast_to(self._precision, self.encoder.w_avg.device):
            loss = self._objective.loss(self.encoder, pool, random)
        return self._adam.step(loss, self._learning_rate * self._schedule())

    def averaged(self) -> LayoutEncoder:
        """A copy with the averaged weights, the ones to use. All processes have to ask for it at the same step."""
        return self._adam.averaged()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, besides the pool. All processes have to ask for it at the same
        step."""
        return self._adam.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on where `state()` was taken. Raises KeyError or RuntimeError when the state is of another encoder."""
        self._adam.restore(state)

    def _schedule(self) -> float:
        """Learning-rate factor: linear warm-up, then half a cosine to 2 % at the end."""
        warm_up = min(1.0, (self.steps + 1) / min(50.0, max(1.0, _WARM_UP * self._total_steps)))
        return warm_up * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.steps / self._total_steps))))
