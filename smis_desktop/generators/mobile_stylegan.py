"""MobileStyleGAN (Belousov 2021, arXiv 2104.04767): StyleGAN2 distilled into separable convolutions and wavelets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.coarse_features import CoarseFeatures
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import (
    LEAK,
    Affine,
    Regions,
    activated_pointwise,
    depthwise,
    inverse_haar,
    modulated,
    pointwise,
    scaled_inverse_haar,
    supports_frozen_layers,
    unfold3x3,
)


class StyledConv(nn.Module):
    """A modulated convolution (full 3×3, or depthwise 3×3 and pointwise 1×1), constant noise, bias and LeakyReLU.

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
        if self.is_frozen(x):
            return (
                self.frozen_forward(x, scales)
                if regions is None
                else self.frozen_forward(modulated(x, scales, regions), None)
            )
        x = modulated(x, scales, regions)
        if self.depthwise is None:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        else:
            x = F.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
            x = F.conv2d(x, self.weight, self.bias)
        return F.leaky_relu(x + self.noise, LEAK)

    def is_frozen(self, x: Tensor) -> bool:
        """Whether `frozen_forward` applies."""
        weights = [weight for weight in (self.depthwise, self.weight, self.bias, self.noise) if weight is not None]
        return supports_frozen_layers(x, *weights)

    def frozen_forward(self, x: Tensor, scales: Tensor | None) -> Tensor:
        """Compute `forward` with the functions for frozen weights.

        Args:
            scales: the affine layer's, [N, C, 1, 1]; None where `x` is scaled already.
        """
        if self.depthwise is None:
            x, scales = unfold3x3(x if scales is None else x * scales), None
        else:
            # Depthwise convolutions do not mix channels, so scales may follow, as scaled weights.
            x = depthwise(x, self.depthwise)
        return activated_pointwise(x, scales, self.weight.flatten(1)[:, :, None, None], self.bias, self.noise, LEAK)


class PictureHead(nn.Module):
    """A small network from the first convolution's output at `resolution` [N, C, R, R] and `ws` to pictures [N, 3, R,
    R].

    One styled separable convolution a slot in `slots`, the last slot's modulated 1×1 convolution to RGB.
    """

    def __init__(self, w_dim: int, resolution: int, slots: range, widths: Sequence[int]) -> None:
        """Args: widths: input channels, then those after each convolution; as many as there are slots."""
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
        if regions is None and supports_frozen_layers(x, self.to_rgb.weight):
            return pointwise(x, scales, self.to_rgb.weight, self.to_rgb.bias)
        picture: Tensor = self.to_rgb(modulated(x, scales, regions))
        return picture


def product_of_affines(first: Affine, second: Affine, w: Tensor) -> tuple[Tensor, Tensor]:
    """Linearise the channel-wise product of two affine maps around `w` [D].

    Returns:
        Weight and bias of the affine map. `first` may have more channels than `second`; the further ones are left out.
    """
    count = len(second.bias)
    first_weight, first_bias = first.weight[:count], first.bias[:count]
    a, b = F.linear(w, first_weight, first_bias), F.linear(w, second.weight, second.bias)
    weight = first_weight * b[:, None] + second.weight * a[:, None]
    return weight, a * b - torch.mv(weight, w)


class Block(nn.Module):
    """A block that doubles the side: modulated inverse Haar step (C → C/4), then two styled separable convolutions."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.up = Affine(w_dim, in_channels)
        self.conv1 = StyledConv(w_dim, in_channels // 4, out_channels, resolution, separable=True)
        self.conv2 = StyledConv(w_dim, out_channels, out_channels, resolution, separable=True)

    def forward(self, x: Tensor, w_up: Tensor, w_conv2: Tensor, regions: Regions | None = None) -> Tensor:
        x = self.conv2(self.first_half(x, w_up, regions), w_conv2, regions)
        return x

    def first_half(self, x: Tensor, w_up: Tensor, regions: Regions | None = None) -> Tensor:
        """Compute the upsampling and the first convolution: a fifth of the block's arithmetic."""
        if regions is None and self.conv1.is_frozen(x):
            # Neither step mixes channels, so the scales of both are applied at once, at the smaller side.
            conv_scales = self.conv1.affine(w_up)
            scales = self.up(w_up) * torch.cat((conv_scales, conv_scales.repeat_interleave(3, 1)), 1)
            return self.conv1.frozen_forward(scaled_inverse_haar(x, scales), None)
        half: Tensor = self.conv1(inverse_haar(modulated(x, self.up(w_up), regions)), w_up, regions)
        return half


