"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), configuration F: skip connections in RGB, demodulated weights.

Weights are the effective ones: the gains of the equalised learning rate are multiplied in, and each layer's noise is a
constant that includes its strength. Sizes follow from the tensors, so any network of this family loads. There are no
compiled operators: the FIR filters (the paper's upfirdn2d) are depthwise convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.coarse_features import CoarseFeatures
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import LEAK, Affine, Regions, modulated

Scaling = Literal["weights", "activations"]
"""Where styles are applied: to each picture's own copy of the weights, or to inputs and outputs."""
_EPSILON = 1e-8
_SMALLEST_DRAFT = 256
_SMALLEST = 16
"""Smaller pictures leave an encoder nothing to learn from."""


class ModulatedConv(nn.Module):
    """A 3×3 convolution whose weights a style scales and demodulates (the paper's equations 1 and 3), then noise, bias,
    LeakyReLU with gain √2 and, where the network was trained with one, a clamp.

    With `up` the side doubles: a transposed convolution, then the FIR filter.
    """

    energy: Tensor | None
    """Σ over the kernel of squared weights, [O, I]; cached for weights that do not change any more."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int, up: bool) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.noise = nn.Parameter(torch.empty(1, 1, resolution, resolution))
        self.up = up
        self.scaling: Scaling | None = None
        """None chooses the faster; with regions, activations are always scaled."""
        self.register_buffer("energy", None, persistent=False)

    def forward(self, x: Tensor, w: Tensor, fir: Tensor, clamp: float, regions: Regions | None = None) -> Tensor:
        """Convolve `x` [N, I, r, r] in the style of `w` [N, D] (with regions: one x in K styles) to [N, O, r, r], with
        `up` twice the side."""
        style = self.affine(w)
        energy = self.weight.square().sum((2, 3)) if self.energy is None else self.energy
        demodulation = (F.linear(style[:, :, 0, 0].square(), energy) + _EPSILON).rsqrt()[:, :, None, None]
        if regions is None and (self.scaling or self._faster(x)) == "weights":
            x = self._grouped(x, self.weight * style[:, None] * demodulation[:, :, None], fir)
        else:
            x = self._convolved(modulated(x, style, regions), self.weight, 1, fir)
            x = modulated(x, demodulation, regions)
        return _clamped(F.leaky_relu(x + self.noise + self.bias[:, None, None], LEAK) * 2**0.5, clamp)

    def _faster(self, x: Tensor) -> Scaling:
        """Return whether it is faster to scale the weights or the activations.

        Scaled weights are new weights, which the convolution has to repack first. That pays where activations are many,
        past 64² (docs/experiments/generator.md).
        """
        side = x.shape[-1] * (2 if self.up else 1)
        activations = x[0].numel() + len(self.weight) * side**2
        return "weights" if 4 * self.weight.numel() < activations else "activations"

    def _grouped(self, x: Tensor, weights: Tensor, fir: Tensor) -> Tensor:
        """Convolve each picture with weights of its own, [N, O, I, 3, 3], as one convolution in N groups."""
        n = len(x)
        x = self._convolved(x.reshape(1, -1, *x.shape[2:]), weights.flatten(0, 1), n, fir)
        return x.reshape(n, -1, *x.shape[2:])

    def _convolved(self, x: Tensor, weight: Tensor, groups: int, fir: Tensor) -> Tensor:
        if not self.up:
            return F.conv2d(x, weight, padding=1, groups=groups)
        transposed = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
        x = F.conv_transpose2d(x, transposed, stride=2, groups=groups)
        kernel = (4 * fir).flip(0, 1).expand(x.shape[1], 1, -1, -1)
        return F.conv2d(x, kernel, padding=len(fir) // 2 - 1, groups=x.shape[1])


class ToRGB(nn.Module):
    """A modulated 1×1 convolution to RGB, not demodulated."""

    def __init__(self, w_dim: int, in_channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))

    def forward(self, x: Tensor, w: Tensor, clamp: float, regions: Regions | None = None) -> Tensor:
        return _clamped(F.conv2d(modulated(x, self.affine(w), regions), self.weight, self.bias), clamp)


class Block(nn.Module):
    """A block that doubles the side: an upsampling convolution, a second one, and its share of the picture."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.conv1 = ModulatedConv(w_dim, in_channels, out_channels, resolution, up=True)
        self.conv2 = ModulatedConv(w_dim, out_channels, out_channels, resolution, up=False)
        self.rgb = ToRGB(w_dim, out_channels)


class StyleGAN2(Generator):
    """StyleGAN2's networks. Slot 2i+3, which the next block's first convolution takes too, is that of block i's RGB."""

    filter: Tensor
    limit: Tensor
    centre: Tensor
    """What truncation pulls towards: the mean that its training tracked. `latents.w_avg` is measured."""

    def __init__(
        self, name: str, weights_sha256: str, channels: Sequence[int], w_dim: int = 512, mapping_depth: int = 8
    ) -> None:
        """Raises ValueError for pictures of less than 16²."""
        super().__init__(name, weights_sha256, channels, w_dim, mapping_depth)
        if self.img_resolution < _SMALLEST:
            raise ValueError(f"pictures of {self.img_resolution}² are too small to read labels from")
        self.first = ModulatedConv(w_dim, channels[0], channels[0], 4, up=False)
        self.first_rgb = ToRGB(w_dim, channels[0])
        self.blocks = nn.ModuleList(
            Block(w_dim, before, after, 8 * 2**i) for i, (before, after) in enumerate(pairwise(channels))
        )
        self.register_buffer("filter", fir_filter((1, 3, 3, 1)))
        self.register_buffer("limit", torch.tensor(math.inf))
        self.register_buffer("centre", torch.empty(w_dim))
        self.clamp = math.inf
        """What activations are clamped to. `limit` is the same as a tensor, stored with the weights."""

    @classmethod
    def from_weights(cls, name: str, weights_sha256: str, weights: Mapping[str, Tensor]) -> Self:
        return super().from_weights(name, weights_sha256, weights).finalize()

    def finalize(self) -> Self:
        """Cache what depends on the weights alone, which must not change any more: the clamp and kernel energies."""
        self.clamp = float(self.limit)
        for module in self.modules():
            if isinstance(module, ModulatedConv):
                module.energy = module.weight.detach().square().sum((2, 3))
        return self

    @property
    def draft_sizes(self) -> tuple[int, ...]:
        """All sides: the RGB sum at a side is a picture of that side."""
        return tuple(side for side in self._sides() if side >= min(_SMALLEST_DRAFT, self.img_resolution))

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        if coarse.rgb is None:
            raise ValueError("coarse features of StyleGAN2 hold the picture so far")
        x, rgb = coarse.features, coarse.rgb
        first, last = self.first_fine_block - 1, self._sides().index(side) - 1
        for i in range(first, last + 1):
            if i > first:
                x = self._second_half(i, self._first_half(i, x, ws, regions), ws, regions)
            rgb = self._with_rgb(i, rgb, x, ws, regions)
        return rgb

    def _first_fine_slot(self) -> int:
        """Return the slot of the RGB at the feature resolution, the first that labels do not depend on."""
        return 2 * self._sides().index(self.feature_resolution) + 1

    def _truncation_centre(self) -> Tensor:
        return self.centre

    def _add_optional_parts(self, weights: Mapping[str, Tensor]) -> None:
        self.filter = torch.empty_like(weights["filter"])

    def _complete(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"centre": weights["latents.w_avg"], **weights}

    def _first_features(self, ws: Tensor, regions: Regions | None = None) -> Tensor:
        constant = self.constant.expand(len(ws) if regions is None else 1, -1, -1, -1)
        x: Tensor = self.first(constant, ws[:, 0], self.filter, self.clamp, regions)
        return x

    def _first_half(self, i: int, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        half: Tensor = cast(Block, self.blocks[i]).conv1(x, ws[:, 2 * i + 1], self.filter, self.clamp, regions)
        return half

    def _second_half(self, i: int, half: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        x: Tensor = cast(Block, self.blocks[i]).conv2(half, ws[:, 2 * i + 2], self.filter, self.clamp, regions)
        return x

    def _first_rgb(self, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        rgb: Tensor = self.first_rgb(x, ws[:, 1], self.clamp, regions)
        return rgb

    def _add_rgb(self, i: int, rgb: Tensor | None, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        assert rgb is not None
        return self._with_rgb(i, rgb, x, ws, regions)

    def _with_rgb(self, i: int, rgb: Tensor, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        own: Tensor = cast(Block, self.blocks[i]).rgb(x, ws[:, 2 * i + 3], self.clamp, regions)
        return upsampled(rgb, self.filter) + own


def fir_filter(taps: Sequence[float]) -> Tensor:
    """Return a separable filter of even length as float32 [T, T] with sum 1."""
    one = torch.tensor(taps, dtype=torch.float32)
    both = one[:, None] * one[None, :]
    return both / both.sum()


def upsampled(picture: Tensor, fir: Tensor) -> Tensor:
    """Upsample [N, C, r, r] to [N, C, 2r, 2r]: insert zeros, then apply the filter with a gain of 4."""
    channels = picture.shape[1]
    kernel = (4 * fir).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(picture, kernel, stride=2, padding=len(fir) // 2 - 1, groups=channels)


def _clamped(x: Tensor, clamp: float) -> Tensor:
    return x if clamp == math.inf else x.clamp(-clamp, clamp)
