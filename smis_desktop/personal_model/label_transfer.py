"""Label transfer: learned from a few labelled pictures, it predicts label maps from the generator's features.

Two kinds: the paper's representative vectors (Endo & Kanamori 2021, arXiv 2103.14877, section 3.2), and a regularised
linear probe over feature maps of several resolutions. Single mean vectors lose classes whose pixels are spread over
several directions of one layer; a linear classifier on the layers from 8² up, fitted to the same shots, reads the same
features better (docs/experiments/label-transfer.md).

Label maps here are in *channels* (positions in the palette), int64 [N, H, W]; UNKNOWN_CHANNEL marks pixels of no class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import pointwise, supports_frozen_layers

TransferKind = Literal["probe", "vectors"]

_TEMPERATURE = 0.05
"""Divides cosines to make logits of them, where a gradient is wanted; label maps do not depend on it."""


@dataclass(frozen=True, eq=False)
class LatentShot:
    """A shot whose latents are known.

    ws: [num_ws, 512]; labels: int64 [r, r] in palette channels, r = the largest side of the features that are read: the
    generator's `feature_resolution`, or its `fine_feature_resolution`.
    """

    name: str
    ws: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class TrainingShot:
    """A labelled picture: label_map uint8 [s, s] of class ids, picture uint8 [S, S, 3].

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
        """Whether its latents are known, so that it need not be inverted."""
        return self.ws is not None or self.found is not None


class LabelTransfer(Protocol):
    """A rule from the generator's label features to classes. Its `kind` and state dict define it."""

    kind: TransferKind

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        """Compute differentiable class scores (logits) [N, num_classes, r, r]; absent classes are at -inf."""
        ...

    def label(self, features: dict[int, Tensor]) -> Tensor:
        """Predict int64 [N, r, r] in palette channels, UNKNOWN_CHANNEL only where the labels are sparse."""
        ...

    def state_dict(self) -> dict[str, Tensor]: ...


class LinearProbe(nn.Module):
    """A linear map to class scores, `bias + Σ_r upsample(weight_r · F_r)`; classes that no shot holds have bias -inf.

    Each layer's 1×1 weights are applied at its own side and the scores are upsampled: bilinear upsampling commutes with
    a 1×1 convolution, and scores have fewer channels than features.
    """

    kind: TransferKind = "probe"
    bias: Tensor

    def __init__(self, weights: dict[int, Tensor], bias: Tensor) -> None:
        """Args: weights: {r: [num_classes, Z_r]}. bias: [num_classes]."""
        super().__init__()
        self._resolutions = tuple(sorted(weights))
        for resolution, weight in weights.items():
            self.register_buffer(f"weight_{resolution}", weight)
        self.register_buffer("bias", bias)

    @property
    def weights(self) -> dict[int, Tensor]:
        """{r: [num_classes, Z_r]}, without the bias."""
        return {r: self.get_buffer(f"weight_{r}") for r in self._resolutions}

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        own = {r: _layer_scores(features[r], weight) for r, weight in self.weights.items()}
        return _upsampled_sum(own) + self.bias[None, :, None, None]

    def label(self, features: dict[int, Tensor]) -> Tensor:
        return self.scores(features).max(1).indices  # argmax, four times as fast

    def with_outputs(self, readout: Tensor) -> LinearProbe:
        """Return a probe with further outputs after the class scores.

        Args:
            readout: [Z + 1, K], weights for features of the largest side, the last row a bias.
        """
        largest = self._resolutions[-1]
        weights = {
            r: torch.cat(
                (weight, readout[:-1].T if r == largest else weight.new_zeros(readout.shape[1], weight.shape[1]))
            )
            for r, weight in self.weights.items()
        }
        return LinearProbe(weights, torch.cat((self.bias, readout[-1])))

    def in_basis(self, basis: FeatureBasis) -> LinearProbe:
        """Return the same probe for features that are projected onto `basis`."""
        weights = self.weights
        shift = torch.stack([weight @ basis.mean[r] for r, weight in weights.items()]).sum(0)
        return LinearProbe({r: weight @ basis.back[r] for r, weight in weights.items()}, self.bias + shift)


def _layer_scores(features: Tensor, weight: Tensor) -> Tensor:
    kernel = weight[:, :, None, None]
    if features.requires_grad and supports_frozen_layers(features):  # cheaper where a gradient is wanted
        return pointwise(features, None, kernel)
    return F.conv2d(features, kernel)


def _upsampled_sum(scores: dict[int, Tensor]) -> Tensor:
    """Upsample each layer's scores {r: [N, C, r, r]} to the largest side, and add them."""
    side = max(scores)
    size = (side, side)
    upsampled = [
        x if r == side else F.interpolate(x, size=size, mode="bilinear", align_corners=False) for r, x in scores.items()
    ]
    return torch.stack(upsampled).sum(0)


