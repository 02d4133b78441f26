"""The layout encoder: a one-hot label map to `ws`.

pSp (Richardson et al. 2020, arXiv 2008.00951) reads photos, in which what it looks for may be anywhere. A layout says
little, and the same place means the same thing in all of them; asked for are a few dozen numbers, the directions of `w`
that move outlines. So this is an ordinary network of fully connected layers that sees how much of each class lies in
each square of a coarse grid. From a few thousand samples it learns what a pyramid of convolutions, at ten times the
arithmetic, does not (docs/measurements.md, "An encoder without convolutions").
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.device import in_float32

SQUARES = 16
"""A side of the coarse grid. Finer ones say more of a layout, and let the network learn single samples by heart."""
_SPREAD_OF_INPUTS = 3.0
"""Shares of classes are small numbers: the first layer begins with weights that much larger than is usual."""


@dataclass(frozen=True)
class EncoderShape:
    """What decides the network's size; stored in the personal model's file."""

    num_classes: int
    num_ws: int
    w_dim: int
    slot_groups: tuple[int, int, int]
    """How many slots are coarse, middle and fine; they sum to `num_ws`."""
    resolution: int = 64
    width: int = 512
    structural_axes: int = 128
    """How many principal axes of `w`, the widest, coarse and middle slots move along; 0 = all."""

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


class LayoutEncoder(nn.Module):
    """One-hot layout [N, num_classes, R, R] (zero where nothing is said) → `ws` [N, num_ws, w_dim].

    Coarse and middle slots, which decide the layout together, share one `w`, as all slots of a real picture do, on the
    widest principal axes: separate ones obeyed no better and looked less real (docs/measurements.md).
    """

    w_avg: Tensor
    color: Tensor
    usual: Tensor

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        side = min(SQUARES, shape.resolution)
        self.axes = min(shape.structural_axes or shape.w_dim, shape.w_dim)
        self.first = nn.Linear(shape.num_classes * side**2, shape.width)
        self.second = nn.Linear(shape.width, shape.width)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(2))
        self.structural = nn.Linear(shape.width, self.axes)
        self.fine = nn.Linear(shape.width, shape.w_dim)
        with torch.no_grad():
            self.first.weight.mul_(_SPREAD_OF_INPUTS)
        for head in (self.structural, self.fine):  # it begins with the mean as its answer to everything
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("w_avg", torch.zeros(shape.w_dim))
        self.register_buffer("color", torch.eye(shape.w_dim))
        self.register_buffer("usual", torch.zeros(shape.num_classes, side, side))

    def set_latent_space(self, w_avg: Tensor, axes: Tensor, std: Tensor) -> None:
        """The heads answer in whitened coordinates; w_avg [D], axes [D, D] (rows), std [D] turn them to `w`."""
        self.w_avg.copy_(w_avg)
        self.color.copy_(std[:, None] * axes)

    @property
    def squares(self) -> int:
        """A side of the grid on which it sees layouts."""
        return int(self.usual.shape[-1])

    def set_usual(self, shares: Tensor) -> None:
        """Of layouts, as for `coordinates`: their mean is what the network sees as nothing out of the ordinary."""
        self.usual.copy_(shares.mean(0))

    def forward(self, layout: Tensor) -> Tensor:
        structural, fine = self.coordinates(F.adaptive_avg_pool2d(layout, (self.squares, self.squares)))
        with in_float32(layout):
            w_structural = self.w_avg + structural @ self.color[: self.axes]
            w_fine = self.w_avg + fine @ self.color
        coarse_count, middle_count, fine_count = self.shape.slot_groups
        return torch.cat(
            (
                w_structural[:, None].expand(-1, coarse_count + middle_count, -1),
                w_fine[:, None].expand(-1, fine_count, -1),
            ),
            1,
        )

    def coordinates(self, shares: Tensor) -> tuple[Tensor, Tensor]:
        """The answer in whitened coordinates, float32: of the structural slots [N, structural_axes], of the fine ones
        [N, w_dim]. shares [N, num_classes, squares, squares]: how much of each square each class takes."""
        x = (shares - self.usual).flatten(1)
        x = F.silu(self.norms[0](self.first(x)))
        x = x + F.silu(self.norms[1](self.second(x)))
        return self.structural(x).float(), self.fine(x).float()
