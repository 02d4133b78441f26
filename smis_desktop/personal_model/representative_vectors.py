"""The paper's label transfer: representative vectors and cosine similarity (Endo & Kanamori 2021, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind
from smis_desktop.generators.protocol import Generator
from smis_desktop.personal_model.label_transfer import (
    LatentShot,
    TransferKind,
    cosine_scores,
    dense_pseudo_labels,
    sparse_pseudo_labels,
)

_TEMPERATURE = 0.05
"""Cosines become logits by this divisor where a gradient is wanted; label maps do not depend on it."""


def dense_vectors(feature_maps: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Equation 2 of the paper, PANet's prototypes: masked average pooling per class and image, averaged over the images
    that hold the class, scaled to unit length.

    feature_maps [N, Z, H, W], labels int64 [N, H, W] in channels. Returns vectors [M, Z] and their channels [M]:
    classes that no image holds are left out.
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
    """Every labelled pixel keeps its own vector, scaled to unit length. Shapes and results as in `dense_vectors`."""
    known = labels != UNKNOWN_CHANNEL
    return F.normalize(feature_maps.permute(0, 2, 3, 1)[known], dim=1), labels[known]


class RepresentativeVectors(nn.Module):
    """Vectors, their classes, and how labels come of them."""

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

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        return generator.label_features(ws)

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
    """Runs the generator on every shot's `ws` to its feature resolution and takes the vectors."""
    resolution = generator.feature_resolution
    with torch.no_grad():
        maps = torch.cat([generator.label_features(shot.ws[None])[resolution] for shot in shots])
        labels = torch.stack([shot.labels for shot in shots])
        vectors, channels = (
            sparse_vectors(maps, labels) if label_kind == "sparse" else dense_vectors(maps, labels, num_classes)
        )
    return RepresentativeVectors(vectors, channels, num_classes, resolution, label_kind, top_k, threshold)
