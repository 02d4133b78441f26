"""Learning a linear probe from a few labelled pictures, by class-weighted cross-entropy with strong weight decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import FeatureKind, Generator, seeded_z
from smis_desktop.personal_model.label_transfer import LatentShot, LinearProbe

_STEPS = 100
_LEARNING_RATE = 0.03
_DECAY = 1e-3
"""Weight decay per input channel: the more channels a probe reads, the smaller weights it needs."""
_RARITY = 0.5
"""Classes weigh by their area to the power of minus this."""
_PART_PRIOR_DECAY, _PART_PRIOR_RARITY = 2e-3, 0.15
"""The same with a part prior, which tells rare classes too."""
_MIXTURE_DECAY, _BIAS_DECAY = 0.05, 0.01
"""With a part prior: of what the fit adds to the mixture of parts that a class begins as, and to its bias."""
_SHARPNESS = 3
_MIN_SHARE = 3e-4
"""Share of the labelled area that a part must have to count half."""
_STATISTICS_SAMPLES = 24
_CELLS, _MAX_CELLS = 1600, 32_000
"""Labelled cells of a shot that a probe is fitted to, and of all shots together. Neighbours say nearly the same: a
tenth of the cells, weighted, gives the same figures as all of them (docs/experiments/label-transfer.md)."""
_HELD_OUT_CELLS = 400
"""The same where a shot is left out."""
_SHARE_OF_CLASSES, _SHARE_OF_BORDERS = 0.5, 0.25
"""Of these cells: divided among the classes alike, and among the cells where classes meet. The rest lies anywhere."""


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
        uses_part_prior: where the generator has a part prior, a class begins as the mixture of the known parts that
            lie where it does, and departs from it where the shots say so. The mixture is folded into the weights
            (docs/experiments/part-prior.md).
        kind: the features that the probe reads. The shots' labels are of their largest side.
    """
    prepared = _prepare(generator, shots, uses_part_prior, kind)
    fitted, bias = _fit(prepared.rows, prepared.labels, prepared.weights, num_classes, prepared.parts)
    with torch.no_grad():
        folded = fitted / prepared.std
        sides = sorted(prepared.widths)
        of_sides = folded.split([prepared.widths[r] for r in sides], 1)
        weights_of = {r: own.contiguous() for r, own in zip(sides, of_sides, strict=True)}
        return LinearProbe(weights_of, bias - folded @ prepared.mean)


