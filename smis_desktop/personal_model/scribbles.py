"""Label transfer from scribbles: the probe says which class, likeness to some scribbled pixel says whether any.

The paper's rule for sparse labels lets each labelled pixel claim a few others, which suits landmarks: points stay
points. Scribbles say more, and a probe that is fitted to their pixels alone labels whole pictures nearly as well as one
that was fitted to dense labels (docs/measurements.md). What nobody scribbled on, often the background, has no class
that the probe could give it: cells that resemble no scribbled pixel stay unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.reduction import SCRIBBLE_CELLS
from smis_desktop.generators.protocol import Generator
from smis_desktop.personal_model.label_transfer import TransferKind, cosine_scores
from smis_desktop.personal_model.probe import LinearProbe
from smis_desktop.personal_model.representative_vectors import RepresentativeVectors

_WITNESSES = 64
"""Labelled pixels of a class that likeness is looked for among, at most; comparing with all would take longer than the
generator."""


def are_scribbles(labels: Sequence[Tensor]) -> bool:
    """Whether sparse labels are scribbles rather than landmarks: whether the median class of a shot has
    `SCRIBBLE_CELLS`. labels: int64 [r, r] in channels, at least one pixel of them not UNKNOWN_CHANNEL."""
    counts = torch.cat([shot[shot != UNKNOWN_CHANNEL].unique(return_counts=True)[1] for shot in labels])
    return bool(counts.median() >= SCRIBBLE_CELLS)


class ScribbleTransfer(nn.Module):
    """A probe, silent where no scribbled pixel's vector is more alike than the vectors' threshold (a cosine)."""

    kind: TransferKind = "probe"
    witnesses: Tensor

    def __init__(self, probe: LinearProbe, vectors: RepresentativeVectors) -> None:
        """vectors: one for each labelled pixel, as `learn_vectors` finds them in sparse labels."""
        super().__init__()
        self.probe, self.vectors = probe, vectors
        self.register_buffer("witnesses", _witnesses(vectors.vectors, vectors.channels))

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        return self.probe.read(generator, ws)

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        return self.probe.scores(features)

    def label(self, features: dict[int, Tensor]) -> Tensor:
        alike = self.likeness(features) > self.vectors.threshold
        return self.probe.label(features).where(alike, UNKNOWN_CHANNEL)

    def likeness(self, features: dict[int, Tensor]) -> Tensor:
        """The cosine to the most alike labelled pixel, [N, r, r]."""
        return cosine_scores(self.witnesses, features[self.vectors.resolution]).amax(1)


def _witnesses(vectors: Tensor, channels: Tensor) -> Tensor:
    """Of each class as many as there may be, evenly from all of its vectors."""
    found = []
    for channel in channels.unique():
        own = vectors[channels == channel]
        found.append(own[:: -(-len(own) // _WITNESSES)])
    return torch.cat(found)
