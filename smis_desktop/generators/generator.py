"""Generators: the interface and the code that all architectures share, latent statistics, and conversion to pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.style import DRAFT_SIZE
from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.layers import MappingNetwork, Regions, freeze, in_float32

FeatureKind = Literal["label", "fine"]
"""The features that a probe reads: `Generator.label_features`, or `Generator.fine_label_features`."""


class LatentStatistics(nn.Module):
    """The mean and covariance of `w = mapping(z)`, measured once per generator and stored with it.

    Buffers: `w_avg` [D]; `axes` [D, D], one principal direction a row, the widest first; `std` [D], the standard
    deviation along each. They whiten: `(w - w_avg) @ axes.T / std` has unit covariance.
    """

    w_avg: Tensor
    axes: Tensor
    std: Tensor

    def __init__(self, w_dim: int) -> None:
        super().__init__()
        self.register_buffer("w_avg", torch.empty(w_dim))
        self.register_buffer("axes", torch.empty(w_dim, w_dim))
        self.register_buffer("std", torch.empty(w_dim))

    @classmethod
    def measured(cls, w: Tensor) -> LatentStatistics:
        """Measure the statistics of samples [N, D], in float64."""
        statistics = cls(w.shape[1])
        samples = w.double()
        mean = samples.mean(0)
        variance, axes = torch.linalg.eigh(torch.cov(samples.T))
        statistics.w_avg = mean.float()
        statistics.axes = axes.flip(1).T.contiguous().float()
        statistics.std = variance.flip(0).clamp_min(1e-12).sqrt().float()
        return statistics

    def whiten(self, w: Tensor) -> Tensor:
        """Transform `w` [..., D] to coordinates [..., D] of unit variance, widest axis first."""
        return (w - self.w_avg) @ self.axes.T / self.std

    def color(self, coordinates: Tensor) -> Tensor:
        """Invert `whiten`; with fewer coordinates than D, the narrower axes stay at the mean."""
        k = coordinates.shape[-1]
        return self.w_avg + (coordinates * self.std[:k]) @ self.axes[:k]


class Generator(nn.Module, ABC):
    """A frozen, pre-trained StyleGAN-like generator: a mapping network, and a synthesis network of 4·2ⁱ-sided blocks.

    Shapes: `z` and `w` [N, D] float32, `ws` [N, num_ws, D] float32 (slot 0 is the coarsest), pictures [N, 3, R, R]
    float32 RGB nominally in [-1, 1] (not clamped). Every call is differentiable in `ws`, and deterministic: noise
    inputs are constants of the network.

    `channels[i]` is the width at side 4·2ⁱ. Slot 0 is the first convolution's; block i, which doubles the side to 8·2ⁱ,
    takes slot 2i+1 in its first half (upsampling and first convolution) and 2i+2 in its second convolution.
    """

    name: str
    """The installed name, e.g. `faces`."""
    weights_sha256: str
    """Digest of the weights (hex). A personal model stores it and fits no other generator."""
    num_ws: int
    w_dim: int
    img_resolution: int
    """Side of the pictures of `synthesis`."""
    feature_resolution: int
    """Side of the feature maps that labels are read from (64, or less in small networks)."""
    coarse_slots: range
    """Slots that decide pose and shape (up to 16²)."""
    middle_slots: range
    """Slots of features up to 64², where labels are read."""
    fine_slots: range
    """Slots that act past 64² only: colour and texture, free for style mixing."""
    latents: LatentStatistics
    part_prior: Mapping[int, Tensor]
    """Weights {r: [K, Z_r]} that score K known parts of its pictures (a face's skin, hair, eyes, …) from the label
    features, on the CPU; empty where none ship with it. Not part of the generator's own weights."""
    fine_part_prior: Mapping[int, Tensor]
    """The same for the features of `fine_label_features`."""
    part_bias: Mapping[FeatureKind, Tensor]
    """The biases [K] of the parts' scores, by the kind of features; empty: zeros."""

    _PICTURE_SCALE: ClassVar[int] = 1
    """Side of the picture over side of the last block."""

    def __init__(
        self, name: str, weights_sha256: str, channels: Sequence[int], w_dim: int = 512, mapping_depth: int = 8
    ) -> None:
        super().__init__()
        self.name, self.weights_sha256, self.w_dim = name, weights_sha256, w_dim
        self.channels = tuple(channels)
        self.num_ws = 2 * len(channels)
        self.img_resolution = self._PICTURE_SCALE * self._sides()[-1]
        self.feature_resolution = min(64, self._sides()[-1])
        fine_start = self._first_fine_slot()
        self.coarse_slots = range(min(5, fine_start))
        self.middle_slots = range(self.coarse_slots.stop, fine_start)
        self.fine_slots = range(fine_start, self.num_ws)
        self.map = MappingNetwork(w_dim, mapping_depth)
        self.constant = nn.Parameter(torch.empty(1, channels[0], 4, 4))
        self.latents = LatentStatistics(w_dim)
        self.part_prior = {}
        self.fine_part_prior = {}
        self.part_bias = {}

    @classmethod
    def from_weights(cls, name: str, weights_sha256: str, weights: Mapping[str, Tensor]) -> Self:
        """Build the frozen network that fits a state dict; all sizes follow from the tensors.

        Raises:
            RuntimeError, KeyError or ValueError: the tensors are those of another architecture.
        """
        blocks = sum(1 for key in weights if key.startswith("blocks.") and key.endswith(".conv2.bias"))
        channels = [weights["constant"].shape[1], *(weights[f"blocks.{i}.conv2.bias"].shape[0] for i in range(blocks))]
        depth = sum(1 for key in weights if key.startswith("map.") and key.endswith(".weight"))
        with torch.device("meta"):
            generator = cls(name, weights_sha256, channels, weights["first.affine.weight"].shape[1], depth)
            generator._add_optional_parts(weights)
        generator.load_state_dict(generator._complete(weights), assign=True)
        return freeze(generator)

    @property
    def device(self) -> torch.device:
        return self.constant.device

    @property
    def w_avg(self) -> Tensor:
        """The mean of `w`, [D]."""
        return self.latents.w_avg

    @property
    @abstractmethod
    def draft_sizes(self) -> tuple[int, ...]:
        """Sides at which a picture can be made, in ascending order; below the last, full one, later layers are
        skipped."""

    def mapping(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """Map `z` [N, D] to `w` [N, D]; truncation pulls it towards the mean."""
        w: Tensor = self.map(z)
        return w if truncation == 1.0 else torch.lerp(self._truncation_centre().expand_as(w), w, truncation)

    def broadcast(self, w: Tensor) -> Tensor:
        """Repeat `w` [N, D] for every slot: `ws` [N, num_ws, D]."""
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesis(self, ws: Tensor) -> Tensor:
        """Synthesize the pictures of `ws`: [N, 3, img_resolution, img_resolution]."""
        return self.synthesize_fine(self.coarse_features(ws), ws, self.img_resolution)

    def draft(self, ws: Tensor, size: int) -> Tensor:
        """Synthesize pictures [N, 3, size, size] of `ws` quickly: an approximation of the averaged full ones."""
        side = draft_side(self, size)
        picture = self.synthesize_fine(self.coarse_features(ws), ws, side)
        if size != side:
            picture = F.interpolate(picture, size=(size, size), mode="bilinear", antialias=True)
        return picture

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        """Run the layers of the coarse and middle slots of `ws`.

        Args:
            surroundings: for a patch [1, num_ws, D]: the picture around it, which the patch's features then continue.
            regions: makes one picture of the K latents of `ws` [K, num_ws, D], each in its own region.
        """
        x = self._first_features(ws, regions)
        rgb = self._first_rgb(x, ws, regions)
        label_features: dict[int, Tensor] = {}
        for i in range(self.first_fine_block):
            half = self._first_half(i, x, ws, regions)
            x = self._second_half(i, half, ws, regions)
            side = 8 * 2**i
            label_features[side] = half if side == self.feature_resolution else x
            if surroundings is not None:
                x = surroundings.around(x, side)
            if i + 1 < self.first_fine_block:
                rgb = self._add_rgb(i, rgb, x, ws, regions)
        return CoarseFeatures(label_features, x, rgb)

    @abstractmethod
    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        """Run the rest of the network to pictures [N, 3, side, side].

        Args:
            side: one of `draft_sizes`.
            regions: makes one picture in the K styles of `ws` [K, num_ws, D], each in its own region.
        """

    def features(self, ws: Tensor, resolutions: Sequence[int]) -> dict[int, Tensor]:
        """Compute the feature maps {r: [N, Z_r, r, r]} of the given resolutions, and nothing past the largest.

        Raises:
            KeyError: the generator does not have that resolution.
        """
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

    def label_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> dict[int, Tensor]:
        """Compute the feature maps that labels are read from, {r: [N, Z_r, r, r]} for r from 8 to `feature_resolution`.

        They are the output of each block's second convolution, but of the first one at `feature_resolution`: it says as
        much of the classes (docs/experiments), and the second would take more than half of the whole arithmetic.

        Args:
            surroundings, regions: as in `coarse_features`.
        """
        found: dict[int, Tensor] = {}
        for i, (resolution, x) in enumerate(self._feature_maps(ws, surroundings, regions)):
            if resolution >= 8:
                found[resolution] = x
            if resolution == self.feature_resolution // 2:
                before = x if surroundings is None else surroundings.around(x, resolution)
                found[self.feature_resolution] = self._first_half(i, before, ws, regions)
                break
        return found

    def fine_label_features(self, coarse: CoarseFeatures) -> dict[int, Tensor]:
        """Compute the feature maps that thin classes are read from, {r: [N, Z_r, r, r]} for r from 8 to twice
        `feature_resolution`, or to `feature_resolution` where the network ends there (`fine_feature_resolution`).

        They are the second convolutions' outputs, and of the largest side the first one's. That one acts in the mean
        style: what a picture shows must not depend on the style that it is finished in.
        """
        found = {**coarse.label_features, self.feature_resolution: coarse.features}
        block = self.first_fine_block
        if self.fine_feature_resolution > self.feature_resolution:
            mean = self.broadcast(self.w_avg.expand(len(coarse.features), -1))
            found[self.fine_feature_resolution] = self._first_half(block, coarse.features, mean)
        return found

    def features_of_kind(self, ws: Tensor, kind: FeatureKind) -> dict[int, Tensor]:
        """Compute the features of that kind, {r: [N, Z_r, r, r]}."""
        if kind == "fine":
            return self.fine_label_features(self.coarse_features(ws))
        return self.label_features(ws)

    def feature_channels(self, resolution: int) -> int:
        """Return Z_r. Raises KeyError for a resolution that the generator does not have."""
        return dict(zip(self._sides(), self.channels, strict=True))[resolution]

    @property
    def fine_feature_resolution(self) -> int:
        """The largest side of `fine_label_features`."""
        return self.feature_resolution * (2 if self.first_fine_block + 1 < len(self.channels) else 1)

    @property
    def first_fine_block(self) -> int:
        """The index of the first block whose output labels are not read from."""
        return min(len(self.channels) - 1, self.fine_slots.start // 2)

    def _sides(self) -> list[int]:
        return [4 * 2**i for i in range(len(self.channels))]

    def _feature_maps(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (side, second convolution's output) from coarse to fine, each computed only when asked for."""
        x = self._first_features(ws, regions)
        yield 4, x
        for i in range(len(self.channels) - 1):
            x = self._second_half(i, self._first_half(i, x, ws, regions), ws, regions)
            yield 8 * 2**i, x
            if surroundings is not None:
                x = surroundings.around(x, 8 * 2**i)

    @abstractmethod
    def _first_fine_slot(self) -> int: ...

    @abstractmethod
    def _first_features(self, ws: Tensor, regions: Regions | None = None) -> Tensor:
        """Compute the first convolution's output, [N, C, 4, 4]."""

    @abstractmethod
    def _first_half(self, i: int, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        """Compute block i's upsampling and first convolution."""

    @abstractmethod
    def _second_half(self, i: int, half: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor:
        """Compute block i's second convolution."""

    def _first_rgb(self, x: Tensor, ws: Tensor, regions: Regions | None = None) -> Tensor | None:
        """Compute the picture of side 4; None for networks that do not add up pictures of all sides."""
        return None

    def _add_rgb(
        self, i: int, rgb: Tensor | None, x: Tensor, ws: Tensor, regions: Regions | None = None
    ) -> Tensor | None:
        """Double the side of the picture so far, and add block i's."""
        return None

    def _truncation_centre(self) -> Tensor:
        return self.w_avg

    def _add_optional_parts(self, weights: Mapping[str, Tensor]) -> None:
        """Add blank modules that only some weights have."""

    def _complete(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the state dict, with defaults for tensors that older files lack."""
        return dict(weights)


def draft_side(generator: Generator, size: int = DRAFT_SIZE) -> int:
    """Return the smallest of its `draft_sizes` that is large enough for a picture of `size`, else the largest."""
    return min((side for side in generator.draft_sizes if side >= size), default=generator.img_resolution)


def seeded_z(seed: int, z_dim: int) -> Tensor:
    """Draw `z` [1, z_dim] ~ N(0, I) on the CPU, so that a seed gives the same on every device."""
    return torch.randn(1, z_dim, generator=torch.Generator().manual_seed(seed))


def latents_of_seed(generator: Generator, seed: int, truncation: float) -> Tensor:
    """Return `ws` float32 [num_ws, D] on the generator's device: one `w` from the seed's `z` for all slots."""
    with torch.no_grad(), in_float32(generator.w_avg):
        w = generator.mapping(seeded_z(seed, generator.w_dim).to(generator.device), truncation)
        return generator.broadcast(w)[0].contiguous()


def to_rgb8(picture: Tensor) -> np.ndarray:
    """Convert float [3, H, W] in [-1, 1] (clamped) to uint8 sRGB [H, W, 3]."""
    scaled = picture.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())


def from_rgb8(picture: np.ndarray, side: int) -> Tensor:
    """Convert uint8 [S, S, 3] to float32 [1, 3, side, side] in [-1, 1], antialiased when it shrinks."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)


def resized(pictures: Tensor, side: int) -> Tensor:
    """Resize float [N, 3, r, r] to [N, 3, side, side]: area averages when shrinking, bilinear when enlarging."""
    if pictures.shape[-1] == side:
        return pictures
    size = (side, side)
    if side < pictures.shape[-1]:
        return F.interpolate(pictures, size, mode="area")
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False)
