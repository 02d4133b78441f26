"""Label transfer by a regularised linear probe over feature maps of several resolutions, for dense labels.

Single mean vectors (the paper's way) lose classes whose pixels are spread over several directions of one layer. A
linear classifier on the layers from 8² up, fitted to the same shots, reads the same features better
(docs/measurements.md). Each layer's 1×1 weights are applied at its own side and the scores are upsampled: bilinear
upsampling commutes with a 1×1 convolution, and scores have fewer channels than features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.frozen_layers import product, supports_frozen_layers
from smis_desktop.generators.latents import seeded_z
from smis_desktop.generators.protocol import Generator
from smis_desktop.personal_model.label_transfer import LatentShot, TransferKind

_STEPS = 200
_LEARNING_RATE = 0.02
_DECAY = 1e-3
"""Weight decay per input channel: the more channels a probe reads, the smaller weights it needs."""
_INFORMED_DECAY = 2e-3
"""The same where parts are known: what they tell need not be found again."""
_LEANING_DECAY = 0.01
"""Weight decay of what each class takes of each known part's score."""
_STATISTICS_SAMPLES = 24


class LinearProbe(nn.Module):
    """`scores = bias + Σ_r upsample(weight_r · F_r)`; classes that no shot holds have bias -inf."""

    kind: TransferKind = "probe"
    bias: Tensor

    def __init__(self, weights: dict[int, Tensor], bias: Tensor) -> None:
        """weights {r: [num_classes, Z_r]}, bias [num_classes]."""
        super().__init__()
        self._resolutions = tuple(sorted(weights))
        for resolution, weight in weights.items():
            self.register_buffer(f"weight_{resolution}", weight)
        self.register_buffer("bias", bias)

    @property
    def rows(self) -> dict[int, Tensor]:
        """{r: [num_classes, Z_r]}, without the bias."""
        return {r: self.get_buffer(f"weight_{r}") for r in self._resolutions}

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        return generator.label_features(ws)

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        own = {r: _read(features[r], self.get_buffer(f"weight_{r}")) for r in self._resolutions}
        return _combined(own) + self.bias[None, :, None, None]

    def label(self, features: dict[int, Tensor]) -> Tensor:
        return self.scores(features).max(1).indices  # argmax, four times as fast

    def beside(self, rows: Tensor) -> LinearProbe:
        """A probe that tells more at one go: these scores and, behind them, what `rows` [Z + 1, K] (the last a bias)
        read in the features of the largest side."""
        largest = self._resolutions[-1]
        weights = {
            r: torch.cat((weight, rows[:-1].T if r == largest else weight.new_zeros(rows.shape[1], weight.shape[1])))
            for r in self._resolutions
            for weight in (self.get_buffer(f"weight_{r}"),)
        }
        return LinearProbe(weights, torch.cat((self.bias, rows[-1])))

    def through(self, basis: FeatureBasis) -> LinearProbe:
        """The same probe for features in that basis: what it says of them is what this one says of `basis.back` of
        them."""
        weights = self.rows
        shift = torch.stack([weight @ basis.mean[r] for r, weight in weights.items()]).sum(0)
        return LinearProbe({r: weight @ basis.back[r] for r, weight in weights.items()}, self.bias + shift)


