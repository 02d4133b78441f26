"""The colours that a picture's label features lead to, roughly: enough to notice when all hair turns light.

Features up to `feature_resolution` decide where things are and much of how light they are; fine slots decide the rest.
A linear reading of the last label features, fitted to the generator's own pictures, costs next to nothing and says by
how much a change of outlines has changed colours on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators.protocol import Generator, draft_side, latents_of_seed
from smis_desktop.personal_model.label_transfer import LabelTransfer
from smis_desktop.personal_model.probe import LinearProbe
from smis_desktop.personal_model.scribbles import ScribbleTransfer

_PICTURES = 64
_FIRST_SEED = 90_000
_RIDGE = 1e-3
"""Of each feature's own mean square."""
_LEAST_AREA = 20.0
"""Pixels that are added to a class's area: the mean colour of a few pixels says little."""


def learn_feature_colors(generator: Generator) -> Tensor:
    """float32 [Z + 1, 3] on the CPU: `features · weights[:Z] + weights[Z]` is RGB in [-1, 1], nearly, where features
    are the generator's `label_features` of side r = `feature_resolution`, and RGB its picture averaged to r².

    Ridge regression in float64 over all pixels of 64 random pictures. Deterministic.
    """
    side = generator.feature_resolution
    size = generator.feature_channels(side) + 1
    products = torch.zeros(size, size, dtype=torch.float64)
    answers = torch.zeros(size, 3, dtype=torch.float64)
    with torch.no_grad():
        for number in range(_PICTURES):
            ws = latents_of_seed(generator, _FIRST_SEED + number, 1.0)[None]
            features = _rows(generator.label_features(ws)[side])
            given = torch.cat((features, features.new_ones(len(features), 1)), 1)
            picture = generator.draft(ws, draft_side(generator, side)).clamp(-1, 1)
            products += given.T @ given
            answers += given.T @ _rows(F.interpolate(picture, (side, side), mode="area"))
    ridge = _RIDGE * products.diagonal()
    ridge[-1] = 0  # the mean colour itself is not pulled to grey
    found: Tensor = torch.linalg.solve(products + torch.diag(ridge + 1e-9), answers)
    return found.float().contiguous()


@dataclass(frozen=True, eq=False)
class ClassColors:
    """What colours the classes of N pictures have: mean RGB [N, C, 3], area [N, C] in pixels."""

    mean: Tensor
    area: Tensor

    def change_from(self, before: ClassColors) -> Tensor:
        """[N]: the squared change of the classes' mean colours, averaged by area. A class counts as far as it is there
        both times."""
        weights = torch.minimum(self.area, before.area) / self.area.sum(1, keepdim=True)
        change: Tensor = (weights * (self.mean - before.mean).square().sum(2)).sum(1)
        return change


class ColorReader:
    """The class scores of a label transfer, and the colours of the classes."""

    def __init__(self, transfer: LabelTransfer, weights: Tensor) -> None:
        """weights: see `learn_feature_colors`."""
        self._transfer, self._weights = transfer, weights
        probe = transfer.probe if isinstance(transfer, ScribbleTransfer) else transfer
        # Read by one convolution, whose gradient costs half of what those of two cost.
        self._both = probe.beside(weights) if isinstance(probe, LinearProbe) else None

    def seen(self, features: dict[int, Tensor]) -> tuple[Tensor, ClassColors]:
        """Scores [N, C, r, r] and colours, differentiable in the label features {r: [N, Z_r, r, r]}.

        For the colours the scores are constants: a colour is not to be kept by calling its pixels something else.
        """
        if self._both is not None:
            scores, colors = self._both.scores(features).split((len(self._both.bias) - 3, 3), 1)
        else:
            scores = self._transfer.scores(features)
            colors = F.conv2d(features[max(features)], self._weights[:-1].T[:, :, None, None], self._weights[-1])
        shares = scores.detach().softmax(1)
        area = shares.sum((2, 3))
        mean = torch.einsum("nkhw,nchw->nkc", shares, colors) / (area[..., None] + _LEAST_AREA)
        return scores, ClassColors(mean, area)


def _rows(maps: Tensor) -> Tensor:
    """[1, Z, r, r] → float64 [r², Z] on the CPU."""
    return maps[0].flatten(1).T.cpu().double()
