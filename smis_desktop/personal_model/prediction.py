"""What the learned classes make of pictures nobody labelled: where each is believed to be, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smis_desktop.personal_model.label_transfer import LabelTransfer, LatentShot

THIN_CELLS = 24
"""Labelled cells of the feature map, over all shots, below which a class is too little to learn from."""
RARE_SHARE = 0.02
"""Share of random pictures that show a class, below which training hardly ever meets it."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """One picture. `labels` int64 [r, r] in channels, -1 = unknown; `certainty` float32 [r, r], 0–1."""

    labels: Tensor
    certainty: Tensor

    @property
    def doubt(self) -> float:
        """How unsure it is on the whole, 0–1."""
        return float(1 - self.certainty.mean())


@dataclass(frozen=True)
class ClassPrediction:
    """One class. confidence: mean certainty where it is believed to be, None where it never is. share: of the pictures
    that show it. cells: how many labelled cells it was learned from."""

    channel: int
    confidence: float | None
    share: float
    cells: int

    @property
    def is_thin(self) -> bool:
        return 0 < self.cells < THIN_CELLS

    @property
    def is_rare(self) -> bool:
        return self.cells > 0 and self.share < RARE_SHARE


def predict(transfer: LabelTransfer, features: dict[int, Tensor]) -> Prediction:
    """From the label features of one picture. Certainty is the margin between the two likeliest classes."""
    scores = transfer.scores(features)[0]
    labels = transfer.label(features)[0]
    learned = torch.isfinite(scores).flatten(1).all(1)
    chances = scores[learned].softmax(0)
    if len(chances) < 2:
        return Prediction(labels, torch.ones(labels.shape))
    best = chances.topk(2, 0).values
    return Prediction(labels, (best[0] - best[1]).clamp(0, 1))


def class_predictions(
    beliefs: Sequence[Prediction], shots: Sequence[LatentShot], num_classes: int
) -> list[ClassPrediction]:
    """One a class of the palette."""
    found = []
    for channel in range(num_classes):
        masks = [belief.labels == channel for belief in beliefs]
        certain = [belief.certainty[mask] for belief, mask in zip(beliefs, masks, strict=True)]
        joined = torch.cat(certain) if certain else torch.empty(0)
        found.append(
            ClassPrediction(
                channel,
                float(joined.mean()) if len(joined) else None,
                sum(bool(mask.any()) for mask in masks) / max(1, len(masks)),
                sum(int((shot.labels == channel).sum()) for shot in shots),
            )
        )
    return found
