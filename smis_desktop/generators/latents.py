"""Where real latents lie: mean and principal axes of `w`, measured once per generator and stored with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def seeded_z(seed: int, z_dim: int) -> Tensor:
    """`z` [1, z_dim] ~ N(0, I) drawn on the CPU: the same for a seed on every device."""
    return torch.randn(1, z_dim, generator=torch.Generator().manual_seed(seed))


class LatentStatistics(nn.Module):
    """First and second moments of `w = mapping(z)`.

    Buffers: `w_avg` [D]; `axes` [D, D], one principal direction a row, the widest first; `std` [D], the standard
    deviation along each. They whiten: `(w - w_avg) @ axes.T / std` has unit covariance.
    """

    w_avg: Tensor
    axes: Tensor
    std: Tensor

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        self.register_buffer("w_avg", torch.empty(w_dim))
        self.register_buffer("axes", torch.empty(w_dim, w_dim))
        self.register_buffer("std", torch.empty(w_dim))

    @classmethod
    def measured(cls, w: Tensor) -> LatentStatistics:
        """From samples [N, D], in float64 inside."""
        statistics = cls(w.shape[1])
        samples = w.double()
        mean = samples.mean(0)
        variance, axes = torch.linalg.eigh(torch.cov(samples.T))
        statistics.w_avg = mean.float()
        statistics.axes = axes.flip(1).T.contiguous().float()
        statistics.std = variance.flip(0).clamp_min(1e-12).sqrt().float()
        return statistics

    def whiten(self, w: Tensor) -> Tensor:
        """`w` [..., D] → coordinates [..., D] of unit variance, widest axis first."""
        return (w - self.w_avg) @ self.axes.T / self.std

    def color(self, coordinates: Tensor) -> Tensor:
        """The inverse of `whiten`; fewer coordinates than D leave the narrower axes at the mean."""
        k = coordinates.shape[-1]
        return self.w_avg + (coordinates * self.std[:k]) @ self.axes[:k]