def held_out_iou(
    generator: Generator, shots: Sequence[LatentShot], num_classes: int, uses_part_prior: bool = False
) -> Tensor:
    """Measure how well each class is read in a shot that the probe did not learn from: every shot is left out in turn.

    The probes read label features and are fitted to fewer cells than `learn_probe` takes, which costs them little.

    Returns:
        Intersection over union over all shots, [C]; NaN for classes that fewer than two shots hold.
    """
    names = [shot.name for shot in shots]
    distinct = list(dict.fromkeys(names))
    iou = torch.full((num_classes,), torch.nan)
    if len(distinct) < 2:
        return iou
    prepared = _prepare(generator, shots, uses_part_prior, "label", _HELD_OUT_CELLS)
    of_row = torch.tensor([distinct.index(names[i]) for i in prepared.shot_of_row.tolist()])
    confusion = torch.zeros(num_classes * num_classes)
    for number in range(len(distinct)):
        is_out = (of_row == number).to(prepared.rows.device)
        learned = ~is_out
        fitted, bias = _fit(
            prepared.rows[learned], prepared.labels[learned], prepared.weights[learned], num_classes, prepared.parts
        )
        said = (prepared.rows[is_out] @ fitted.T + bias).argmax(1)
        pairs = prepared.labels[is_out] * num_classes + said
        confusion.index_add_(0, pairs.cpu(), prepared.weights[is_out].cpu())
    table = confusion.view(num_classes, num_classes)
    both, either = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
    holders = torch.zeros(num_classes)
    for name in distinct:
        held = torch.cat([shot.labels.flatten() for shot in shots if shot.name == name]).unique().cpu()
        holders[held[held != UNKNOWN_CHANNEL]] += 1
    return torch.where(holders > 1, both / either.clamp_min(1e-9), torch.nan)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Standardised features of labelled cells: rows [n, Z], labels, weights and shot_of_row [n].

    mean, std: [Z], what they were standardised by. widths: {r: Z_r}.
    """

    rows: Tensor
    labels: Tensor
    weights: Tensor
    shot_of_row: Tensor
    mean: Tensor
    std: Tensor
    widths: dict[int, int]
    parts: _Parts | None


@torch.no_grad()
def _prepare(
    generator: Generator,
    shots: Sequence[LatentShot],
    uses_part_prior: bool,
    kind: FeatureKind,
    cells_of_shot: int = _CELLS,
) -> _Prepared:
    means, stds = feature_statistics(generator, kind)
    mean, std = (torch.cat([own[r].flatten() for r in sorted(own)]) for own in (means, stds))
    random = torch.Generator().manual_seed(0)
    count = min(cells_of_shot, max(1, _MAX_CELLS // len(shots)))
    rows, labels, weights, numbers = [], [], [], []
    for number, shot in enumerate(shots):
        cells, weight = sampled_cells(shot.labels, count, random)
        rows.append((feature_rows(generator.features_of_kind(shot.ws[None], kind), cells) - mean) / std)
        labels.append(shot.labels.flatten()[cells])
        weights.append(weight)
        numbers.append(torch.full((len(cells),), number))
    return _Prepared(
        torch.cat(rows), torch.cat(labels), torch.cat(weights), torch.cat(numbers), mean, std,
        {r: means[r].shape[1] for r in means},
        _standardised_parts(generator, kind, mean, std) if uses_part_prior else None,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Parts:
    """A part prior for standardised features: weights [K, Z], bias [K]."""

    weights: Tensor
    bias: Tensor


def _standardised_parts(generator: Generator, kind: FeatureKind, mean: Tensor, std: Tensor) -> _Parts | None:
    prior = generator.fine_part_prior if kind == "fine" else generator.part_prior
    if not prior:
        return None
    weights = torch.cat([prior[r] for r in sorted(prior)], 1).to(mean.device)
    bias = generator.part_bias.get(kind, torch.zeros(len(weights))).to(mean.device)
    return _Parts(weights * std, bias + weights @ mean)


def feature_statistics(generator: Generator, kind: FeatureKind) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
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


def feature_rows(features: dict[int, Tensor], cells: Tensor) -> Tensor:
    """Return the features of one picture {r: [1, Z_r, r, r]} at cells of the largest side, enlarged bilinearly: [n, Z],
    the smallest side's channels first.

    cells: int64 [n], indices row by row.
    """
    side = max(features)
    centres = (torch.stack((cells % side, cells // side), -1) + 0.5) * 2 / side - 1
    maps = [
        F.grid_sample(features[r], centres[None, None], padding_mode="border", align_corners=False)
        for r in sorted(features)
    ]
    return torch.cat([own[0, :, 0].T for own in maps], 1)


def sampled_cells(labels: Tensor, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sample about `count` labelled cells, or all if there are no more: classes alike, borders, and anywhere.

    Args:
        labels: int64 [r, r], UNKNOWN_CHANNEL where unlabelled.

    Returns:
        Their indices, int64 [n], and their weights [n], one over the probability that each had.
    """
    flat = labels.flatten()
    labelled = (flat != UNKNOWN_CHANNEL).nonzero()[:, 0]
    if len(labelled) <= count:
        return labelled, torch.ones(len(labelled), device=labels.device)
    classes, counts = flat[labelled].unique(return_counts=True)
    is_border = torch.zeros_like(labels, dtype=torch.bool)
    for own, shifted, border in (
        (labels[:, 1:], labels[:, :-1], (is_border[:, 1:], is_border[:, :-1])),
        (labels[1:], labels[:-1], (is_border[1:], is_border[:-1])),
    ):
        for place in border:
            place |= own != shifted
    at_border = is_border.flatten()[labelled].float()
    probability = _SHARE_OF_CLASSES / len(classes) / counts[torch.searchsorted(classes, flat[labelled])]
    probability += _SHARE_OF_BORDERS * at_border / at_border.sum().clamp_min(1)
    probability += (1 - _SHARE_OF_CLASSES - _SHARE_OF_BORDERS) / len(labelled)
    probability = (count * probability).clamp_max(1)
    is_picked = torch.rand(len(labelled), generator=random).to(labels.device) < probability
    return labelled[is_picked], 1 / probability[is_picked]


