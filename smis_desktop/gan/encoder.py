"""The layout encoder: a one-hot label map to `ws`, in the manner of pSp (Richardson et al. 2020, arXiv 2008.00951).

pSp reads three levels of a feature pyramid, the coarsest for the coarse latent slots. Ours keeps that and little else:
labels hold far less than photos, so that a fiftieth of the reference's 267 M parameters does the work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.gan.precision import in_float32

_GROUPS = 8
_HEAD_INPUTS = 2048
"""Numbers that a head sees of its level, whatever the level's side."""


@dataclass(frozen=True)
class EncoderShape:
    """What decides the network's size; stored in the personal model's file."""

    num_classes: int
    num_ws: int
    w_dim: int
    slot_groups: tuple[int, int, int]
    """How many slots are coarse, middle and fine; they sum to `num_ws`."""
    resolution: int = 64
    width: int = 40
    structural_axes: int = 128
    """How many principal axes of `w`, the widest, coarse and middle slots move along; 0 = all."""

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


class _Residual(nn.Module):
    """Pre-activation residual block; the branch starts at zero, so that a deep stack starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))
        return x + branch


class _Head(nn.Module):
    """A pyramid level to one latent for its group of slots, in whitened coordinates."""

    def __init__(self, channels: int, side: int, w_dim: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, _HEAD_INPUTS // side**2, 1)
        self.hidden = nn.Linear(_HEAD_INPUTS, w_dim)
        self.out = nn.Linear(w_dim, w_dim)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.squeeze(x)).flatten(1)
        coordinates: Tensor = self.out(F.silu(self.hidden(x)))
        return coordinates


class LayoutEncoder(nn.Module):
    """One-hot layout [N, num_classes, R, R] (zero where nothing is said) → `ws` [N, num_ws, w_dim].

    Coarse and middle slots, which decide the layout together, share one `w`, as all slots of a real picture do, on the
    widest principal axes: separate ones obeyed no better and looked less real (docs/measurements.md).
    """

    w_avg: Tensor
    color: Tensor

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        widths = [shape.width * factor for factor in (1, 2, 4, 8)]
        self.stem = nn.Conv2d(shape.num_classes, widths[0], 4, stride=2, padding=1)
        self.levels = nn.ModuleList()
        for before, after in zip([widths[0], *widths], widths, strict=False):
            down: nn.Module = nn.Identity() if not self.levels else nn.Conv2d(before, after, 3, stride=2, padding=1)
            self.levels.append(nn.Sequential(down, _Residual(after)))
        sides = [shape.resolution // 2 // 2**i for i in range(4)]
        # Coarse slots read the 4² level, middle ones 8², fine ones 16²; the finer levels are told what the coarser saw.
        self.lateral = nn.ModuleList(nn.Conv2d(widths[i + 1], widths[i], 1) for i in (1, 2))
        self.heads = nn.ModuleList(_Head(widths[i], sides[i], shape.w_dim) for i in (3, 2, 1))
        self.register_buffer("w_avg", torch.zeros(shape.w_dim))
        self.register_buffer("color", torch.eye(shape.w_dim))

    def set_latent_space(self, w_avg: Tensor, axes: Tensor, std: Tensor) -> None:
        """The heads answer in whitened coordinates; w_avg [D], axes [D, D] (rows), std [D] turn them to `w`."""
        self.w_avg.copy_(w_avg)
        self.color.copy_(std[:, None] * axes)

    def forward(self, layout: Tensor) -> Tensor:
        x = F.silu(self.stem(layout))
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        _, fine, middle, coarse = maps
        middle = middle + F.interpolate(self.lateral[1](coarse), scale_factor=2.0)
        fine = fine + F.interpolate(self.lateral[0](middle), scale_factor=2.0)
        coordinates = [head(level).float() for head, level in zip(self.heads, (coarse, middle, fine), strict=True)]
        with in_float32(layout):
            return self._colored(coordinates)

    def _colored(self, coordinates: list[Tensor]) -> Tensor:
        """Whitened coordinates of the three groups, [N, D] each → `ws`."""
        structural = (coordinates[0] + coordinates[1]) / 2
        axes = self.shape.structural_axes or self.shape.w_dim
        w_structural = self.w_avg + structural[:, :axes] @ self.color[:axes]
        w_fine = self.w_avg + coordinates[2] @ self.color
        coarse_count, middle_count, fine_count = self.shape.slot_groups
        return torch.cat(
            (
                w_structural[:, None].expand(-1, coarse_count + middle_count, -1),
                w_fine[:, None].expand(-1, fine_count, -1),
            ),
            1,
        )
