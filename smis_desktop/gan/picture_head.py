"""Smaller pictures straight from the middle of MobileStyleGAN, so that nobody pays for layers that are not shown.

A picture of a quarter of the full side is the full one averaged, and averaging throws all high wavelet bands away. So
a head reads the first convolution of a block as the generator's own next layers would, but keeps their low band only
and stays at that block's side: the few channels that are left cost little. What that approximation loses (averages
do not commute with LeakyReLU and 3×3 kernels) is learned back from the full generator (scripts/fit_picture_heads.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.gan.constant_layers import product, suits
from smis_desktop.gan.regions import Regions, modulated
from smis_desktop.gan.styled_conv import Affine, StyledConv


class PictureHead(nn.Module):
    """Output of the first convolution at `resolution` [N, C, R, R] and `ws` → pictures [N, 3, R, R] in about [-1, 1].

    One styled separable convolution a slot in `slots`, the last slot's modulated 1×1 convolution to RGB.
    """

    def __init__(self, w_dim: int, resolution: int, slots: range, widths: Sequence[int]) -> None:
        """widths: channels that come in, then those after each convolution: as many as there are slots."""
        super().__init__()
        self.resolution, self.slots, self.widths = resolution, slots, tuple(widths)
        self.convs = nn.ModuleList(
            StyledConv(w_dim, before, after, resolution, separable=True) for before, after in pairwise(widths)
        )
        self.to_rgb_affine = Affine(w_dim, widths[-1])
        self.to_rgb = nn.Conv2d(widths[-1], 3, 1)

    def forward(self, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        *conv_slots, last = self.slots
        for conv, slot in zip(self.convs, conv_slots, strict=True):
            x = conv(x, ws[:, slot], regions)
        scales = self.to_rgb_affine(ws[:, last])
        if regions is None and suits(x, self.to_rgb.weight):
            return product(x, scales, self.to_rgb.weight, self.to_rgb.bias)
        picture: Tensor = self.to_rgb(modulated(x, scales, regions))
        return picture


def product_of_affines(first: Affine, second: Affine, w: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of the affine map that equals `first · second`, channel by channel, to first order around `w`
    [D]. `first` may have more channels than `second`; the further ones are left out."""
    count = len(second.bias)
    first_weight, first_bias = first.weight[:count], first.bias[:count]
    a, b = F.linear(w, first_weight, first_bias), F.linear(w, second.weight, second.bias)
    weight = first_weight * b[:, None] + second.weight * a[:, None]
    return weight, a * b - torch.mv(weight, w)
