"""How right label transfer is, from few shots whose labels are exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.evaluation.ground_truth import ExactPicture, compared
from smis_desktop.evaluation.metrics import class_iou, mean_iou, pixel_accuracy
from smis_desktop.generators.generator import Generator
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.personal_model.label_transfer import (
    LabelTransfer,
    LatentShot,
    TransferKind,
    learn_probe,
    learn_vectors,
)

TOP_K, THRESHOLDS = (1, 3, 10), (0.5, 0.8, 0.9)
_STROKE = 10
"""Cells of the feature map that a scribble is long."""


def dense_transfer(
    generator: Generator, kind: TransferKind, draws: Sequence[Sequence[ExactPicture]], judged: Sequence[ExactPicture]
) -> dict[str, Any]:
    """mIoU and accuracy on `judged`, averaged over several draws of shots; a class that no shot held counts as 0."""
    found = []
    for pictures in draws:
        shots = [LatentShot(str(picture.seed), picture.ws, picture.labels) for picture in pictures]
        rule: LabelTransfer
        if kind == "probe":
            rule = learn_probe(generator, shots, PALETTE.num_classes)
        else:
            rule = learn_vectors(generator, shots, PALETTE.num_classes, "dense", 3, 0.5)
        found.append(compared([picture.labels for picture in judged], _labelled(generator, rule, judged)))
    classes = np.mean([class_iou(matrix) for matrix in found], 0)  # NaN where no judged picture holds the class
    return {
        "shots": len(draws[0]),
        "transfer": kind,
        "mean_iou": float(np.mean([mean_iou(matrix) for matrix in found])),
        "pixel_accuracy": float(np.mean([pixel_accuracy(matrix) for matrix in found])),
        "classes": {
            c.name: None if np.isnan(iou) else float(iou) for c, iou in zip(PALETTE.classes, classes, strict=True)
        },
    }


def sparse_transfer(
    generator: Generator, pictures: Sequence[ExactPicture], judged: Sequence[ExactPicture]
) -> list[dict[str, Any]]:
    """Scribbles instead of label maps, for every k and t: how much of the pictures is claimed, and how rightly.

    `class_accuracy` is the mean over the classes that were claimed anywhere, `classes_claimed` how many those are.
    """
    shots = [LatentShot(str(p.seed), p.ws, scribbled(p.labels)) for p in pictures]
    wanted = [picture.labels for picture in judged]
    cells = sum(labels.numel() for labels in wanted)
    found = []
    for top_k in TOP_K:
        for threshold in THRESHOLDS:
            rule = learn_vectors(generator, shots, PALETTE.num_classes, "sparse", top_k, threshold)
            matrix = compared(wanted, _labelled(generator, rule, judged))[:, :-1]
            claims, hits = matrix.sum(0), matrix.diagonal()
            found.append(
                {
                    "shots": len(pictures),
                    "top_k": top_k,
                    "threshold": threshold,
                    "claimed": float(claims.sum() / cells),
                    "accuracy": float(hits.sum() / max(1, claims.sum())),
                    "class_accuracy": float((hits[claims > 0] / claims[claims > 0]).mean()) if claims.any() else 0.0,
                    "classes_claimed": int((claims > 0).sum()),
                }
            )
    return found


def scribbled(labels: Tensor) -> Tensor:
    """One short stroke a class, along the row through its innermost cell; all else is unknown. int64 [r, r] both."""
    strokes = torch.full_like(labels, UNKNOWN_CHANNEL)
    for channel in labels.unique().tolist():
        mask = (labels == channel).numpy().astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        left = right = int(column)
        while right - left + 1 < _STROKE:
            grown = False
            if left > 0 and mask[row, left - 1]:
                left, grown = left - 1, True
            if right - left + 1 < _STROKE and right + 1 < mask.shape[1] and mask[row, right + 1]:
                right, grown = right + 1, True
            if not grown:
                break
        strokes[int(row), left : right + 1] = channel
    return strokes


def _labelled(generator: Generator, rule: LabelTransfer, pictures: Sequence[ExactPicture]) -> list[Tensor]:
    with torch.inference_mode():
        return [rule.label(generator.label_features(picture.ws[None]))[0].cpu() for picture in pictures]
