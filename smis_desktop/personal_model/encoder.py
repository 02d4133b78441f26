"""The layout encoder: from a label map to `ws`.

pSp (Richardson et al. 2020, arXiv 2008.00951) encodes photos, in which what it needs may be anywhere. A layout says
little, the same place means the same thing in all of them, and the answer is a few dozen numbers: the directions of `w`
that move outlines. So this encoder is a plain network of fully connected layers that sees which fraction of each cell
of a coarse grid each class covers. From a few thousand samples it learns what a pyramid of convolutions with ten times
the arithmetic does not (docs/experiments/encoder.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.palette import EMPTY, LabelKind, Palette
from smis_desktop.document.reduction import reduce_label_map, reduce_points
from smis_desktop.generators.layers import in_float32

GRID_SIDE = 16
"""Side of the coarse grid. Finer grids say more of a layout, but let the network memorise single samples."""
_INITIAL_INPUT_GAIN = 3.0
"""Class fractions are small numbers, so the first layer begins with weights this much larger than torch's default."""
_INPUT_MEAN_KEY = "usual"
"""What state dicts, and so model files, call the buffer `input_mean`."""


def layout_channels(layout: np.ndarray, palette: Palette, label_kind: LabelKind, resolution: int) -> Tensor:
    """Reduce a label map of class ids uint8 [H, H] to palette channels, int64 [resolution, resolution].

    Cells that are empty, or of classes that the palette does not have, are UNKNOWN_CHANNEL. Dense maps keep every
    class's area (`document.reduction.reduce_label_map`), sparse ones every labelled cell.
    """
    known = known_ids(layout, palette)
    if label_kind == "sparse":
        reduced = reduce_points(known, resolution, unknown=EMPTY)
    else:
        reduced = reduce_label_map(known, resolution)
    return torch.from_numpy(palette.channel_of[reduced].astype(np.int64))


def known_ids(layout: np.ndarray, palette: Palette) -> np.ndarray:
    """Return a layout, uint8 [H, H], with EMPTY for the ids that the palette does not have."""
    table = np.where(palette.channel_of >= 0, np.arange(256), EMPTY).astype(np.uint8)
    known: np.ndarray = cv2.LUT(layout, table)
    return known


def one_hot(label_maps: Tensor, num_classes: int) -> Tensor:
    """Convert int64 [N, H, W] in channels to float32 [N, num_classes, H, W], zero in every channel where unknown."""
    rows = torch.cat((torch.zeros(1, num_classes), torch.eye(num_classes))).to(label_maps.device)
    return F.embedding(label_maps + 1, rows).permute(0, 3, 1, 2)  # five times as fast as torch's own `one_hot`


def class_fractions(label_maps: Tensor, num_classes: int, side: int) -> Tensor:
    """Return the fraction of each grid cell that each class covers, float32 [N, C, s, s], of integers [N, r, r] in
    channels.

    This is `one_hot` averaged over the cells. `side` divides r.
    """
    n, r, _ = label_maps.shape
    cells = torch.arange(n * side**2, device=label_maps.device).view(n, side, 1, side, 1)
    bins = label_maps.view(n, side, r // side, side, r // side) + 1 + cells * (num_classes + 1)
    counts = torch.bincount(bins.flatten(), minlength=n * side**2 * (num_classes + 1))
    counts = counts.view(n, side, side, num_classes + 1).permute(0, 3, 1, 2)
    return counts[:, 1:].float() / (r // side) ** 2


@dataclass(frozen=True)
class EncoderShape:
    """The network's sizes, stored in the personal model's file."""

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
        """Return the fields as JSON-compatible values."""
        return asdict(self)


class LayoutEncoder(nn.Module):
    """A network from a one-hot layout [N, num_classes, R, R] (zero where nothing is painted) to `ws` [N, num_ws,
    w_dim].

    Coarse and middle slots, which decide the layout together, share one `w`, as all slots of a real picture do, on the
    widest principal axes: separate ones followed layouts no better and looked less real (docs/experiments/encoder.md).
    """

    w_avg: Tensor
    color: Tensor
    input_mean: Tensor

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        side = min(GRID_SIDE, shape.resolution)
        self.axes = min(shape.structural_axes or shape.w_dim, shape.w_dim)
        self.first = nn.Linear(shape.num_classes * side**2, shape.width)
        self.second = nn.Linear(shape.width, shape.width)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(2))
        self.structural = nn.Linear(shape.width, self.axes)
        self.fine = nn.Linear(shape.width, shape.w_dim)
        with torch.no_grad():
            self.first.weight.mul_(_INITIAL_INPUT_GAIN)
        for head in (self.structural, self.fine):  # before training, every answer is the mean
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.register_buffer("w_avg", torch.zeros(shape.w_dim))
        self.register_buffer("color", torch.eye(shape.w_dim))
        self.register_buffer("input_mean", torch.zeros(shape.num_classes, side, side))
        self.register_state_dict_post_hook(_to_stored_key)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_from_stored_key)  # type: ignore[no-untyped-call]

    def set_latent_space(self, w_avg: Tensor, axes: Tensor, std: Tensor) -> None:
        """Set how whitened coordinates become `w`. Args: w_avg: [D]. axes: [D, D], one a row. std: [D]."""
        self.w_avg.copy_(w_avg)
        self.color.copy_(std[:, None] * axes)

    @property
    def grid_side(self) -> int:
        """Side of the grid to which layouts are reduced."""
        return int(self.input_mean.shape[-1])

    def set_input_mean(self, fractions: Tensor) -> None:
        """Set the mean that is subtracted from inputs: of `fractions` [N, num_classes, grid_side, grid_side]."""
        self.input_mean.copy_(fractions.mean(0))

    def forward(self, layout: Tensor) -> Tensor:
        structural, fine = self.coordinates(F.adaptive_avg_pool2d(layout, (self.grid_side, self.grid_side)))
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

    def coordinates(self, fractions: Tensor) -> tuple[Tensor, Tensor]:
        """Encode class fractions [N, num_classes, grid_side, grid_side] as whitened coordinates.

        Returns:
            float32, of the structural slots [N, structural_axes] and of the fine ones [N, w_dim].
        """
        x = (fractions - self.input_mean).flatten(1)
        x = F.silu(self.norms[0](self.first(x)))
        x = x + F.silu(self.norms[1](self.second(x)))
        return self.structural(x).float(), self.fine(x).float()


def _to_stored_key(_encoder: nn.Module, state: dict[str, Any], prefix: str, _metadata: Mapping[str, Any]) -> None:
    state[prefix + _INPUT_MEAN_KEY] = state.pop(f"{prefix}input_mean")


def _from_stored_key(_encoder: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    if prefix + _INPUT_MEAN_KEY in state:
        state[f"{prefix}input_mean"] = state.pop(prefix + _INPUT_MEAN_KEY)
