"""Label transfer: the protocol, pseudo labels from features, one-hot layouts.

Label maps here are in *channels* (positions in the palette), int64 [N, H, W], `UNKNOWN_CHANNEL` without a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.protocol import Generator


def cosine_scores(vectors: Tensor, feature_map: Tensor) -> Tensor:
    """cos(vectors[m], feature_map[n, :, y, x]) as [N, M, H, W]; vectors [M, Z] of unit length."""
    return F.conv2d(F.normalize(feature_map, dim=1), vectors[:, :, None, None])


def dense_pseudo_labels(scores: Tensor, channels: Tensor) -> Tensor:
    """Each pixel takes the class whose vector is most alike. `channels` int64 [M] names each vector's class.

    A class without a vector has no score, so it can never win: a zero vector would, wherever all cosines are negative.
    """
    return channels[scores.argmax(1)]


def sparse_pseudo_labels(scores: Tensor, channels: Tensor, top_k: int, threshold: float) -> Tensor:
    """Each vector claims its `top_k` most alike pixels whose cosine exceeds `threshold`; the highest claim on a pixel
    wins (of equal ones the lower channel), all other pixels are UNKNOWN_CHANNEL. Shapes as above.
    """
    n, _, height, width = scores.shape
    pixels = height * width
    values, places = scores.flatten(2).topk(min(top_k, pixels), dim=2)
    places = places + torch.arange(n, device=scores.device)[:, None, None] * pixels
    owners = channels[None, :, None].expand_as(places)
    claimed = values > threshold
    values, places, owners = values[claimed], places[claimed], owners[claimed]
    highest = scores.new_full((n * pixels,), -torch.inf).scatter_reduce(0, places, values, "amax")
    wins = values == highest[places]
    nobody = torch.iinfo(torch.int64).max
    labels = owners.new_full((n * pixels,), nobody).scatter_reduce(0, places[wins], owners[wins], "amin")
    return labels.masked_fill(labels == nobody, UNKNOWN_CHANNEL).view(n, height, width)


def one_hot(label_maps: Tensor, num_classes: int) -> Tensor:
    """int64 [N, H, W] in channels → float32 [N, num_classes, H, W]; unknown pixels are zero in every channel."""
    rows = torch.cat((torch.zeros(1, num_classes), torch.eye(num_classes))).to(label_maps.device)
    return F.embedding(label_maps + 1, rows).permute(0, 3, 1, 2)  # five times as fast as torch's own `one_hot`


def square_shares(label_maps: Tensor, num_classes: int, side: int) -> Tensor:
    """Integers [N, r, r] in channels → float32 [N, num_classes, side, side]: how much of each square of a grid each
    class takes, which is what averaging `one_hot` over the squares gives. `side` divides r."""
    n, r, _ = label_maps.shape
    squares = torch.arange(n * side**2, device=label_maps.device).view(n, side, 1, side, 1)
    cells = label_maps.view(n, side, r // side, side, r // side) + 1 + squares * (num_classes + 1)
    counts = torch.bincount(cells.flatten(), minlength=n * side**2 * (num_classes + 1))
    counts = counts.view(n, side, side, num_classes + 1).permute(0, 3, 1, 2)
    return counts[:, 1:].float() / (r // side) ** 2


TransferKind = Literal["probe", "vectors"]


@dataclass(frozen=True, eq=False)
class LatentShot:
    """A shot whose latents are known. `ws` [num_ws, 512]; `labels` int64 [r, r] in palette channels, -1 = unlabelled,
    r = the generator's `feature_resolution`."""

    name: str
    ws: Tensor
    labels: Tensor


class LabelTransfer(Protocol):
    """What learned from the shots where each class is. Its state dict and `kind` say all of it."""

    kind: TransferKind

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        """The feature maps of `ws` [N, num_ws, 512] that it needs, {r: [N, Z_r, r, r]}; no more is computed."""
        ...

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        """Differentiable class scores (logits) [N, num_classes, r, r]; absent classes are at -inf."""
        ...

    def label(self, features: dict[int, Tensor]) -> Tensor:
        """int64 [N, r, r] in palette channels, -1 = unknown (only where the labels are sparse)."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...


@dataclass(frozen=True, eq=False)
class TrainingShot:
    """A labelled picture. label_map uint8 [s, s] of class ids; picture uint8 [S, S, 3].

    ws: [num_ws, 512] of a picture that the generator made. found: of a photo that was inverted before, [2, num_ws, 512]
    as `latent_pair` gives them. Where both are None, the picture is inverted.
    """

    name: str
    label_map: np.ndarray
    picture: np.ndarray | None = None
    ws: Tensor | None = None
    found: Tensor | None = None

    @property
    def is_known(self) -> bool:
        """Whether nothing has to be inverted."""
        return self.ws is not None or self.found is not None
