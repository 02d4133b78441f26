"""Layers that both architectures share: mapping network, Haar wavelets, region blending.

A styled convolution scales the channels that come in by its style and then convolves. Where the scales vary over the
picture, every place is drawn in its own style, and the convolution joins them; one run of the network does for any
number of styles. (Collins et al. 2020, arXiv 2004.14367, edit by interpolating the same scales for a whole picture.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2
"""Slope of the LeakyReLU below zero, here and in the convolutions."""


class MappingNetwork(nn.Module):
    """`z` → `w`: pixel norm, then linear layers with LeakyReLU and gain √2.

    Weights are the effective ones: gains of the equalised learning rate are already multiplied in.
    """

    def __init__(self, w_dim: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w_dim, w_dim) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        w = normalised(z)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), LEAK) * 2**0.5
        return w


def normalised(z: Tensor) -> Tensor:
    """[N, D] scaled to a mean square of one, row by row."""
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def inverse_haar(x: Tensor) -> Tensor:
    """One inverse orthonormal Haar step, [N, 4C, H, W] → [N, C, 2H, 2W].

    Channels 0…C-1 are the low band; channel C + 3c + k is high band k of output channel c: 0 changes sign
    down the rows, 1 along the columns, 2 in both.
    """
    n, channels, height, width = x.shape
    c = channels // 4
    low = x[:, :c]
    high = x[:, c:].unflatten(1, (c, 3))
    rows, columns, both = high.unbind(2)
    plus, minus = low + rows, low - rows
    sum_, difference = columns + both, columns - both
    corners = torch.stack((plus + sum_, plus - sum_, minus + difference, minus - difference), 2)
    return F.pixel_shuffle(corners.reshape(n, channels, height, width) * 0.5, 2)


def haar(x: Tensor) -> Tensor:
    """The forward step, [N, C, 2H, 2W] → [N, 4C, H, W]; `inverse_haar(haar(x)) == x`."""
    a, b, c, d = F.pixel_unshuffle(x, 2).unflatten(1, (x.shape[1], 4)).unbind(2)
    low = a + b + c + d
    high = torch.stack((a + b - c - d, a - b + c - d, a - b - c + d), 2)
    return torch.cat((low, high.flatten(1, 2)), 1) * 0.5


def haar_matrix(channels: int) -> Tensor:
    """[C, C, 1, 1]: `inverse_haar(x)` of so many channels is `pixel_shuffle(conv2d(x, haar_matrix(C)), 2)`."""
    each = torch.eye(channels)[:, :, None, None]
    return F.pixel_unshuffle(inverse_haar(each), 2).transpose(0, 1).contiguous()


def by_bands(channels: int) -> Tensor:
    """int64 [4C]: `x[:, by_bands(4C)]` has the four bands of `inverse_haar`'s input one behind the other, C channels
    each: low, then those of `k` 0, 1 and 2."""
    c = channels // 4
    each = torch.arange(c)
    return torch.cat((each, *(c + 3 * each + k for k in range(3))))


def inverse_haar_of_bands(x: Tensor) -> Tensor:
    """Twice `inverse_haar` of channels that lie band by band: no channel has to be looked for, nothing is halved."""
    low, rows, columns, both = x.chunk(4, 1)
    plus, minus = low + rows, low - rows
    sum_, difference = columns + both, columns - both
    corners = torch.cat((plus + sum_, plus - sum_, minus + difference, minus - difference), 1)
    n, channels, height, width = corners.shape
    c = channels // 4
    return corners.view(n, 2, 2, c, height, width).permute(0, 3, 4, 1, 5, 2).reshape(n, c, 2 * height, 2 * width)


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
