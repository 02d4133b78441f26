"""AdamW over a whole network at once, for one process or a group of them."""

from __future__ import annotations

import copy
from typing import Generic

import torch
from torch import Tensor, nn

from smis_desktop.generators.layers import Network, freeze
from smis_desktop.training.distributed import ProcessGroup

_BETAS = (0.9, 0.99)
_WEIGHT_DECAY = 0.2
_MAX_GRADIENT_NORM = 1.0
"""Norm over all weights to which longer gradients are scaled down."""
_EMA_DECAY = 0.99
_ALIGNMENT = 16
"""The flat tensor is padded to a multiple of this. The padding affects the order in which the gradient's norm is
summed, so resumed trainings need it."""
_MOMENTS = ("exp_avg", "exp_avg_sq")


class FlatAdamW(Generic[Network]):
    """AdamW over all weights of a network as one flat tensor, and their exponential moving average (EMA).

    One tensor is updated in one pass of the memory, where some sixty would take as many. The processes of a group add
    up their flat gradients with one all-reduce and then take the same step.
    """

    def __init__(self, network: Network, group: ProcessGroup) -> None:
        """Makes the network's parameters views of the flat tensor."""
        self.network, self._group = network, group
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
        gradients = torch.autograd.grad(loss, list(self.network.parameters()))
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
            **{f"encoder.{name}": value.clone() for name, value in self.network.state_dict().items()},
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

        self.network.load_state_dict(part("encoder."))
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
