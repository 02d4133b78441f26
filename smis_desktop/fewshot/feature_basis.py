"""Label features made small enough to keep: their widest principal axes, a byte a number.

Every personal model of a generator learns from the same random pictures, and only the labels that a probe reads off
their features are the model's own. Whole features are 5.6 MB a picture in half precision; of the 512 channels of a
layer some dozens hold what probes read (docs/measurements.md). A probe reads them in that form directly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.protocol import Generator

_SAMPLES = 24
_AXES = {1: 96, 2: 128}
_MORE_AXES = 256
"""Kept axes at the full side of label features, at half of it, and below: small layers cost little."""
_RANGE = 7.0
"""Standard deviations that a byte reaches to. Rare classes lie far out: at half as much one of them lost a quarter."""
_STEPS = 127


@dataclass(frozen=True, eq=False)
class FeatureBasis:
    """mean {r: [Z_r]}, axes {r: [K_r, Z_r]}: `axes @ (feature - mean)` is in steps of a byte; back {r: [Z_r, K_r]}
    turns those into features again, as nearly as K_r axes can."""

    mean: dict[int, Tensor]
    axes: dict[int, Tensor]
    back: dict[int, Tensor]

    def reduced(self, features: dict[int, Tensor]) -> dict[int, Tensor]:
        """{r: [N, Z_r, r, r]} → {r: int8 [N, K_r, r, r]}, the same r."""
        return {r: self._reduced(r, found) for r, found in features.items()}

    def _reduced(self, r: int, features: Tensor) -> Tensor:
        pixels = features.flatten(2).mT  # as backends lay them out: a pixel's channels side by side
        steps = torch.baddbmm(-(self.axes[r] @ self.mean[r]), pixels, self.axes[r].T.expand(len(pixels), -1, -1))
        return steps.round_().clamp_(-_STEPS, _STEPS).to(torch.int8).mT.view(len(features), -1, r, r)

    def state(self) -> dict[str, Tensor]:
        """To be kept."""
        parts = {"mean": self.mean, "axes": self.axes, "back": self.back}
        return {f"{part}.{r}": tensor for part, found in parts.items() for r, tensor in found.items()}

    @classmethod
    def of_state(cls, state: dict[str, Tensor], device: torch.device) -> FeatureBasis:
        """What `state` gave, on that device."""
        parts: dict[str, dict[int, Tensor]] = {"mean": {}, "axes": {}, "back": {}}
        for key, tensor in state.items():
            part, r = key.split(".")
            parts[part][int(r)] = tensor.to(device)
        return cls(**parts)


@torch.no_grad()
def feature_basis(generator: Generator) -> FeatureBasis:
    """From two dozen random pictures. Deterministic.

    Axes are those of standardised channels: a channel of small numbers may say as much as one of large ones.
    """
    sums: dict[int, Tensor] = {}
    squares: dict[int, Tensor] = {}
    for seed in range(_SAMPLES):
        z = seeded_z(seed, generator.w_dim).to(generator.device)
        for r, features in generator.label_features(generator.broadcast(generator.mapping(z))).items():
            pixels = features[0].flatten(1).T
            sums[r] = sums.get(r, 0) + pixels.sum(0)
            squares[r] = squares.get(r, 0) + pixels.T @ pixels
    mean, axes, back = {}, {}, {}
    for r, total in sums.items():
        count = _SAMPLES * r * r
        mean[r] = total / count
        covariance = (squares[r] / count - torch.outer(mean[r], mean[r])).cpu().double()
        deviation = covariance.diagonal().clamp_min(1e-8).sqrt()
        spread, directions = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
        kept = min(_AXES.get(generator.feature_resolution // r, _MORE_AXES), len(spread))
        spread, directions = spread[-kept:].clamp_min(1e-8), directions[:, -kept:]
        step = _RANGE / _STEPS * spread.sqrt()
        axes[r] = (directions / deviation[:, None] / step).T.float().contiguous().to(total.device)
        back[r] = (directions * deviation[:, None] * step).float().contiguous().to(total.device)
    return FeatureBasis(mean, axes, back)
