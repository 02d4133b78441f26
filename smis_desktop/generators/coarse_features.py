"""Coarse features: what the coarse and middle slots compute, and how a patch's are put into those of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class CoarseFeatures:
    """What the coarse and middle slots compute, and what the fine slots cannot change.

    label_features: as `Generator.label_features` returns them.
    features: the feature map [N, Z, r, r] that `Generator.synthesize_fine` goes on from.
    rgb: with skip connections in RGB (StyleGAN2), the picture so far [N, 3, r/2, r/2].
    """

    label_features: dict[int, Tensor]
    features: Tensor
    rgb: Tensor | None = None

    def to(self, device: torch.device) -> CoarseFeatures:
        """Return the same features on `device`."""
        label_features = {side: maps.to(device) for side, maps in self.label_features.items()}
        return CoarseFeatures(
            label_features, self.features.to(device), None if self.rgb is None else self.rgb.to(device)
        )


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The picture that a patch is put into: while the patch's features are computed, those of the picture replace them
    wherever its mask is 0, so that the patch continues what surrounds it.

    coarse: the picture's features. mask: float32 [1, 1, M, M] in [0, 1], M a multiple of `feature_resolution`.
    """

    coarse: CoarseFeatures
    mask: Tensor

    def at(self, side: int) -> Tensor:
        """Return the mask averaged to [1, 1, side, side]."""
        return F.adaptive_avg_pool2d(self.mask, side)

    def around(self, features: Tensor, side: int) -> Tensor:
        """Return what the next block goes on from, [1, Z, side, side]: at `blended_sides` the patch's features in
        their surroundings, else as they are."""
        if side not in blended_sides(max(self.coarse.label_features)):
            return features
        below = self.coarse.label_features[side].to(features.dtype)
        return torch.lerp(below, features, self.at(side).to(features.dtype))

    def around_labels(self, own: Mapping[int, Tensor], below_side: int | None = None) -> dict[int, Tensor]:
        """Return the patch's label features in their surroundings, at all sides, or those below one. Where the mask is
        0 they are exactly the picture's."""
        below = self.coarse.label_features
        return {
            side: torch.lerp(below[side], maps, self.at(side))
            for side, maps in own.items()
            if below_side is None or side < below_side
        }

    def around_all(self, own: CoarseFeatures) -> CoarseFeatures:
        """Return the features of the picture with the patch in it. Where the mask is 0 they are exactly the
        picture's."""
        below, rgb = self.coarse, own.rgb
        if rgb is not None and below.rgb is not None:
            rgb = torch.lerp(below.rgb, rgb, self.at(rgb.shape[-1]))
        features = torch.lerp(below.features, own.features, self.at(own.features.shape[-1]))
        return CoarseFeatures(self.around_labels(own.label_features), features, rgb)

    def to(self, device: torch.device) -> Surroundings:
        """Return the same surroundings on `device`."""
        return Surroundings(self.coarse.to(device), self.mask.to(device))


def blended_sides(feature_resolution: int) -> tuple[int, ...]:
    """Return the sides at which a patch's features are put into their surroundings before the next block goes on from
    them: the two below the largest that labels are read from."""
    return tuple(side for side in (feature_resolution // 4, feature_resolution // 2) if side >= 8)
