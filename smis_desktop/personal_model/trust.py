"""How far refinement may trust what a model reads of each class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.personal_model.label_transfer import LatentShot, LinearProbe
from smis_desktop.personal_model.probe_learning import held_out_iou

_UNREADABLE, _WELL_READ = 0.1, 0.6
"""Intersection over union at which trust would be 0, and at which it is 1."""
_LEAST = 0.3
"""What is read badly still counts a little: nothing else says where it is."""
_PICTURES, _FIRST_SEED, _TRUNCATION = 12, 95_000, 0.8
WEAK_TRUST = 0.5
"""A class below it is named as one that the model reads badly."""


def class_trust(
    generator: Generator,
    shots: Sequence[LatentShot],
    probe: LinearProbe,
    fine_probe: LinearProbe,
    num_classes: int,
    uses_part_prior: bool,
) -> Tensor:
    """Return the trust in each class, float32 [C] in [0, 1] on the CPU.

    It rises with the intersection over union in shots that were left out. A class of one shot alone has none; there the
    two probes, which read different features, are compared on random pictures: where they contradict each other, one of
    them is wrong.
    """
    iou = held_out_iou(generator, shots, num_classes, uses_part_prior)
    if bool(iou.isnan().any()):
        iou = torch.where(iou.isnan(), _agreement(generator, probe, fine_probe, num_classes), iou)
    trust: Tensor = ((iou - _UNREADABLE) / (_WELL_READ - _UNREADABLE)).clamp(_LEAST, 1)
    return trust


@torch.no_grad()
def _agreement(generator: Generator, probe: LinearProbe, fine_probe: LinearProbe, num_classes: int) -> Tensor:
    """Return the intersection over union of what both probes call each class in random pictures, [C]; 0 where neither
    says so."""
    both, either = torch.zeros(num_classes), torch.zeros(num_classes)
    for seed in range(_FIRST_SEED, _FIRST_SEED + _PICTURES):
        coarse = generator.coarse_features(latents_of_seed(generator, seed, _TRUNCATION)[None])
        fine = fine_probe.label(generator.fine_label_features(coarse)).flatten()
        side = (generator.fine_feature_resolution,) * 2
        cheap = probe.label(coarse.label_features)[:, None].float()
        cheap = F.interpolate(cheap, size=side, mode="nearest-exact").long().flatten()
        both += torch.bincount(fine[fine == cheap], minlength=num_classes).cpu()
        either += (torch.bincount(fine, minlength=num_classes) + torch.bincount(cheap, minlength=num_classes)).cpu()
    return both / (either - both).clamp_min(1)
