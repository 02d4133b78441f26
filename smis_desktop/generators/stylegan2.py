"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), configuration F: skip connections in RGB, demodulated weights.

Weights are the effective ones: the gains of the equalised learning rate are multiplied in, and each layer's noise is a
constant with its strength in it. Sizes follow from the tensors, so that any network of this family loads. No compiled
operators: the FIR filters (the paper's upfirdn2d) are depthwise convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.latents import LatentStatistics
from smis_desktop.generators.layers import LEAK, MappingNetwork, Regions, modulated
from smis_desktop.generators.mobile_stylegan import Affine
from smis_desktop.generators.protocol import CoarseFeatures, draft_side

Scaling = Literal["weights", "activations"]
"""Where styles are applied: to each picture's own copy of the weights, or to what goes in and comes out."""
_EPSILON = 1e-8
_SMALLEST_DRAFT = 256
_SMALLEST = 16
"""Sides below it leave an encoder nothing to read."""


class ModulatedConv(nn.Module):
    """A 3×3 convolution whose weights a style scales and demodulates (the paper's equations 1 and 3), then noise, bias,
    LeakyReLU with gain √2 and, where the network was trained with one, a clamp.

    With `up` the side doubles: a transposed convolution, then the FIR filter.
    """

    energy: Tensor | None
    """Σ over the kernel of squared weights, [O, I], of weights that do not change any more."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int, up: bool) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.noise = nn.Parameter(torch.empty(1, 1, resolution, resolution))
        self.up = up
        self.scaling: Scaling | None = None
        """None takes whichever is quicker; regions always scale activations."""
        self.register_buffer("energy", None, persistent=False)

    def forward(self, x: Tensor, w: Tensor, fir: Tensor, clamp: float, regions: Regions | None = None) -> Tensor:
        """`x` [N, I, r, r], `w` [N, D] (with regions: one x in K styles) → [N, O, r, r], with `up` twice the side."""
        style = self.affine(w)
        energy = self.weight.square().sum((2, 3)) if self.energy is None else self.energy
        demodulation = (F.linear(style[:, :, 0, 0].square(), energy) + _EPSILON).rsqrt()[:, :, None, None]
        if regions is None and (self.scaling or self._quicker(x)) == "weights":
            x = self._grouped(x, self.weight * style[:, None] * demodulation[:, :, None], fir)
        else:
            x = self._convolved(modulated(x, style, regions), self.weight, 1, fir)
            x = modulated(x, demodulation, regions)
        return _clamped(F.leaky_relu(x + self.noise + self.bias[:, None, None], LEAK) * 2**0.5, clamp)

    def _quicker(self, x: Tensor) -> Scaling:
        """Scaled weights are new weights, which the convolution has to bring into its own order first: worth it where
        activations are many, past 64² (docs/measurements.md)."""
        side = x.shape[-1] * (2 if self.up else 1)
        activations = x[0].numel() + len(self.weight) * side**2
        return "weights" if 4 * self.weight.numel() < activations else "activations"

    def _grouped(self, x: Tensor, weights: Tensor, fir: Tensor) -> Tensor:
        """Each picture with weights of its own, [N, O, I, 3, 3], as one convolution in N groups."""
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
    """Modulated 1×1 convolution to RGB, not demodulated."""

    def __init__(self, w_dim: int, in_channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))

    def forward(self, x: Tensor, w: Tensor, clamp: float, regions: Regions | None = None) -> Tensor:
        return _clamped(F.conv2d(modulated(x, self.affine(w), regions), self.weight, self.bias), clamp)


class Block(nn.Module):
    """Doubles the side: an upsampling convolution, a second one, and their share of the picture."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.conv1 = ModulatedConv(w_dim, in_channels, out_channels, resolution, up=True)
        self.conv2 = ModulatedConv(w_dim, out_channels, out_channels, resolution, up=False)
        self.rgb = ToRGB(w_dim, out_channels)


class StyleGAN2(nn.Module):
    """The generator protocol (see `gan.protocol.Generator`) over StyleGAN2.

    `channels[i]` is the width at side 4·2ⁱ. Slots: 0 the first convolution, block i takes 2i+1 and 2i+2 for its
    convolutions, and 2i+3, shared with the next block, for its RGB.
    """

    filter: Tensor
    limit: Tensor
    centre: Tensor
    """What truncation pulls towards: the mean that training had tracked. `latents.w_avg` is measured."""

    def __init__(
        self, name: str, weights_sha256: str, channels: Sequence[int], w_dim: int = 512, mapping_depth: int = 8
    ) -> None:
        """Raises ValueError for pictures of less than 16²."""
        super().__init__()
        self.name = name
        self.weights_sha256 = weights_sha256
        self.w_dim = w_dim
        self.channels = tuple(channels)
        blocks = len(channels) - 1
        self.num_ws = 2 * blocks + 2
        self.img_resolution = 4 * 2**blocks
        if self.img_resolution < _SMALLEST:
            raise ValueError(f"pictures of {self.img_resolution}² are too small to read labels from")
        self.feature_resolution = min(64, self.img_resolution)
        fine_start = 2 * self._sides().index(self.feature_resolution) + 1
        self.coarse_slots = range(min(5, fine_start))
        self.middle_slots = range(self.coarse_slots.stop, fine_start)
        self.fine_slots = range(fine_start, self.num_ws)
        self.map = MappingNetwork(w_dim, mapping_depth)
        self.constant = nn.Parameter(torch.empty(1, channels[0], 4, 4))
        self.first = ModulatedConv(w_dim, channels[0], channels[0], 4, up=False)
        self.first_rgb = ToRGB(w_dim, channels[0])
        self.blocks = nn.ModuleList(Block(w_dim, channels[i], channels[i + 1], 4 * 2 ** (i + 1)) for i in range(blocks))
        self.register_buffer("filter", fir_filter((1, 3, 3, 1)))
        self.register_buffer("limit", torch.tensor(math.inf))
        self.register_buffer("centre", torch.empty(w_dim))
        self.clamp = math.inf
        """What activations are clamped to; `limit` is the same as a tensor, which travels with the weights."""
        self.latents = LatentStatistics(w_dim)
        self.known_parts: Mapping[int, Tensor] = {}

    @classmethod
    def from_weights(cls, name: str, weights_sha256: str, weights: Mapping[str, Tensor]) -> StyleGAN2:
        """Builds the network that fits a state dict. Raises RuntimeError, KeyError or ValueError for tensors of another
        family."""
        blocks = sum(1 for key in weights if key.startswith("blocks.") and key.endswith(".conv2.bias"))
        channels = [weights["constant"].shape[1], *(weights[f"blocks.{i}.conv2.bias"].shape[0] for i in range(blocks))]
        depth = sum(1 for key in weights if key.startswith("map.") and key.endswith(".weight"))
        with torch.device("meta"):
            generator = cls(name, weights_sha256, channels, weights["first.affine.weight"].shape[1], depth)
            generator.filter = torch.empty_like(weights["filter"])
        generator.load_state_dict({"centre": weights["latents.w_avg"], **weights}, assign=True)
        return generator.eval().requires_grad_(False).settled()

    def settled(self) -> StyleGAN2:
        """Takes up its clamp, and remembers what only depends on weights, which must not change any more."""
        self.clamp = float(self.limit)
        for module in self.modules():
            if isinstance(module, ModulatedConv):
                module.energy = module.weight.detach().square().sum((2, 3))
        return self

    @property
    def device(self) -> torch.device:
        return self.constant.device

    @property
    def w_avg(self) -> Tensor:
        return self.latents.w_avg

    def mapping(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        w: Tensor = self.map(z)
        return w if truncation == 1.0 else torch.lerp(self.centre.expand_as(w), w, truncation)

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self.num_ws, -1)

    @property
    def draft_sizes(self) -> tuple[int, ...]:
        """What has been added up in RGB at a side is a picture of that side."""
        return tuple(side for side in self._sides() if side >= min(_SMALLEST_DRAFT, self.img_resolution))

    def synthesis(self, ws: Tensor) -> Tensor:
        return self.finish(self.structure(ws), ws, self.img_resolution)

    def draft(self, ws: Tensor, size: int) -> Tensor:
        side = draft_side(self, size)
        picture = self.finish(self.structure(ws), ws, side)
        if size != side:
            picture = F.interpolate(picture, size=(size, size), mode="bilinear", antialias=True)
        return picture

    def structure(self, ws: Tensor) -> CoarseFeatures:
        x = self._first(ws)
        picture: Tensor = self.first_rgb(x, ws[:, 1], self.clamp)
        found: dict[int, Tensor] = {}
        for i in range(self._last_structural + 1):
            half = self._first_half(i, x, ws)
            x = self._second_half(i, half, ws)
            side = 8 * 2**i
            found[side] = half if side == self.feature_resolution else x
            if i < self._last_structural:
                picture = self._with_rgb(i, picture, x, ws)
        return CoarseFeatures(found, x, picture)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        x, picture = structure.features, structure.picture
        if picture is None:
            raise ValueError("a structure of StyleGAN2 holds the picture so far")
        first, last = self._last_structural, self._sides().index(side) - 1
        for i in range(first, last + 1):
            if i > first:
                x = self._second_half(i, self._first_half(i, x, ws, regions), ws, regions)
            picture = self._with_rgb(i, picture, x, ws, regions)
        return picture

    def features(self, ws: Tensor, resolutions: Sequence[int]) -> dict[int, Tensor]:
        wanted = set(resolutions)
        for resolution in wanted:
            self.feature_channels(resolution)
        found: dict[int, Tensor] = {}
        for resolution, x in self._feature_maps(ws):
            if resolution in wanted:
                found[resolution] = x
            if len(found) == len(wanted):
                break
        return found

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        found: dict[int, Tensor] = {}
        for i, (resolution, x) in enumerate(self._feature_maps(ws)):
            if resolution >= 8:
                found[resolution] = x
            if resolution == self.feature_resolution // 2:
                found[self.feature_resolution] = self._first_half(i, x, ws)
                break
        return found

    def feature_channels(self, resolution: int) -> int:
        return dict(zip(self._sides(), self.channels, strict=True))[resolution]

    def _sides(self) -> list[int]:
        return [4 * 2**i for i in range(len(self.channels))]

    @property
    def _last_structural(self) -> int:
        """The block at the feature resolution. Its RGB is the first thing that fine slots decide."""
        return self._sides().index(self.feature_resolution) - 1

    def _first(self, ws: Tensor) -> Tensor:
        x: Tensor = self.first(self.constant.expand(len(ws), -1, -1, -1), ws[:, 0], self.filter, self.clamp)
        return x

    def _first_half(self, i: int, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        half: Tensor = cast(Block, self.blocks[i]).conv1(x, ws[:, 2 * i + 1], self.filter, self.clamp, regions)
        return half

    def _second_half(self, i: int, half: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        x: Tensor = cast(Block, self.blocks[i]).conv2(half, ws[:, 2 * i + 2], self.filter, self.clamp, regions)
        return x

    def _with_rgb(self, i: int, picture: Tensor, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        """The picture so far at twice its side, and what the block adds to it."""
        own: Tensor = cast(Block, self.blocks[i]).rgb(x, ws[:, 2 * i + 3], self.clamp, regions)
        return upsampled(picture, self.filter) + own

    def _feature_maps(self, ws: Tensor) -> Iterator[tuple[int, Tensor]]:
        """(side, second convolution's output) from coarse to fine, each computed only when asked for."""
        x = self._first(ws)
        yield 4, x
        for i in range(len(self.blocks)):
            x = self._second_half(i, self._first_half(i, x, ws), ws)
            yield 8 * 2**i, x


def fir_filter(taps: Sequence[float]) -> Tensor:
    """A separable filter of even length as float32 [T, T] that sums to 1."""
    one = torch.tensor(taps, dtype=torch.float32)
    both = one[:, None] * one[None, :]
    return both / both.sum()


def upsampled(picture: Tensor, fir: Tensor) -> Tensor:
    """[N, C, r, r] → [N, C, 2r, 2r]: zeros in between, then the filter with a gain of 4."""
    channels = picture.shape[1]
    kernel = (4 * fir).expand(channels, 1, -1, -1)
    return F.conv_transpose2d(picture, kernel, stride=2, padding=len(fir) // 2 - 1, groups=channels)


def _clamped(x: Tensor, clamp: float) -> Tensor:
    return x if clamp == math.inf else x.clamp(-clamp, clamp)