def _fit(
    rows: Tensor, labels: Tensor, weights: Tensor, num_classes: int, parts: _Parts | None
) -> tuple[Tensor, Tensor]:
    """Fit class weights [C, Z] and bias [C] by Adam.

    With parts, scores are those of `_mixture` plus what the shots add to it: both begin at nothing, and decay.

    Args:
        rows: standardised features [n, Z], of the classes `labels` [n]; each counts `weights` [n] times.
    """
    rarity, decay = (_RARITY, _DECAY) if parts is None else (_PART_PRIOR_RARITY, _PART_PRIOR_DECAY)
    areas = torch.zeros(num_classes, device=rows.device).index_add(0, labels, weights)
    importance = weights * areas.clamp_min(1)[labels] ** -rarity
    importance = importance / importance.sum()
    absent = torch.where(areas > 0, 0.0, -torch.inf)
    start, start_bias = torch.zeros(num_classes, rows.shape[1], device=rows.device), torch.zeros_like(areas)
    part_scores = rows.new_empty(len(rows), 0)
    if parts is not None:
        part_scores = rows @ parts.weights.T + parts.bias
        mixture = _mixture(part_scores, labels, weights, areas)
        start, start_bias = mixture @ parts.weights, mixture @ parts.bias
    start_scores = rows @ start.T + start_bias + absent
    class_weights, part_weights, bias = (
        torch.zeros(shape, device=rows.device, requires_grad=True)
        for shape in ((num_classes, rows.shape[1]), (num_classes, part_scores.shape[1]), (num_classes,))
    )
    adam = torch.optim.Adam([class_weights, part_weights, bias], lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, _STEPS)
    for _ in range(_STEPS):
        scores = start_scores + rows @ class_weights.T + part_scores @ part_weights.T + bias
        loss = (importance * F.cross_entropy(scores, labels, reduction="none")).sum()
        penalty = decay * rows.shape[1] * class_weights.square().sum()
        if parts is not None:
            penalty = penalty + _MIXTURE_DECAY * part_weights.square().sum() + _BIAS_DECAY * bias.square().sum()
        adam.zero_grad()
        (loss + penalty).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        whole, whole_bias = start + class_weights, start_bias + bias + absent
        if parts is not None:
            whole, whole_bias = whole + part_weights @ parts.weights, whole_bias + part_weights @ parts.bias
        return whole, whole_bias


def _mixture(part_scores: Tensor, labels: Tensor, weights: Tensor, areas: Tensor) -> Tensor:
    """Return how much of each part's score a class begins with, [C, K].

    It is the share of the part's probability that lies in the class, where rare classes count more, sharpened towards
    the class that has most of it. A part that the labelled pictures hardly show says nothing.

    Args:
        part_scores: [n, K]; labels, weights: [n]; areas: of the classes, [C].
    """
    balanced = weights * areas.clamp_min(1)[labels].rsqrt()
    probabilities = part_scores.softmax(1) * (balanced / balanced.sum())[:, None]
    table = torch.zeros(len(areas), part_scores.shape[1], device=areas.device).index_add(0, labels, probabilities)
    mass = table.sum(0)
    sharpened = (table / (mass + _MIN_SHARE)) ** _SHARPNESS
    mixture: Tensor = sharpened / sharpened.sum(0).clamp_min(1e-9) * mass / (mass + _MIN_SHARE)
    return mixture
