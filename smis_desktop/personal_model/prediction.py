"""What a label transfer predicts for unlabelled pictures: each pixel's class, and how certain that is."""

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
    """One picture's prediction.

    labels: int64 [r, r] in channels, UNKNOWN_CHANNEL where unknown; certainty: float32 [r, r], 0–1.
    """

    labels: Tensor
    certainty: Tensor

    @property
    def uncertainty(self) -> float:
        """The mean over all pixels, 0–1."""
        return float(1 - self.certainty.mean())


@dataclass(frozen=True)
class ClassPrediction:
    """How one class is predicted over several pictures.

    confidence: mean certainty where the class is predicted, None where it never is. share: of the pictures that show
    it. cells: how many labelled cells it was learned from.
    """

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
    """Predict one picture's classes from its label features; certainty is the margin between the two likeliest."""
    scores = transfer.scores(features)[0]
    labels = transfer.label(features)[0]
    learned = torch.isfinite(scores).flatten(1).all(1)
    probabilities = scores[learned].softmax(0)
    if len(probabilities) < 2:
        return Prediction(labels, torch.ones(labels.shape))
    best = probabilities.topk(2, 0).values
    return Prediction(labels, (best[0] - best[1]).clamp(0, 1))


def class_predictions(
    predictions: Sequence[Prediction], shots: Sequence[LatentShot], num_classes: int
) -> list[ClassPrediction]:
    """Summarise predictions for each class of the palette."""
    classes = []
    for channel in range(num_classes):
        masks = [prediction.labels == channel for prediction in predictions]
        certainties = [prediction.certainty[mask] for prediction, mask in zip(predictions, masks, strict=True)]
        joined = torch.cat(certainties) if certainties else torch.empty(0)
        classes.append(
            ClassPrediction(
                channel,
                float(joined.mean()) if len(joined) else None,
                sum(bool(mask.any()) for mask in masks) / max(1, len(masks)),
                sum(int((shot.labels == channel).sum()) for shot in shots),
            )
        )
    return classes
