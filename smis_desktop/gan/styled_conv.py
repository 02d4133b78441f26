"""A convolution of MobileStyleGAN, modulated by `w` (Belousov 2021, arXiv 2104.04767)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.gan.constant_layers import activated_product, depthwise, neighbourhoods, suits
from smis_desktop.gan.mapping import LEAK
from smis_desktop.gan.precision import in_float32
from smis_desktop.gan.regions import Regions, modulated


class Affine(nn.Module):
    """`w` [N, 512] → channel scales [N, C, 1, 1]: StyleGAN's learned affine transform A."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, w_dim))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, w: Tensor) -> Tensor:
        with in_float32(w):  # a scale that is off is off for a whole channel
            return F.linear(w, self.weight, self.bias)[:, :, None, None]


class StyledConv(nn.Module):
    """Modulate, convolve (full 3×3, or depthwise 3×3 and pointwise 1×1), add constant noise and bias, LeakyReLU.

    The demodulation is a constant of the network, folded into the weights.
    """

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int, separable: bool) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.depthwise = nn.Parameter(torch.empty(in_channels, 1, 3, 3)) if separable else None
        kernel = 1 if separable else 3
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.noise = nn.Parameter(torch.empty(1, 1, resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, regions: Regions | None = None) -> Tensor:
        scales = self.affine(w)
        if regions is None and self.is_constant(x):
            return self.constant_forward(x, scales)
        x = modulated(x, scales, regions)
        if self.depthwise is None:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        else:
            x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
            x = F.conv2d(x, self.weight, self.bias)
        return F.leaky_relu(x + self.noise, LEAK)

    def is_constant(self, x: Tensor) -> bool:
        """Whether `constant_forward` may be asked."""
        weights = [weight for weight in (self.depthwise, self.weight, self.bias, self.noise) if weight is not None]
        return suits(x, *weights)

    def constant_forward(self, x: Tensor, scales: Tensor | None) -> Tensor:
        """The same by `gan.constant_layers`. scales: the affine's, [N, C, 1, 1]; None where `x` is scaled already."""
        if self.depthwise is None:
            x, scales = neighbourhoods(x if scales is None else x * scales), None
        else:
            # Depthwise convolutions keep channels apart: scales may as well come behind, where they are weights.
            x = depthwise(x, self.depthwise)
        return activated_product(x, scales, self.weight.flatten(1)[:, :, None, None], self.bias, self.noise, LEAK)