class RepresentativeVectors(nn.Module):
    """The paper's label transfer: vectors, the class of each, and how cosine similarities become labels."""

    kind: TransferKind = "vectors"
    vectors: Tensor
    channels: Tensor

    def __init__(
        self,
        vectors: Tensor,
        channels: Tensor,
        num_classes: int,
        resolution: int,
        label_kind: LabelKind,
        top_k: int,
        threshold: float,
    ) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors)
        self.register_buffer("channels", channels)
        self.num_classes, self.resolution = num_classes, resolution
        self.label_kind, self.top_k, self.threshold = label_kind, top_k, threshold

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        cosines = cosine_scores(self.vectors, features[self.resolution])
        n, _, height, width = cosines.shape
        best = cosines.new_full((n, self.num_classes, height, width), -torch.inf)
        owners = self.channels[None, :, None, None].expand_as(cosines)
        return best.scatter_reduce(1, owners, cosines / _TEMPERATURE, "amax")

    def label(self, features: dict[int, Tensor]) -> Tensor:
        cosines = cosine_scores(self.vectors, features[self.resolution])
        if self.label_kind == "sparse":
            return sparse_pseudo_labels(cosines, self.channels, self.top_k, self.threshold)
        return dense_pseudo_labels(cosines, self.channels)


def learn_vectors(
    generator: Generator,
    shots: Sequence[LatentShot],
    num_classes: int,
    label_kind: LabelKind,
    top_k: int,
    threshold: float,
) -> RepresentativeVectors:
    """Take the vectors of every shot from the features at the generator's feature resolution."""
    resolution = generator.feature_resolution
    with torch.no_grad():
        maps = torch.cat([generator.label_features(shot.ws[None])[resolution] for shot in shots])
        labels = torch.stack([shot.labels for shot in shots])
        vectors, channels = (
            sparse_vectors(maps, labels) if label_kind == "sparse" else dense_vectors(maps, labels, num_classes)
        )
    return RepresentativeVectors(vectors, channels, num_classes, resolution, label_kind, top_k, threshold)


def dense_vectors(feature_maps: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Average the features of each class over its pixels (masked average pooling; the paper's equation 2).

    It averages features per class and image, then over the images that hold the class, and scales to unit length.

    Args:
        feature_maps: [N, Z, H, W]. labels: int64 [N, H, W] in channels.

    Returns:
        Vectors [M, Z] and their channels [M]; classes that no image holds are left out.
    """
    known = labels != UNKNOWN_CHANNEL
    masks = F.one_hot(labels.clamp_min(0), num_classes).permute(0, 3, 1, 2) * known[:, None]
    masks = masks.to(feature_maps.dtype)
    areas = masks.sum((2, 3))
    pooled = torch.einsum("nchw,nzhw->ncz", masks, feature_maps) / areas.clamp_min(1)[..., None]
    holds = areas > 0
    mean = (pooled * holds[..., None]).sum(0) / holds.sum(0).clamp_min(1)[:, None]
    channels = holds.any(0).nonzero()[:, 0]
    return F.normalize(mean[channels], dim=1), channels


def sparse_vectors(feature_maps: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return one vector for each labelled pixel, scaled to unit length. Shapes and results as in `dense_vectors`."""
    known = labels != UNKNOWN_CHANNEL
    return F.normalize(feature_maps.permute(0, 2, 3, 1)[known], dim=1), labels[known]


def cosine_scores(vectors: Tensor, feature_map: Tensor) -> Tensor:
    """Return cos(vectors[m], feature_map[n, :, y, x]) as [N, M, H, W]; vectors [M, Z] of unit length."""
    return F.conv2d(F.normalize(feature_map, dim=1), vectors[:, :, None, None])


def dense_pseudo_labels(scores: Tensor, channels: Tensor) -> Tensor:
    """Give each pixel the class of its most similar vector; `channels` int64 [M] names each vector's class.

    A class without a vector has no score, so it can never win: a zero vector would, wherever all cosines are negative.
    """
    return channels[scores.argmax(1)]


def sparse_pseudo_labels(scores: Tensor, channels: Tensor, top_k: int, threshold: float) -> Tensor:
    """Let each vector claim its `top_k` most similar pixels whose cosine exceeds `threshold`.

    The highest claim on a pixel wins (of equal ones the lower channel), all other pixels are UNKNOWN_CHANNEL. Shapes as
    above.
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
    unclaimed = torch.iinfo(torch.int64).max
    labels = owners.new_full((n * pixels,), unclaimed).scatter_reduce(0, places[wins], owners[wins], "amin")
    return labels.masked_fill(labels == unclaimed, UNKNOWN_CHANNEL).view(n, height, width)
