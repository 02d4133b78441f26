"""Learning a linear probe from a few labelled pictures, by class-weighted cross-entropy with strong weight decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import FeatureKind, Generator, seeded_z
from smis_desktop.personal_model.label_transfer import LatentShot, LinearProbe, upsampled_sum

_STEPS = 200
_LEARNING_RATE = 0.02
_DECAY = 1e-3
"""Weight decay per input channel: the more channels a probe reads, the smaller weights it needs."""
_PART_PRIOR_DECAY = 2e-3
"""The same with a part prior, which the weights need not learn again."""
_PART_WEIGHT_DECAY = 0.01
"""Weight decay of the part weights."""
_STATISTICS_SAMPLES = 24


def learn_probe(
    generator: Generator,
    shots: Sequence[LatentShot],
    num_classes: int,
    uses_part_prior: bool = False,
    kind: FeatureKind = "label",
) -> LinearProbe:
    """Fit a probe to the shots by class-weighted cross-entropy with strong weight decay. Deterministic.

    Features are standardised by the generator's own statistics (two dozen random pictures), which also serve a single
    shot well; the scaling is folded into the weights afterwards.

    Args:
        uses_part_prior: adds the scores of the generator's part prior, where it has one, as inputs whose weights decay
            little: a class begins as a mixture of known parts and departs from it where the shots say so. The
            part weights are folded in too. Worth 0.04 mIoU from five photos and 0.07 from one
            (docs/experiments/part-prior.md).
        kind: the features that the probe reads. The shots' labels are of their largest side.
    """
    with torch.no_grad():
        mean, std = _feature_statistics(generator, kind)
        features: dict[int, Tensor] = {}
        for shot in shots:
            for r, feature_map in generator.features_of_kind(shot.ws[None], kind).items():
                # One pixel a row: fitting is then a few small matrix products a step.
                pixels = ((feature_map - mean[r]) / std[r]).flatten(2).mT.reshape(r * r, -1)
                features[r] = torch.cat((features[r], pixels)) if r in features else pixels
        labels = torch.stack([shot.labels for shot in shots])
    parts: dict[int, Tensor] = {}
    prior = generator.fine_part_prior if kind == "fine" else generator.part_prior
    if uses_part_prior and prior:
        with torch.no_grad():
            parts = {r: prior[r].to(labels.device) * std[r][0, :, 0, 0] for r in features}
            scale = _row_scores(features, parts, len(shots)).std()
            parts = {r: rows / scale for r, rows in parts.items()}
    weights, bias = _fit(features, labels, num_classes, parts)
    with torch.no_grad():
        folded = {r: weights[r] / std[r][0, :, 0, 0] for r in features}
        shift = torch.stack([folded[r] @ mean[r][0, :, 0, 0] for r in features]).sum(0)
        return LinearProbe(folded, bias - shift)


def _fit(
    features: dict[int, Tensor], labels: Tensor, num_classes: int, parts: dict[int, Tensor]
) -> tuple[dict[int, Tensor], Tensor]:
    """Fit weights {r: [C, Z_r]} and bias [C] by AdamW, for standardised features {r: [N·r², Z_r]} and labels [N, r, r].

    Args:
        parts: {r: [K, Z_r]}, the part prior for these features; may be empty.
    """
    counts = torch.bincount(labels[labels != UNKNOWN_CHANNEL], minlength=num_classes).float()
    is_present = counts > 0
    class_weights = torch.where(is_present, counts.clamp_min(1).rsqrt(), 0.0)
    class_weights *= counts.sum() / (class_weights * counts).sum()
    absent = torch.where(is_present, 0.0, -torch.inf)
    weights = {
        r: torch.zeros(num_classes, rows.shape[1], device=labels.device, requires_grad=True)
        for r, rows in features.items()
    }
    bias = torch.zeros(num_classes, device=labels.device, requires_grad=True)
    decay = (_PART_PRIOR_DECAY if parts else _DECAY) * sum(rows.shape[1] for rows in features.values())
    num_parts = len(next(iter(parts.values()))) if parts else 0
    part_weights = torch.zeros(num_classes, num_parts, device=labels.device, requires_grad=bool(parts))
    with torch.no_grad():
        part_scores = _row_scores(features, parts, len(labels)) if parts else None
    adam = torch.optim.AdamW(
        [*weights.values(), bias, *([part_weights] if parts else [])], lr=_LEARNING_RATE, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, _STEPS)
    for _ in range(_STEPS):
        scores = _row_scores(features, weights, len(labels)) + (bias + absent)[None, :, None, None]
        if part_scores is not None:
            scores = scores + torch.einsum("ck,nkhw->nchw", part_weights, part_scores)
        loss = F.cross_entropy(scores, labels, class_weights, ignore_index=UNKNOWN_CHANNEL)
        penalty = decay * torch.stack([weight.square().sum() for weight in weights.values()]).sum()
        adam.zero_grad()
        (loss + penalty + _PART_WEIGHT_DECAY * part_weights.square().sum()).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        whole = {r: weight + part_weights @ parts[r] if parts else weight for r, weight in weights.items()}
        return {r: weight.detach() for r, weight in whole.items()}, bias.detach() + absent


def _row_scores(features: dict[int, Tensor], weights: dict[int, Tensor], count: int) -> Tensor:
    """Return scores [count, C, r, r] of features with one pixel a row."""
    return upsampled_sum(
        {r: (rows @ weights[r].T).view(count, r, r, -1).permute(0, 3, 1, 2) for r, rows in features.items()}
    )


def _feature_statistics(generator: Generator, kind: FeatureKind) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Return mean and standard deviation of each channel over random pictures, [1, Z_r, 1, 1] each."""
    sums: dict[int, Tensor] = {}
    squares: dict[int, Tensor] = {}
    for seed in range(_STATISTICS_SAMPLES):
        z = seeded_z(seed, generator.w_dim).to(generator.device)
        for r, maps in generator.features_of_kind(generator.broadcast(generator.mapping(z)), kind).items():
            pixels = maps.flatten(2).double()
            sums[r] = sums.get(r, 0) + pixels.mean(2)
            squares[r] = squares.get(r, 0) + pixels.square().mean(2)
    mean = {r: total / _STATISTICS_SAMPLES for r, total in sums.items()}
    std = {r: (squares[r] / _STATISTICS_SAMPLES - mean[r].square()).clamp_min(1e-12).sqrt() for r in mean}
    shaped = [{r: own.float()[:, :, None, None] for r, own in found.items()} for found in (mean, std)]
    return shaped[0], shaped[1]
