"""The encoder in training: batches, optimiser, averaged weights. What it is trained for is an `Objective`."""

from __future__ import annotations

import copy
import math
from typing import Protocol

import torch
from torch import Tensor

from smis_desktop.fewshot.layout_variation import forget_classes
from smis_desktop.fewshot.pool import SamplePool, draws
from smis_desktop.fewshot.pseudo_labels import one_hot
from smis_desktop.fewshot.ranks import ALONE, Ranks
from smis_desktop.gan.encoder import LayoutEncoder
from smis_desktop.gan.precision import Precision, computing

_WARM_UP = 0.1
"""Share of the steps, fifty at most, in which the learning rate rises."""
_AVERAGING = 0.99


class Objective(Protocol):
    """What an encoder is trained for."""

    stream: str
    """Names the random stream that its batches are drawn from."""

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """This process's summand of a scalar for one random batch, differentiable in the encoder's weights; draws from
        `random` alone, and in every process the same."""
        ...


class LatentObjective:
    """‖ŵ − w‖² on pseudo-labelled samples, and nothing else (Endo & Kanamori 2021, section 3.3, equation 5)."""

    stream = "batch"

    def __init__(self, batch_size: int, ranks: Ranks = ALONE) -> None:
        self._batch_size, self._ranks = batch_size, ranks

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        """Mean squared error per dimension of `w`."""
        chosen = torch.randint(len(pool), (self._batch_size,), generator=random)
        device = encoder.w_avg.device
        num_classes = encoder.shape.num_classes
        labels = forget_classes(pool.labels[chosen].long(), num_classes, random).to(device)
        own = self._ranks.share(self._batch_size)
        ws = encoder(one_hot(labels[own], num_classes))
        error = (ws - pool.w[chosen[own]].to(device)[:, None]).square()
        loss: Tensor = error.mean() * (len(error) / self._batch_size)
        return loss


class EncoderTraining:
    """An encoder in training: `step(pool)`; the averaged weights in `averaged` are the ones to use.

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
        ranks: Ranks = ALONE,
    ) -> None:
        """ranks: who takes the steps together, with the same `objective`.

        precision: of the products in a step; weights, their averages and the optimiser are float32 always.
        """
        # One-hot layouts come pixel-major, and oneDNN's convolutions are a quarter faster when the weights do too.
        self.encoder = encoder.train()
        for parameter in encoder.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(encoder).eval().requires_grad_(False)
        self._objective, self._precision, self._ranks = objective, precision, ranks
        self._seed, self._learning_rate, self._total_steps = seed, learning_rate, total_steps
        self._parameters = dict(encoder.named_parameters())
        self._adam = torch.optim.AdamW(
            self._parameters.values(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01
        )
        self.steps = 0

    def step(self, pool: SamplePool) -> float:
        """One step on a random batch of the pool; returns the loss."""
        random = draws(self._seed, self._objective.stream, self.steps)
        for group in self._adam.param_groups:
            group["lr"] = self._learning_rate * self._schedule()
        with computing(self._precision, self.encoder.w_avg.device):
            loss = self._objective.loss(self.encoder, pool, random)
        self._adam.zero_grad()
        loss.backward()
        loss = loss.detach()
        self._ranks.add_up([loss, *(weight.grad for weight in self._parameters.values() if weight.grad is not None)])
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), 1.0)
        self._adam.step()
        self.steps += 1
        self._average()
        return float(loss.item())

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, besides the pool."""
        moments = self._adam.state_dict()["state"]
        names = list(self._parameters)
        return {
            "steps": torch.tensor(self.steps),
            **{f"encoder.{key}": value for key, value in self.encoder.state_dict().items()},
            **{f"averaged.{key}": value for key, value in self.averaged.state_dict().items()},
            **{f"adam.{names[i]}.{key}": value for i, found in moments.items() for key, value in found.items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on where `state()` was taken. Raises KeyError or RuntimeError when the state is of another encoder."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        self.encoder.load_state_dict(part("encoder."))
        self.averaged.load_state_dict(part("averaged."))
        template = self._adam.state_dict()
        template["state"] = {i: part(f"adam.{name}.") for i, name in enumerate(self._parameters)}
        self._adam.load_state_dict(template)
        self.steps = int(state["steps"].item())

    def _schedule(self) -> float:
        """Learning-rate factor: linear warm-up, then half a cosine to 2 % at the end."""
        warm_up = min(1.0, (self.steps + 1) / min(50.0, max(1.0, _WARM_UP * self._total_steps)))
        return warm_up * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.steps / self._total_steps))))

    def _average(self) -> None:
        """Exponential moving average of the weights, following closely at first."""
        keep = min(_AVERAGING, self.steps / (self.steps + 9))
        with torch.no_grad():
            for name, average in self.averaged.named_parameters():
                average.lerp_(self._parameters[name], 1 - keep)
