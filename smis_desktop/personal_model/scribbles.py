"""Label transfer from scribbles: a probe predicts the class, and similarity to a scribbled pixel decides whether it
counts.

The paper's rule for sparse labels lets each labelled pixel claim a few others, which fits landmarks: points stay
points. Scribbles say more: a probe that is fitted to their pixels alone labels whole pictures nearly as well as one
that was fitted to dense labels (docs/experiments/scribbles.md). What has no scribbles, often the background, has no
class that the probe could give it, so cells that resemble no scribbled pixel stay unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.reduction import SCRIBBLE_CELLS
from smis_desktop.personal_model.label_transfer import LinearProbe, RepresentativeVectors, TransferKind, cosine_scores

_MAX_EXEMPLARS = 64
"""Labelled pixels of a class that are compared with, at most; all of them would take longer than the generator."""


def are_scribbles(labels: Sequence[Tensor]) -> bool:
    """Return whether sparse labels are scribbles rather than landmarks: the median class of a shot has
    `SCRIBBLE_CELLS`.

    Args:
        labels: int64 [r, r] in channels, at least one pixel of them labelled.
    """
    counts = torch.cat([shot[shot != UNKNOWN_CHANNEL].unique(return_counts=True)[1] for shot in labels])
    return bool(counts.median() >= SCRIBBLE_CELLS)


class ScribbleTransfer(nn.Module):
    """A probe whose labels count only where the similarity to a scribbled pixel exceeds the vectors' threshold."""

    kind: TransferKind = "probe"
    exemplars: Tensor

    def __init__(self, probe: LinearProbe, vectors: RepresentativeVectors) -> None:
        """Args: vectors: one for each labelled pixel, as `learn_vectors` finds them in sparse labels."""
        super().__init__()
        self.probe, self.vectors = probe, vectors
        self.register_buffer("exemplars", _exemplars(vectors.vectors, vectors.channels))

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        return self.probe.scores(features)

    def label(self, features: dict[int, Tensor]) -> Tensor:
        is_similar = self.similarity(features) > self.vectors.threshold
        return self.probe.label(features).where(is_similar, UNKNOWN_CHANNEL)

    def similarity(self, features: dict[int, Tensor]) -> Tensor:
        """Return the cosine similarity to the most similar labelled pixel, [N, r, r]."""
        return cosine_scores(self.exemplars, features[self.vectors.resolution]).amax(1)


def _exemplars(vectors: Tensor, channels: Tensor) -> Tensor:
    """Return at most `_MAX_EXEMPLARS` vectors of each class, picked evenly from all of them."""
    found = []
    for channel in channels.unique():
        own = vectors[channels == channel]
        found.append(own[:: -(-len(own) // _MAX_EXEMPLARS)])
    return torch.cat(found)
