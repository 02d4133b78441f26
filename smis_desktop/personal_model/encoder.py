"""The layout encoder: from a label map to `ws`.

pSp (Richardson et al. 2020, arXiv 2008.00951) encodes photos, in which what it needs may be anywhere. A layout says
little, the same place means the same thing in all of them, and the answer is a few dozen numbers: the directions of `w`
that move outlines. So this encoder is a plain network of fully connected layers that sees which fraction of each cell
of a coarse grid each class covers. From a few thousand samples it learns what a pyramid of convolutions with ten times
the arithmetic does not (docs/experiments/encoder.md).

The first answer is a guess that nobody has checked. So a second network compares what its picture shows with what was
asked for, and corrects it (ReStyle; Alaluf et al. 2021, arXiv 2104.02699). It reads that off features of 16², which
take a small fraction of the time of a draft.
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
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import in_float32

GRID_SIDE = 16
"""Side of the coarse grid. Finer grids say more of a layout, but let the network memorise single samples."""
_INITIAL_INPUT_GAIN = 3.0
"""Class fractions are small numbers, so the first layer begins with weights this much larger than torch's default."""
_COORDINATE_GAIN = 0.1
"""Coordinates are large numbers beside fractions."""
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
    corrections: int = 0
    """How many times the first answer is corrected; 0 in older models."""
    feature_channels: int = 0
    """Channels of the features that corrections read; 0 without any."""

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
        self.correction = Correction(shape, side, self.axes) if shape.corrections else None
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

    def forward(self, layout: Tensor, generator: Generator | None = None) -> Tensor:
        """Encode a layout.

        Args:
            generator: corrects the answer by what its pictures show. Without it, the first answer stands.
        """
        fractions = F.adaptive_avg_pool2d(layout, (self.grid_side, self.grid_side))
        structural, fine = self.coordinates(fractions)
        if generator is not None:
            structural = self.corrected(structural, fractions, generator)
        w_structural = self.structural_w(structural)
        with in_float32(layout):
            w_fine = self.w_avg + fine @ self.color
        coarse_count, middle_count, fine_count = self.shape.slot_groups
        return torch.cat(
            (
                w_structural[:, None].expand(-1, coarse_count + middle_count, -1),
                w_fine[:, None].expand(-1, fine_count, -1),
            ),
            1,
        )

    def structural_w(self, coordinates: Tensor) -> Tensor:
        """Return the `w` [N, w_dim] of whitened coordinates [N, structural_axes]."""
        with in_float32(coordinates):
            w: Tensor = self.w_avg + coordinates @ self.color[: self.axes]
            return w

    def corrected(self, coordinates: Tensor, fractions: Tensor, generator: Generator) -> Tensor:
        """Correct the structural coordinates of an answer as often as the shape says, [N, structural_axes].

        Args:
            fractions: what was asked for, [N, num_classes, grid_side, grid_side].
        """
        if self.correction is None:
            return coordinates
        for _ in range(self.shape.corrections):
            # What a picture shows counts as given: gradients through the reading were not worth their time.
            features = grid_features(generator, self.structural_w(coordinates.detach()), self.grid_side)
            coordinates = coordinates + self.correction(coordinates, fractions, self.input_mean, features)
        return coordinates

    def coordinates(self, fractions: Tensor) -> tuple[Tensor, Tensor]:
        """Encode class fractions [N, num_classes, grid_side, grid_side] as whitened coordinates.

        Returns:
            float32, of the structural slots [N, structural_axes] and of the fine ones [N, w_dim].
        """
        x = (fractions - self.input_mean).flatten(1)
        x = F.silu(self.norms[0](self.first(x)))
        x = x + F.silu(self.norms[1](self.second(x)))
        return self.structural(x).float(), self.fine(x).float()


class Correction(nn.Module):
    """A network from an answer, what was asked for and what the answer's picture shows to a change of the answer.

    What it shows is read by a linear map from features to the fraction of each cell that each class covers.
    """

    reading: Tensor
    reading_bias: Tensor

    def __init__(self, shape: EncoderShape, side: int, axes: int) -> None:
        """Args: side: of the grid. axes: the number of coordinates of an answer."""
        super().__init__()
        self.first = nn.Linear(2 * shape.num_classes * side**2 + axes, shape.width)
        self.second = nn.Linear(shape.width, shape.width)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(2))
        self.change = nn.Linear(shape.width, axes)
        with torch.no_grad():
            self.first.weight.mul_(_INITIAL_INPUT_GAIN)
        nn.init.zeros_(self.change.weight)  # before training, nothing is changed
        nn.init.zeros_(self.change.bias)
        self.register_buffer("reading", torch.zeros(shape.num_classes, shape.feature_channels))
        self.register_buffer("reading_bias", torch.zeros(shape.num_classes))

    def set_reading(self, weight: Tensor, bias: Tensor) -> None:
        """Set what reads class fractions off features. Args: weight: [num_classes, Z]. bias: [num_classes]."""
        self.reading.copy_(weight)
        self.reading_bias.copy_(bias)

    def shown(self, features: Tensor) -> Tensor:
        """Read the class fractions [N, num_classes, s, s] off features [N, Z, s, s]."""
        with in_float32(features):
            return F.conv2d(features.float(), self.reading[:, :, None, None], self.reading_bias)

    def forward(self, coordinates: Tensor, fractions: Tensor, input_mean: Tensor, features: Tensor) -> Tensor:
        """Compute the change of whitened coordinates, float32 [N, axes].

        Args:
            coordinates: of the answer, [N, axes].
            fractions: what was asked for, [N, num_classes, s, s]; what is not painted is not compared.
            input_mean: the encoder's, [num_classes, s, s].
            features: of the answer's picture, [N, Z, s, s].
        """
        asked = fractions.sum(1, keepdim=True)
        missing = fractions - asked * self.shown(features)
        return self.change_for(coordinates, fractions - input_mean, missing)

    def change_for(self, coordinates: Tensor, centred: Tensor, missing: Tensor) -> Tensor:
        """Compute the change from fractions minus their mean, and fractions minus those that the picture shows."""
        x = torch.cat((centred.flatten(1), missing.flatten(1), _COORDINATE_GAIN * coordinates), 1)
        x = F.silu(self.norms[0](self.first(x)))
        x = x + F.silu(self.norms[1](self.second(x)))
        change: Tensor = self.change(x).float()
        return change


@torch.no_grad()
def grid_features(generator: Generator, w: Tensor, side: int) -> Tensor:
    """Compute the features [N, Z, side, side] of the pictures of `w` [N, w_dim]."""
    return generator.features(generator.broadcast(w), [side])[side]


def _to_stored_key(_encoder: nn.Module, state: dict[str, Any], prefix: str, _metadata: Mapping[str, Any]) -> None:
    state[prefix + _INPUT_MEAN_KEY] = state.pop(f"{prefix}input_mean")


def _from_stored_key(_encoder: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    if prefix + _INPUT_MEAN_KEY in state:
        state[f"{prefix}input_mean"] = state.pop(prefix + _INPUT_MEAN_KEY)
