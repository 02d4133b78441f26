"""AdamW over all weights of a network as one row of numbers, and the weights' running average.

One row is brought up to date in one pass of the memory, where some sixty tensors take as many small ones. Of several
processes each keeps moments and averages of its own stretch of the row alone (ZeRO, first stage: Rajbhandari et al.
2020, arXiv 1910.02054): nothing is computed twice, and no more travels than for adding up gradients.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Generic

import torch
from torch import Tensor, nn

from smis_desktop.generators.layers import Network, freeze
from smis_desktop.training.distributed import ProcessGroup
from smis_desktop.training.shared_rows import common_row, own_row

_BETAS = (0.9, 0.99)
_WEIGHT_DECAY = 0.2
_LARGEST_GRADIENT = 1.0
"""Norm over all weights; longer gradients are shortened to it."""
_AVERAGING = 0.99
_ALIGNMENT = 16
"""Numbers: a stretch begins where a cache line does, in every process, so that the same kernels work on it."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


class SharedAdam(Generic[Network]):
    """Owns the weights of `network` while it is trained: its parameters become views of the row."""

    def __init__(self, network: Network, ranks: ProcessGroup) -> None:
        self._ranks = ranks
        self._weights = _Row(network, ranks)
        self._network, self._average = network, freeze(copy.deepcopy(network))
        self._averages = _Row(self._average, ranks)
        self._gradients = own_row(self._weights.beside(), ranks)
        self._views = {name: self._weights.view_of(name, self._gradients.numbers) for name in self._weights.names}
        self._own = ranks.share(len(self._gradients.numbers))
        self._stretch = nn.Parameter(self._weights.numbers[self._own])
        self._adam = torch.optim.AdamW([self._stretch], betas=_BETAS, weight_decay=_WEIGHT_DECAY, fused=True)
        self.steps = 0

    def step(self, loss: Tensor, learning_rate: float) -> float:
        """Moves the weights against the gradient of `loss`, this process's summand of it; returns the whole loss."""
        parameters = dict(self._network.named_parameters())
        found = torch.autograd.grad(loss, list(parameters.values()))
        torch._foreach_copy_([self._views[name] for name in parameters], found)
        gradient = self._gradients.reduce_scatter()
        told = torch.stack((loss.detach().float(), torch.dot(gradient, gradient)))
        self._ranks.all_reduce(told)
        total, squared = told.tolist()
        if squared > _LARGEST_GRADIENT**2:
            gradient *= _LARGEST_GRADIENT / squared**0.5
        self._stretch.grad = gradient
        self._adam.param_groups[0]["lr"] = learning_rate
        self._adam.step()
        keep = min(_AVERAGING, (self.steps + 1) / (self.steps + 10))  # follows closely at first
        self._averages.numbers[self._own].lerp_(self._weights.numbers[self._own], 1 - keep)
        self._weights.exchange()
        self.steps += 1
        return float(total)

    def averaged(self) -> Network:
        """A copy of the network with the averaged weights. All processes have to ask for it at the same step."""
        self._averages.exchange()
        return copy.deepcopy(self._average)

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by names of weights and whole, so that any number of processes can
        go on from it. All processes have to ask for it at the same step."""
        self._averages.exchange()
        found = {
            "steps": torch.tensor(self.steps),
            **{f"encoder.{name}": value.clone() for name, value in self._network.state_dict().items()},
            **{f"averaged.{name}": value.clone() for name, value in self._average.state_dict().items()},
        }
        moments = self._adam.state[self._stretch]
        for kind in _MOMENTS:
            row = self._weights.beside()
            if moments:
                row[self._own] = moments[kind]
                self._ranks.exchange_shares(row)
            for name in self._weights.names:
                found[f"adam.{name}.{kind}"] = self._weights.view_of(name, row).clone()
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on where `state()` was taken. Raises KeyError or RuntimeError when the state is of another network."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

        self._network.load_state_dict(part("encoder."))
        self._average.load_state_dict(part("averaged."))
        self.steps = int(state["steps"].item())
        moments: dict[str, Tensor] = {"step": torch.tensor(float(self.steps))}
        for kind in _MOMENTS:
            row = self._weights.beside()
            for name in self._weights.names:
                self._weights.view_of(name, row).copy_(state[f"adam.{name}.{kind}"])
            moments[kind] = row[self._own].clone()
        self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: moments}})


class _Row:
    """A network's weights in one tensor; the network's own are views of it from then on."""

    def __init__(self, network: nn.Module, ranks: ProcessGroup) -> None:
        parameters = dict(network.named_parameters())
        self._places: dict[str, tuple[int, torch.Size]] = {}
        at = 0
        for name, parameter in parameters.items():
            self._places[name] = (at, parameter.shape)
            at += parameter.numel()
        whole = _ALIGNMENT * ranks.count
        self._row = common_row(next(iter(parameters.values())).new_zeros(-(-at // whole) * whole).detach(), ranks)
        for name, parameter in parameters.items():
            parameter.data = self.view_of(name, self.numbers).copy_(parameter.data)
        self.exchange()

    @property
    def numbers(self) -> Tensor:
        """[n], those of no weight at the end."""
        return self._row.numbers

    def exchange(self) -> None:
        """Every process's share of the row comes from that process."""
        self._row.exchange()

    @property
    def names(self) -> Iterator[str]:
        yield from self._places

    def beside(self) -> Tensor:
        """Another row of the same length, of zeros."""
        return torch.zeros_like(self.numbers)

    def view_of(self, name: str, row: Tensor) -> Tensor:
        """Where in such a row that weight's numbers are."""
        at, shape = self._places[name]
        return row[at : at + shape.numel()].view(shape)