class ImageHead(nn.Module):
    """A modulated 1×1 convolution to 12 wavelet channels, then an inverse Haar step to RGB at twice the side."""

    def __init__(self, w_dim: int, in_channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(12, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(12))

    def forward(self, x: Tensor, w: Tensor, regions: Regions | None = None) -> Tensor:
        if regions is None and supports_frozen_layers(x, self.weight, self.bias):
            return inverse_haar(pointwise(x, self.affine(w), self.weight, self.bias))
        return inverse_haar(F.conv2d(modulated(x, self.affine(w), regions), self.weight, self.bias))


class MobileStyleGAN(Generator):
    """MobileStyleGAN's networks. The last slot is the image head's; the picture has twice the last block's side."""

    _PICTURE_SCALE = 2

    def __init__(
        self, name: str, weights_sha256: str, channels: Sequence[int], w_dim: int = 512, mapping_depth: int = 8
    ) -> None:
        super().__init__(name, weights_sha256, channels, w_dim, mapping_depth)
        self.first = StyledConv(w_dim, channels[0], channels[0], 4, separable=False)
        self.blocks = nn.ModuleList(
            Block(w_dim, before, after, 8 * 2**i) for i, (before, after) in enumerate(pairwise(channels))
        )
        self.head = ImageHead(w_dim, channels[-1])
        self.heads = nn.ModuleDict()
        """Picture heads by the side of their pictures."""

    @property
    def draft_sizes(self) -> tuple[int, ...]:
        return (*(int(side) for side in self.heads), self.img_resolution)

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        x = coarse.features
        last = len(self.blocks) if side == self.img_resolution else self.block_at(side)
        for i in range(self.first_fine_block, last):
            x = self._second_half(i, self._first_half(i, x, ws, regions), ws, regions)
        if side == self.img_resolution:
            picture: Tensor = self.head(x, ws[:, -1], regions)
        else:
            picture = self.heads[str(side)](self._first_half(last, x, ws, regions), ws, regions)
        return picture

    def block_at(self, resolution: int) -> int:
        """Return the index of the block whose output has that side. Raises ValueError if there is none."""
        return self._sides().index(resolution, 1) - 1

    def blank_head(self, side: int, widths: Sequence[int]) -> PictureHead:
        """Return a new picture head for this generator's features at `side`.

        Args:
            widths: channels after each of its convolutions.
        """
        index = self.block_at(side)
        slots = range(2 * index + 2, self.num_ws)
        return PictureHead(self.w_dim, side, slots, (self.channels[index + 1], *widths))

    def _first_fine_slot(self) -> int:
        return min(9, self.num_ws)

    def _first_features(self, ws: Tensor, regions: Regions | None = None) -> Tensor:
        count = len(ws) if regions is None else 1
        x: Tensor = self.first(self.constant.expand(count, -1, -1, -1), ws[:, 0], regions)
        return x

    def _first_half(self, i: int, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        return cast(Block, self.blocks[i]).first_half(x, ws[:, 2 * i + 1], regions)

    def _second_half(self, i: int, half: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        x: Tensor = cast(Block, self.blocks[i]).conv2(half, ws[:, 2 * i + 2], regions)
        return x

    def _add_optional_parts(self, weights: Mapping[str, Tensor]) -> None:
        for side in sorted({int(key.split(".")[1]) for key in weights if key.startswith("heads.")}):
            self.heads[str(side)] = self.blank_head(side, _head_widths(weights, side))


def _head_widths(weights: Mapping[str, Tensor], side: int) -> list[int]:
    convs = sum(1 for key in weights if key.startswith(f"heads.{side}.convs.") and key.endswith(".depthwise"))
    return [weights[f"heads.{side}.convs.{i}.bias"].shape[0] for i in range(convs)]
