"""What every generator offers: the few calls that the rest of the program is written against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from smis_desktop.generators.latents import LatentStatistics, seeded_z
from smis_desktop.generators.layers import Regions


@dataclass(frozen=True, eq=False)
class CoarseFeatures:
    """What fine slots do not change: the maps that labels are read from, as `Generator.label_features` gives them, and
    the feature map [N, Z, r, r] that the fine slots go on from; with skip connections in RGB (StyleGAN2) also the
    picture so far [N, 3, r/2, r/2]."""

    label_features: dict[int, Tensor]
    features: Tensor
    picture: Tensor | None = None


class Generator(Protocol):
    """A frozen, pre-trained StyleGAN-like generator with a mapping and a synthesis network.

    Shapes: `z` and `w` [N, 512] float32, `ws` [N, num_ws, 512] float32 (slot 0 is the coarsest), pictures
    [N, 3, R, R] float32 RGB nominally in [-1, 1] (not clamped). Every call is differentiable in `ws`, and
    deterministic: noise inputs are constants of the network.
    """

    name: str
    """The installed name, e.g. `faces`."""
    weights_sha256: str
    """Digest of the weights (hex); a personal model remembers it and fits no other generator."""
    num_ws: int
    w_dim: int
    img_resolution: int
    coarse_slots: range
    """Slots that decide pose and shape (here: up to 16²)."""
    middle_slots: range
    """Slots of features up to 64², where labels are read."""
    fine_slots: range
    """Slots that only act past 64²: colour and texture, free for style mixing."""
    latents: LatentStatistics
    """Mean and principal axes of `w`; `latents.w_avg` [512] is also `w_avg`."""
    feature_resolution: int
    """Side of the feature maps that labels are read from (64 by default)."""
    known_parts: Mapping[int, Tensor]
    """Rows {r: [K, Z_r]} that tell K parts of its pictures (a face's skin, hair, eyes, …) in the label features, on the
    CPU; empty where none ship with it. No part of its weights."""

    @property
    def w_avg(self) -> Tensor: ...
    @property
    def device(self) -> torch.device: ...

    def mapping(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """`z` [N, 512] → `w` [N, 512]; truncation pulls towards `w_avg`."""
        ...

    def broadcast(self, w: Tensor) -> Tensor:
        """`w` [N, 512] → `ws` [N, num_ws, 512]."""
        ...

    def synthesis(self, ws: Tensor) -> Tensor:
        """`ws` → pictures [N, 3, img_resolution, img_resolution]."""
        ...

    def draft(self, ws: Tensor, size: int) -> Tensor:
        """`ws` → pictures [N, 3, size, size] as near to the averaged full ones as is quick."""
        ...

    @property
    def draft_sizes(self) -> tuple[int, ...]:
        """Sides of the pictures that are made without the layers past them, ascending; the last is the full one."""
        ...

    def structure(self, ws: Tensor) -> CoarseFeatures:
        """All that the structural slots of `ws`, those before `fine_slots`, decide."""
        ...

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        """The rest of the way to pictures [N, 3, side, side], side one of `draft_sizes`.

        regions: one picture of one structure in the K styles of `ws` [K, num_ws, D], each in its own region.
        """
        ...

    def features(self, ws: Tensor, resolutions: Sequence[int]) -> dict[int, Tensor]:
        """Feature maps {r: [N, Z_r, r, r]} of the named resolutions; nothing past the largest is computed."""
        ...

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        """The maps that labels are read from, {r: [N, Z_r, r, r]} for r from 8 to `feature_resolution`: the output of
        each block's last convolution, but of the first one at `feature_resolution`. It says as much of the classes
        (docs/measurements.md), and the second would take more than half of the whole arithmetic.
        """
        ...

    def feature_channels(self, resolution: int) -> int:
        """Z_r. Raises KeyError for a resolution that the generator does not have."""
        ...


def draft_side(generator: Generator, size: int) -> int:
    """The smallest of its `draft_sizes` that is large enough for a picture of `size`, else the largest."""
    return min((side for side in generator.draft_sizes if side >= size), default=generator.img_resolution)


def latents_of_seed(generator: Generator, seed: int, truncation: float) -> Tensor:
    """`ws` float32 [num_ws, 512] on the generator's device: one `w` from the seed's `z` for all slots."""
    with torch.no_grad():
        w = generator.mapping(seeded_z(seed, generator.w_dim).to(generator.device), truncation)
        return generator.broadcast(w)[0].contiguous()
