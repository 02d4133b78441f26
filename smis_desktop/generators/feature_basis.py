"""Label features that are small enough to store: projected onto their widest principal axes, one byte a number.

Every personal model of a generator learns from the same random pictures; only the labels that a probe reads off their
features differ. Whole features are 5.6 MB a picture in half precision; of the 512 channels of a layer some dozens hold
what probes read (docs/experiments/feature-cache.md). A probe reads projected features directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator, seeded_z
from smis_desktop.generators.layers import Precision

_SAMPLES = 24
_AXES = {1: 96, 2: 128}
"""How many axes are kept, by the full side of label features over a layer's side."""
_MORE_AXES = 256
"""The same for all smaller layers, which cost little."""
_RANGE = 7.0
"""Standard deviations that a byte spans to either side. Rare classes are far out: with half as many, one class lost a
quarter of its IoU."""
_STEPS = 127


@dataclass(frozen=True, eq=False)
class FeatureBasis:
    """A projection of label features.

    mean {r: [Z_r]}, axes {r: [K_r, Z_r]}: `axes @ (feature - mean)` is in steps of a byte. back {r: [Z_r, K_r]}
    reconstructs features from those, as nearly as K_r axes can.
    """

    mean: dict[int, Tensor]
    axes: dict[int, Tensor]
    back: dict[int, Tensor]

    def project(self, features: dict[int, Tensor], precision: Precision = "float32") -> dict[int, Tensor]:
        """Project label features {r: [N, Z_r, r, r]} to {r: int8 [N, K_r, r, r]}. Args: precision: of the products."""
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        projected = {}
        for r, columns, shift in zip(sorted(self.axes), self.columns, self.shifts, strict=True):
            pixels = features[r].flatten(2).mT  # a view where backends store channels last
            steps = quantize((pixels.to(dtype) @ columns.to(dtype)).float() - shift)
            projected[r] = steps.mT.view(len(steps), -1, r, r)
        return projected

    @cached_property
    def columns(self) -> tuple[Tensor, ...]:
        """For r ascending, [Z_r, K_r]: a pixel's channels times these, minus `shifts`, are its projection."""
        return tuple(self.axes[r].T.contiguous() for r in sorted(self.axes))

    @cached_property
    def shifts(self) -> tuple[Tensor, ...]:
        """For r ascending, [K_r]."""
        return tuple(self.axes[r] @ self.mean[r] for r in sorted(self.axes))

    def to(self, device: torch.device) -> FeatureBasis:
        """Return the same basis on `device`."""
        if next(iter(self.axes.values())).device == device:
            return self
        return FeatureBasis.from_state(self.state(), device)

    def state(self) -> dict[str, Tensor]:
        """Return the tensors of the basis by name, for storing."""
        parts = {"mean": self.mean, "axes": self.axes, "back": self.back}
        return {f"{part}.{r}": tensor for part, tensors in parts.items() for r, tensor in tensors.items()}

    @classmethod
    def from_state(cls, state: dict[str, Tensor], device: torch.device) -> FeatureBasis:
        """Restore a basis from `state`, on `device`."""
        parts: dict[str, dict[int, Tensor]] = {"mean": {}, "axes": {}, "back": {}}
        for key, tensor in state.items():
            part, r = key.split(".")
            parts[part][int(r)] = tensor.to(device)
        return cls(**parts)


def quantize(steps: Tensor) -> Tensor:
    """Round to int8, and clamp to its range."""
    return steps.round().clamp(-_STEPS, _STEPS).to(torch.int8)


def num_axes(generator: Generator) -> dict[int, int]:
    """Return K_r for each side r of the label features, ascending."""
    full = generator.feature_resolution
    sides = [8 * 2**i for i in range((full // 8).bit_length())]
    return {r: min(_AXES.get(full // r, _MORE_AXES), generator.feature_channels(r)) for r in sides}


@torch.no_grad()
def feature_basis(generator: Generator) -> FeatureBasis:
    """Find the principal axes of label features over two dozen random pictures. Deterministic.

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
    mean, axes, back, counts = {}, {}, {}, num_axes(generator)
    for r, total in sums.items():
        count = _SAMPLES * r * r
        mean[r] = total / count
        covariance = (squares[r] / count - torch.outer(mean[r], mean[r])).cpu().double()
        deviation = covariance.diagonal().clamp_min(1e-8).sqrt()
        spread, directions = torch.linalg.eigh(covariance / torch.outer(deviation, deviation))
        spread, directions = spread[-counts[r] :].clamp_min(1e-8), directions[:, -counts[r] :]
        step = _RANGE / _STEPS * spread.sqrt()
        axes[r] = (directions / deviation[:, None] / step).T.float().contiguous().to(total.device)
        back[r] = (directions * deviation[:, None] * step).float().contiguous().to(total.device)
    return FeatureBasis(mean, axes, back)