def learn_probe(
    generator: Generator, shots: Sequence[LatentShot], num_classes: int, is_informed: bool = False
) -> LinearProbe:
    """Fits the probe to the shots by class-weighted cross-entropy with strong weight decay.

    Features are standardised by the generator's own statistics (two dozen random pictures), which also serve a single
    shot well; the scaling is folded into the weights afterwards. Deterministic.

    is_informed: it leans on the generator's `known_parts`, where there are any. Their scores are some more inputs that
    are decayed little, so that a class begins as a mixture of known parts and departs from it where the shots say so;
    these too are folded into the weights. Worth four hundredths of mIoU from five photos and seven from one
    (docs/measurements.md).
    """
    parts = {r: rows.to(generator.device) for r, rows in generator.known_parts.items()} if is_informed else {}
    with torch.no_grad():
        mean, std = _statistics(generator)
        resolutions = list(mean)
        pixels: dict[int, list[Tensor]] = {r: [] for r in resolutions}
        for shot in shots:
            for r, feature_map in generator.label_features(shot.ws[None]).items():
                # One pixel a row: fitting is then a few small matrix products a step.
                pixels[r].append(((feature_map - mean[r]) / std[r]).flatten(2).mT.reshape(r * r, -1))
        features = {r: torch.cat(found) for r, found in pixels.items()}
        labels = torch.stack([shot.labels for shot in shots])
        counts = torch.bincount(labels[labels != UNKNOWN_CHANNEL], minlength=num_classes).float()
        present = counts > 0
        class_weights = torch.where(present, counts.clamp_min(1).rsqrt(), 0.0)
        class_weights *= counts.sum() / (class_weights * counts).sum()
    weights = {
        r: torch.zeros(num_classes, generator.feature_channels(r), device=labels.device, requires_grad=True)
        for r in resolutions
    }
    bias = torch.zeros(num_classes, device=labels.device, requires_grad=True)
    absent = torch.where(present, 0.0, -torch.inf)
    decay = (_INFORMED_DECAY if parts else _DECAY) * sum(generator.feature_channels(r) for r in resolutions)

    def read(rows: dict[int, Tensor]) -> Tensor:
        return _combined(
            {r: (features[r] @ rows[r].T).view(len(shots), r, r, -1).permute(0, 3, 1, 2) for r in resolutions}
        )

    known_rows: dict[int, Tensor] = {}
    leaning = torch.zeros(num_classes, 0, device=labels.device)
    if parts:
        with torch.no_grad():
            known_rows = {r: parts[r] * std[r][0, :, 0, 0] for r in resolutions}
            scale = read(known_rows).std()
            known_rows = {r: rows / scale for r, rows in known_rows.items()}
            known = read(known_rows)
        leaning = torch.zeros(num_classes, known.shape[1], device=labels.device, requires_grad=True)
    learned = [*weights.values(), bias, *([leaning] if parts else [])]
    adam = torch.optim.AdamW(learned, lr=_LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, _STEPS)
    for _ in range(_STEPS):
        scores = read(weights) + (bias + absent)[None, :, None, None]
        if parts:
            scores = scores + torch.einsum("ck,nkhw->nchw", leaning, known)
        loss = F.cross_entropy(scores, labels, class_weights, ignore_index=UNKNOWN_CHANNEL)
        penalty = decay * torch.stack([weight.square().sum() for weight in weights.values()]).sum()
        adam.zero_grad()
        (loss + penalty + _LEANING_DECAY * leaning.square().sum()).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        whole = {r: weights[r] + leaning @ known_rows[r] if parts else weights[r] for r in resolutions}
        folded = {r: whole[r] / std[r][0, :, 0, 0] for r in resolutions}
        shift = torch.stack([folded[r] @ mean[r][0, :, 0, 0] for r in resolutions]).sum(0)
        return LinearProbe(folded, bias - shift + absent)


def _read(features: Tensor, rows: Tensor) -> Tensor:
    weight = rows[:, :, None, None]
    # Where a gradient is asked for, it is cheaper so.
    return (
        product(features, None, weight)
        if features.requires_grad and supports_frozen_layers(features)
        else F.conv2d(features, weight)
    )


def _combined(own: dict[int, Tensor]) -> Tensor:
    """Each layer's scores {r: [N, C, r, r]} brought to the largest side and added up."""
    side = max(own)
    size = (side, side)
    upsampled = [
        x if r == side else F.interpolate(x, size=size, mode="bilinear", align_corners=False) for r, x in own.items()
    ]
    return torch.stack(upsampled).sum(0)


def _statistics(generator: Generator) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Mean and standard deviation of each channel over random pictures, [1, Z_r, 1, 1] each."""
    found: dict[int, list[Tensor]] = {}
    for seed in range(_STATISTICS_SAMPLES):
        z = seeded_z(seed, generator.w_dim).to(generator.device)
        for r, feature_map in generator.label_features(generator.broadcast(generator.mapping(z))).items():
            found.setdefault(r, []).append(feature_map)
    stacked = {r: torch.cat(maps) for r, maps in found.items()}
    mean = {r: maps.mean((0, 2, 3), keepdim=True) for r, maps in stacked.items()}
    std = {r: maps.std((0, 2, 3), keepdim=True).clamp_min(1e-6) for r, maps in stacked.items()}
    return mean, std
