"""The few directions of `w` along which a picture's classes move.

Of the hundreds of dimensions of `w`, some thirty change outlines that a label transfer can see; along the others faces
age, turn lighter or get another expression while their layout stays (measured on the default model, see
docs/measurements.md). They are found as the principal directions of the class probabilities' gradients with respect to
whitened `w`, each gradient against random weights over pixels and classes: a randomised sketch of the Jacobian's row
space (Halko, Martinsson & Tropp 2011, section 4), taken over many pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from smis_desktop.generators.protocol import Generator, latents_of_seed
from smis_desktop.personal_model.label_transfer import LabelTransfer

_PICTURES = 96
_FIRST_SEED = 80_000
_TRUNCATION = 0.8
_ENERGY = 0.99
"""Share of the gradients' squared length that the directions hold together."""


def label_directions(generator: Generator, transfer: LabelTransfer) -> Tensor:
    """float32 [k, D] on the CPU, orthonormal rows in the generator's whitened coordinates, the strongest first.

    k is the smallest that holds 99 % of the gradients' energy. Deterministic.
    """
    random = torch.Generator().manual_seed(0)
    rows = [
        _gradient(generator, transfer, latents_of_seed(generator, _FIRST_SEED + number, _TRUNCATION), random)
        for number in range(_PICTURES)
    ]
    _, strengths, directions = torch.linalg.svd(torch.stack(rows).double(), full_matrices=False)
    energy = strengths.square().cumsum(0)
    count = int(torch.searchsorted(energy, _ENERGY * energy[-1]).item()) + 1
    found: Tensor = directions[:count].float().contiguous()
    return found


def split(whitened: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates [..., D] → (the part that moves classes, the rest); they add up to `whitened`."""
    bound = whitened @ directions.T @ directions
    return bound, whitened - bound


def _gradient(generator: Generator, transfer: LabelTransfer, ws: Tensor, random: torch.Generator) -> Tensor:
    """Of unit length, so that every picture counts alike; [D]."""
    latents = generator.latents
    coordinates = latents.whiten(ws[:1]).detach().requires_grad_()
    with torch.enable_grad():
        scores = transfer.scores(transfer.read(generator, generator.broadcast(latents.color(coordinates))))
        probabilities = scores.float().softmax(1)
        weights = torch.randn(probabilities.shape, generator=random).to(probabilities.device)
        (gradient,) = torch.autograd.grad((probabilities * weights).sum(), coordinates)
    flat = gradient[0].cpu()
    unit: Tensor = flat / torch.linalg.vector_norm(flat).clamp_min(1e-20)
    return unit
