"""A segmentation network for landscapes, trained on renderings alone: a judge that is independent of the method.

It is a U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of two levels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.generators.layers import freeze
from smis_desktop.landscapes.rendering import class_map, render
from smis_desktop.landscapes.shapes import PALETTE

SIDE = 64
_BATCH_SIZE, _LEARNING_RATE = 16, 3e-3
_Z_DIM = 512


class LandscapeSegmenter(nn.Module):
    """A U-Net from pictures [N, 3, 64, 64] in [-1, 1] to class scores [N, C, 64, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = _ConvBlock(5, 32)
        self.middle = _ConvBlock(32, 64)
        self.coarse = _ConvBlock(64, 96)
        self.up_middle = _ConvBlock(96 + 64, 64)
        self.up_fine = _ConvBlock(64 + 32, 32)
        self.out = nn.Conv2d(32, PALETTE.num_classes, 1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.fine(torch.cat((picture, _coordinates(picture)), 1))
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat((F.interpolate(coarse, scale_factor=2.0), middle), 1))
        fine = self.up_fine(torch.cat((F.interpolate(middle, scale_factor=2.0), fine), 1))
        scores: Tensor = self.out(fine)
        return scores

    def labels(self, picture: Tensor) -> Tensor:
        """Return the channel of each pixel's class, int64 [N, 64, 64], for pictures [N, 3, S, S] in [-1, 1], S ≥ 64."""
        with torch.no_grad():
            reduced = F.interpolate(picture.clamp(-1, 1), size=(SIDE, SIDE), mode="area")
            found: Tensor = self(reduced).argmax(1)
        return found


class _ConvBlock(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        )  # fmt: skip


def _coordinates(picture: Tensor) -> Tensor:
    """Return the position of each pixel, [N, 2, H, W] in [-1, 1], which helps to distinguish sky from water."""
    line = torch.linspace(-1, 1, picture.shape[-1])
    return torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(picture), -1, -1, -1)


def train_segmenter(num_pictures: int, steps: int, seed: int, progress: Callable[[float], None]) -> LandscapeSegmenter:
    """Train a segmenter on random renderings, half of them blurred in part, since a generator's pictures are softer.

    progress: receives the fraction done.
    """
    pictures, channels = _renderings(num_pictures, seed, lambda done: progress(0.3 * done))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        segmenter = LandscapeSegmenter()
    adam = torch.optim.AdamW(segmenter.parameters(), lr=_LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        chosen = torch.randint(num_pictures, (_BATCH_SIZE,), generator=random)
        blurred = F.interpolate(F.avg_pool2d(pictures[chosen], 2), scale_factor=2.0, mode="bilinear")
        amount = torch.rand(_BATCH_SIZE, 1, 1, 1, generator=random)
        amount = amount * (torch.rand(_BATCH_SIZE, 1, 1, 1, generator=random) < 0.5)
        batch = torch.lerp(pictures[chosen], blurred, amount)
        batch = batch + 0.03 * torch.randn(batch.shape, generator=random)
        loss = F.cross_entropy(segmenter(batch), channels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        progress(0.3 + 0.7 * (step + 1) / steps)
    return freeze(segmenter)


def _renderings(count: int, seed: int, progress: Callable[[float], None]) -> tuple[Tensor, Tensor]:
    """Render random landscapes: pictures [count, 3, 64, 64] in [-1, 1] and the channels of their classes, int64."""
    draws = np.random.default_rng(seed)
    pictures, label_maps = [], []
    for start in range(0, count, _BATCH_SIZE):
        z, light_z = draws.standard_normal((2, min(_BATCH_SIZE, count - start), _Z_DIM)).astype(np.float32)
        pictures.append(render(z, SIDE, light_z))
        label_maps.append(np.stack([reduce_label_map(one, SIDE) for one in class_map(z, 2 * SIDE)]))
        progress(start / count)
    channels = PALETTE.channel_of[np.concatenate(label_maps)].astype(np.int64)
    return torch.from_numpy(np.concatenate(pictures)).permute(0, 3, 1, 2) * 2 - 1, torch.from_numpy(channels)
