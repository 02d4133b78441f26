"""Statistics of the classes in latent and feature space: the directions that move them, and their colours.

Directions: of the hundreds of dimensions of `w`, some thirty change outlines that a label transfer can see; along the
others faces age, turn lighter or get another expression while their layout stays (docs/experiments/variety.md). They
are the principal directions of the class probabilities' gradients with respect to whitened `w`, each gradient against
random weights over pixels and classes: a randomised sketch of the Jacobian's row space (Halko, Martinsson & Tropp 2011,
section 4), taken over many pictures.

Colours: features up to `feature_resolution` decide where things are and much of how light they are; fine slots decide
the rest. A linear map of the last label features, fitted to the generator's own pictures, costs next to nothing and
notices when a change of outlines turns all hair light.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator, draft_side, latents_of_seed
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe
from smis_desktop.personal_model.scribbles import ScribbleTransfer

_DIRECTION_PICTURES = 96
_DIRECTION_FIRST_SEED = 80_000
_TRUNCATION = 0.8
_ENERGY = 0.99
"""Share of the gradients' squared length that the directions hold together."""

_COLOR_PICTURES = 64
_COLOR_FIRST_SEED = 90_000
_RIDGE = 1e-3
"""Relative to each feature's own mean square."""
_AREA_PRIOR = 20.0
"""Pixels that are added to a class's area: the mean colour of a few pixels says little."""


def label_directions(generator: Generator, transfer: LabelTransfer) -> Tensor:
    """Find the directions of whitened `w` along which classes move. Deterministic.

    Returns:
        float32 [k, D] on the CPU, orthonormal rows, the strongest first; k is the smallest that holds 99 % of the
        gradients' energy.
    """
    random = torch.Generator().manual_seed(0)
    rows = [
        _unit_gradient(generator, transfer, latents_of_seed(generator, seed, _TRUNCATION), random)
        for seed in range(_DIRECTION_FIRST_SEED, _DIRECTION_FIRST_SEED + _DIRECTION_PICTURES)
    ]
    _, strengths, directions = torch.linalg.svd(torch.stack(rows).double(), full_matrices=False)
    energy = strengths.square().cumsum(0)
    count = int(torch.searchsorted(energy, _ENERGY * energy[-1]).item()) + 1
    strongest: Tensor = directions[:count].float().contiguous()
    return strongest


def split_along(whitened: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Split coordinates [..., D] into the part along the directions and the rest; the two add up to `whitened`."""
    along = whitened @ directions.T @ directions
    return along, whitened - along


def _unit_gradient(generator: Generator, transfer: LabelTransfer, ws: Tensor, random: torch.Generator) -> Tensor:
    """Return a random gradient of the class probabilities, [D], of unit length, so that every picture counts alike."""
    latents = generator.latents
    coordinates = latents.whiten(ws[:1]).detach().requires_grad_()
    with torch.enable_grad():
        scores = transfer.scores(generator.label_features(generator.broadcast(latents.color(coordinates))))
        probabilities = scores.float().softmax(1)
        weights = torch.randn(probabilities.shape, generator=random).to(probabilities.device)
        (gradient,) = torch.autograd.grad((probabilities * weights).sum(), coordinates)
    flat = gradient[0].cpu()
    unit: Tensor = flat / torch.linalg.vector_norm(flat).clamp_min(1e-20)
    return unit


def learn_feature_colors(generator: Generator) -> Tensor:
    """Fit RGB to label features: ridge regression in float64 over all pixels of 64 random pictures. Deterministic.

    Returns:
        float32 [Z + 1, 3] on the CPU: `features · weights[:Z] + weights[Z]` is about RGB in [-1, 1], where features are
        the generator's `label_features` of side r = `feature_resolution`, and RGB its picture averaged to r².
    """
    side = generator.feature_resolution
    size = generator.feature_channels(side) + 1
    products = torch.zeros(size, size, dtype=torch.float64)
    answers = torch.zeros(size, 3, dtype=torch.float64)
    with torch.no_grad():
        for seed in range(_COLOR_FIRST_SEED, _COLOR_FIRST_SEED + _COLOR_PICTURES):
            ws = latents_of_seed(generator, seed, 1.0)[None]
            features = _pixel_rows(generator.label_features(ws)[side])
            inputs = torch.cat((features, features.new_ones(len(features), 1)), 1)
            picture = generator.draft(ws, draft_side(generator, side)).clamp(-1, 1)
            products += inputs.T @ inputs
            answers += inputs.T @ _pixel_rows(F.interpolate(picture, (side, side), mode="area"))
    ridge = _RIDGE * products.diagonal()
    ridge[-1] = 0  # the mean colour itself is not pulled to grey
    weights: Tensor = torch.linalg.solve(products + torch.diag(ridge + 1e-9), answers)
    return weights.float().contiguous()


@dataclass(frozen=True, eq=False)
class ClassColors:
    """The colours of the classes in N pictures: mean RGB [N, C, 3], area [N, C] in pixels."""

    mean: Tensor
    area: Tensor

    def change_from(self, before: ClassColors) -> Tensor:
        """Return [N]: the squared change of the classes' mean colours, weighted by the area that a class has both
        times."""
        weights = torch.minimum(self.area, before.area) / self.area.sum(1, keepdim=True)
        change: Tensor = (weights * (self.mean - before.mean).square().sum(2)).sum(1)
        return change


class ColorReader:
    """Reads class scores and the classes' colours from label features at once."""

    def __init__(self, transfer: LabelTransfer, weights: Tensor) -> None:
        """Args: weights: as `learn_feature_colors` returns them."""
        self._transfer, self._weights = transfer, weights
        probe = transfer.probe if isinstance(transfer, ScribbleTransfer) else transfer
        # One convolution for both: its gradient costs half of what those of two cost.
        self._joint = probe.with_outputs(weights) if isinstance(probe, LinearProbe) else None

    def scores_and_colors(self, features: dict[int, Tensor]) -> tuple[Tensor, ClassColors]:
        """Return scores [N, C, r, r] and colours, differentiable in the label features {r: [N, Z_r, r, r]}.

        Colours take the scores as constants: a colour is not to be kept by assigning its pixels to another class.
        """
        if self._joint is not None:
            scores, colors = self._joint.scores(features).split((len(self._joint.bias) - 3, 3), 1)
        else:
            scores = self._transfer.scores(features)
            colors = F.conv2d(features[max(features)], self._weights[:-1].T[:, :, None, None], self._weights[-1])
        probabilities = scores.detach().softmax(1)
        area = probabilities.sum((2, 3))
        mean = torch.einsum("nkhw,nchw->nkc", probabilities, colors) / (area[..., None] + _AREA_PRIOR)
        return scores, ClassColors(mean, area)


def _pixel_rows(maps: Tensor) -> Tensor:
    """Rearrange [1, Z, r, r] to float64 [r², Z] on the CPU."""
    return maps[0].flatten(1).T.cpu().double()
