"""A convolution of MobileStyleGAN, modulated by `w` (Belousov 2021, arXiv 2104.04767)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.device import in_float32
from smis_desktop.generators.frozen_layers import (
    activated_product,
    depthwise,
    neighbourhoods,
    product,
    scaled_inverse_haar,
    supports_frozen_layers,
)
from smis_desktop.generators.latents import LatentStatistics
from smis_desktop.generators.layers import LEAK, MappingNetwork, Regions, inverse_haar, modulated
from smis_desktop.generators.protocol import CoarseFeatures, draft_side


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
        return supports_frozen_layers(x, *weights)

    def constant_forward(self, x: Tensor, scales: Tensor | None) -> Tensor:
        """The same by `gan.constant_layers`. scales: the affine's, [N, C, 1, 1]; None where `x` is scaled already."""
        if self.depthwise is None:
            x, scales = neighbourhoods(x if scales is None else x * scales), None
        else:
            # Depthwise convolutions keep channels apart: scales may as well come behind, where they are weights.
            x = depthwise(x, self.depthwise)
        return activated_product(x, scales, self.weight.flatten(1)[:, :, None, None], self.bias, self.noise, LEAK)


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
        if regions is None and supports_frozen_layers(x, self.to_rgb.weight):
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


class Block(nn.Module):
    """Doubles the side: modulated inverse Haar step (C → C/4), then two styled separable convolutions."""

    def __init__(self, w_dim: int, in_channels: int, out_channels: int, resolution: int) -> None:
        super().__init__()
        self.up = Affine(w_dim, in_channels)
        self.conv1 = StyledConv(w_dim, in_channels // 4, out_channels, resolution, separable=True)
        self.conv2 = StyledConv(w_dim, out_channels, out_channels, resolution, separable=True)

    def forward(self, x: Tensor, w_up: Tensor, w_conv2: Tensor, regions: Regions | None = None) -> Tensor:
        x = self.conv2(self.first_half(x, w_up, regions), w_conv2, regions)
        return x

    def first_half(self, x: Tensor, w_up: Tensor, regions: Regions | None = None) -> Tensor:
        """Upsampling and the first convolution: a fifth of the block's arithmetic."""
        if regions is None and self.conv1.is_constant(x):
            # Neither step mixes channels, so that the scales of both are taken at the smaller side, at one go.
            behind = self.conv1.affine(w_up)
            scales = self.up(w_up) * torch.cat((behind, behind.repeat_interleave(3, 1)), 1)
            return self.conv1.constant_forward(scaled_inverse_haar(x, scales), None)
        half: Tensor = self.conv1(inverse_haar(modulated(x, self.up(w_up), regions)), w_up, regions)
        return half


class ImageHead(nn.Module):
    """Modulated 1×1 convolution to 12 wavelet channels, one inverse Haar step to RGB of twice the side."""

    def __init__(self, w_dim: int, in_channels: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, in_channels)
        self.weight = nn.Parameter(torch.empty(12, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(12))

    def forward(self, x: Tensor, w: Tensor, regions: Regions | None = None) -> Tensor:
        if regions is None and supports_frozen_layers(x, self.weight, self.bias):
            return inverse_haar(product(x, self.affine(w), self.weight, self.bias))
        return inverse_haar(F.conv2d(modulated(x, self.affine(w), regions), self.weight, self.bias))


class MobileStyleGAN(nn.Module):
    """The generator protocol (see `gan.protocol.Generator`) over MobileStyleGAN's networks.

    `channels[i]` is the width at side 4·2ⁱ; the picture's side is twice the last. Slots: 0 the first convolution,
    block i takes 2i+1 (upsampling and first convolution) and 2i+2 (second convolution), the last one the image head.
    """

    def __init__(
        self, name: str, weights_sha256: str, channels: Sequence[int], w_dim: int = 512, mapping_depth: int = 8
    ) -> None:
        super().__init__()
        self.name = name
        self.weights_sha256 = weights_sha256
        self.w_dim = w_dim
        self.channels = tuple(channels)
        blocks = len(channels) - 1
        self.num_ws = 2 * blocks + 2
        self.img_resolution = 2 * 4 * 2**blocks
        self.feature_resolution = min(64, self.img_resolution // 2)
        self.coarse_slots = range(min(5, self.num_ws))
        middle_end = min(9, self.num_ws)
        self.middle_slots = range(self.coarse_slots.stop, middle_end)
        self.fine_slots = range(middle_end, self.num_ws)
        self.map = MappingNetwork(w_dim, mapping_depth)
        self.constant = nn.Parameter(torch.empty(1, channels[0], 4, 4))
        self.first = StyledConv(w_dim, channels[0], channels[0], 4, separable=False)
        self.blocks = nn.ModuleList(Block(w_dim, channels[i], channels[i + 1], 4 * 2 ** (i + 1)) for i in range(blocks))
        self.head = ImageHead(w_dim, channels[-1])
        self.heads = nn.ModuleDict()
        self.latents = LatentStatistics(w_dim)
        self.known_parts: Mapping[int, Tensor] = {}

    @classmethod
    def from_weights(cls, name: str, weights_sha256: str, weights: Mapping[str, Tensor]) -> MobileStyleGAN:
        """Builds the network that fits a state dict. Raises RuntimeError or KeyError for tensors of another family."""
        blocks = sum(1 for key in weights if key.startswith("blocks.") and key.endswith(".up.weight"))
        channels = [weights["constant"].shape[1], *(weights[f"blocks.{i}.conv2.bias"].shape[0] for i in range(blocks))]
        depth = sum(1 for key in weights if key.startswith("map.") and key.endswith(".weight"))
        with torch.device("meta"):
            generator = cls(name, weights_sha256, channels, weights["first.affine.weight"].shape[1], depth)
            for side in sorted({int(key.split(".")[1]) for key in weights if key.startswith("heads.")}):
                generator.heads[str(side)] = generator.blank_head(side, _head_widths(weights, side))
        generator.load_state_dict(dict(weights), assign=True)
        return generator.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.constant.device

    @property
    def w_avg(self) -> Tensor:
        return self.latents.w_avg

    def mapping(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        w: Tensor = self.map(z)
        return w if truncation == 1.0 else torch.lerp(self.w_avg.expand_as(w), w, truncation)

    def broadcast(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, self.num_ws, -1)

    @property
    def draft_sizes(self) -> tuple[int, ...]:
        return (*(int(side) for side in self.heads), self.img_resolution)

    def synthesis(self, ws: Tensor) -> Tensor:
        return self.finish(self.structure(ws), ws, self.img_resolution)

    def draft(self, ws: Tensor, size: int) -> Tensor:
        side = draft_side(self, size)
        picture = self.finish(self.structure(ws), ws, side)
        if size != side:
            picture = F.interpolate(picture, size=(size, size), mode="bilinear", antialias=True)
        return picture

    def structure(self, ws: Tensor) -> CoarseFeatures:
        x: Tensor = self.first(self.constant.expand(len(ws), -1, -1, -1), ws[:, 0])
        found: dict[int, Tensor] = {}
        for i in range(self.first_fine_block):
            block, side = cast(Block, self.blocks[i]), 8 * 2**i
            half = block.first_half(x, ws[:, 2 * i + 1])
            x = block.conv2(half, ws[:, 2 * i + 2])
            if 8 <= side <= self.feature_resolution:
                found[side] = half if side == self.feature_resolution else x
        return CoarseFeatures(found, x)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        x = structure.features
        last = len(self.blocks) if side == self.img_resolution else self.block_at(side)
        for i in range(self.first_fine_block, last):
            x = cast(Block, self.blocks[i])(x, ws[:, 2 * i + 1], ws[:, 2 * i + 2], regions)
        if side == self.img_resolution:
            picture: Tensor = self.head(x, ws[:, -1], regions)
        else:
            x = cast(Block, self.blocks[last]).first_half(x, ws[:, 2 * last + 1], regions)
            picture = self.heads[str(side)](x, ws, regions)
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
                found[self.feature_resolution] = cast(Block, self.blocks[i]).first_half(x, ws[:, 2 * i + 1])
                break
        return found

    def feature_channels(self, resolution: int) -> int:
        return dict(zip(self._sides(), self.channels, strict=True))[resolution]

    def block_at(self, resolution: int) -> int:
        """The index of the block that brings features to that side. Raises ValueError when none does."""
        return self._sides().index(resolution, 1) - 1

    def blank_head(self, side: int, widths: Sequence[int]) -> PictureHead:
        """One that reads this generator at `side`; widths: channels after each of its convolutions."""
        index = self.block_at(side)
        slots = range(2 * index + 2, self.num_ws)
        return PictureHead(self.w_dim, side, slots, (self.channels[index + 1], *widths))

    def _sides(self) -> list[int]:
        return [4 * 2**i for i in range(len(self.channels))]

    @property
    def first_fine_block(self) -> int:
        """The block that goes on where labels are not read any more."""
        return min(len(self.blocks), self.fine_slots.start // 2)

    def _feature_maps(self, ws: Tensor) -> Iterator[tuple[int, Tensor]]:
        """(side, second convolution's output) from coarse to fine, each computed only when asked for."""
        x: Tensor = self.first(self.constant.expand(len(ws), -1, -1, -1), ws[:, 0])
        yield 4, x
        for i, block in enumerate(self.blocks):
            x = block(x, ws[:, 2 * i + 1], ws[:, 2 * i + 2])
            yield 8 * 2**i, x


def _head_widths(weights: Mapping[str, Tensor], side: int) -> list[int]:
    convs = sum(1 for key in weights if key.startswith(f"heads.{side}.convs.") and key.endswith(".depthwise"))
    return [weights[f"heads.{side}.convs.{i}.bias"].shape[0] for i in range(convs)]
