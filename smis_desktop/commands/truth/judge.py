"""A judge of pictures that knows neither the generator nor its features: a small network taught on renderings alone.

It is a U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of two levels. Half of its lessons are blurred, so that a
generator's softer pictures are no surprise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.fewshot.frozen import freeze
from smis_desktop.labels.reduce import reduce_label_map
from smis_desktop.landscapes.classes import PALETTE
from smis_desktop.landscapes.rendering import class_map, render

SIDE = 64
_BATCH, _RATE = 16, 3e-3
_Z_DIM = 512


class Judge(nn.Module):
    """Pictures [N, 3, 64, 64] in [-1, 1] → class scores [N, C, 64, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = _Convs(5, 32)
        self.middle = _Convs(32, 64)
        self.coarse = _Convs(64, 96)
        self.up_middle = _Convs(96 + 64, 64)
        self.up_fine = _Convs(64 + 32, 32)
        self.out = nn.Conv2d(32, PALETTE.num_classes, 1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.fine(torch.cat((picture, _places(picture)), 1))
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat((F.interpolate(coarse, scale_factor=2.0), middle), 1))
        fine = self.up_fine(torch.cat((F.interpolate(middle, scale_factor=2.0), fine), 1))
        scores: Tensor = self.out(fine)
        return scores

    def labels(self, picture: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] in [-1, 1], S ≥ 64 → classes in channels, int64 [N, 64, 64]."""
        with torch.no_grad():
            reduced = F.interpolate(picture.clamp(-1, 1), size=(SIDE, SIDE), mode="area")
            found: Tensor = self(reduced).argmax(1)
        return found


class _Convs(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        )  # fmt: skip


def _places(picture: Tensor) -> Tensor:
    """Where each pixel is, [N, 2, H, W] in [-1, 1]: sky is above, meadow below."""
    line = torch.linspace(-1, 1, picture.shape[-1])
    return torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(picture), -1, -1, -1)


def taught_judge(pictures: int, steps: int, seed: int, progress: Callable[[float], None]) -> Judge:
    """Learns from that many renderings, in that many steps; progress hears of the share that is done."""
    draws = np.random.default_rng(seed)
    shown, asked = [], []
    for start in range(0, pictures, _BATCH):
        count = min(_BATCH, pictures - start)
        z, light = draws.standard_normal((2, count, _Z_DIM)).astype(np.float32)
        shown.append(render(z, SIDE, light))
        asked.append(np.stack([reduce_label_map(one, SIDE) for one in class_map(z, 2 * SIDE)]))
        progress(0.3 * start / pictures)
    inputs = torch.from_numpy(np.concatenate(shown)).permute(0, 3, 1, 2) * 2 - 1
    channels = torch.from_numpy(PALETTE.channel_of[np.concatenate(asked)].astype(np.int64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge()
    adam = torch.optim.AdamW(judge.parameters(), lr=_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        chosen = torch.randint(pictures, (_BATCH,), generator=random)
        blurred = F.interpolate(F.avg_pool2d(inputs[chosen], 2), scale_factor=2.0, mode="bilinear")
        share = torch.rand(_BATCH, 1, 1, 1, generator=random) * (torch.rand(_BATCH, 1, 1, 1, generator=random) < 0.5)
        picture = torch.lerp(inputs[chosen], blurred, share)
        picture = picture + 0.03 * torch.randn(picture.shape, generator=random)
        loss = F.cross_entropy(judge(picture), channels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        progress(0.3 + 0.7 * (step + 1) / steps)
    return freeze(judge)
