"""StyleGAN2's mapping network (Karras et al. 2020, arXiv 1912.04958), which MobileStyleGAN kept as it is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2
"""Slope of the LeakyReLU below zero, here and in the convolutions."""


class MappingNetwork(nn.Module):
    """`z` → `w`: pixel norm, then linear layers with LeakyReLU and gain √2.

    Weights are the effective ones: gains of the equalised learning rate are already multiplied in.
    """

    def __init__(self, w_dim: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w_dim, w_dim) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        w = normalised(z)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), LEAK) * 2**0.5
        return w


def normalised(z: Tensor) -> Tensor:
    """[N, D] scaled to a mean square of one, row by row."""
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
