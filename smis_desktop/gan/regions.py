"""Several styles in one picture, each in a region of its own, by blending feature maps under masks.

A styled convolution scales the channels that come in by its style and then convolves. Where the scales vary over the
picture, every place is drawn in its own style, and the convolution joins them; one run of the network does for any
number of styles. (Collins et al. 2020, arXiv 2004.14367, edit by interpolating the same scales for a whole picture.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Regions:
    """masks: float32 [K, 1, R, R] in [0, 1] that sum to 1 over K; mask k is where the k-th style is worn."""

    masks: Tensor

    def blend(self, values: Tensor, side: int) -> Tensor:
        """One value a style and channel, [K, C, 1, 1] → [1, C, side, side]."""
        masks = F.adaptive_avg_pool2d(self.masks, side) if side <= self.masks.shape[-1] else _enlarged(self.masks, side)
        return torch.einsum("kc,khw->chw", values[:, :, 0, 0], masks[:, 0])[None]


def _enlarged(masks: Tensor, side: int) -> Tensor:
    return F.interpolate(masks, size=(side, side), mode="bilinear", align_corners=False)


def modulated(x: Tensor, scales: Tensor, regions: Regions | None) -> Tensor:
    """`x` [N, C, r, r] times `scales` [N, C, 1, 1]; with regions x is [1, C, r, r] and scales [K, C, 1, 1]."""
    return x * scales if regions is None else x * regions.blend(scales, x.shape[-1])
