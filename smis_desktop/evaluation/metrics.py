"""Metrics: compare layouts with segmentations (IoU), and sets of pictures with each other (KID)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import Palette
from smis_desktop.training.perceptual import PerceptualDistance

KID_FEATURES = (
    "AlexNet's five layers, unit length a pixel, averaged over the picture at 256² (shift-tolerant LPIPS trunk)"
)
"""What `picture_features` are: a KID means nothing without them, and is not comparable with one of Inception's."""

_SIDE = 256


def confusion_matrix(target: np.ndarray, found: np.ndarray, palette: Palette) -> np.ndarray:
    """Count how many pixels of each target class were found as each class: int64 [C, C + 1], C = palette.num_classes.

    target, found: class ids, uint8 of equal shape. Rows are target channels, columns found channels; the last column
    counts pixels found as no class of the palette. Pixels whose target id is no class of the palette are left out.
    Matrices of several pictures add up.
    """
    if target.shape != found.shape:
        raise ValueError(f"shapes differ: {target.shape} and {found.shape}")
    classes = palette.num_classes
    rows = palette.channel_of[target].astype(np.int64).ravel()
    columns = palette.channel_of[found].astype(np.int64).ravel()
    columns[columns < 0] = classes
    known = rows >= 0
    bins = rows[known] * (classes + 1) + columns[known]
    return np.bincount(bins, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each class: float64 [C]; NaN for a class without target pixels."""
    classes = len(matrix)
    hits = matrix.diagonal().astype(np.float64)
    target = matrix.sum(1)
    union = target + matrix[:, :classes].sum(0) - hits
    return np.where(target > 0, hits / np.maximum(union, 1), np.nan)


def mean_iou(matrix: np.ndarray) -> float:
    """Return the mean of `class_iou` over the classes with target pixels; NaN without any."""
    iou = class_iou(matrix)
    return float(np.nanmean(iou)) if (~np.isnan(iou)).any() else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """Return the fraction of target pixels that were found as their class; NaN if there are none."""
    total = int(matrix.sum())
    return float(matrix.diagonal().sum() / total) if total else float("nan")


def rounded(value: float) -> float | None:
    """Return a figure as it stands in JSON: four digits, and None for NaN."""
    return None if math.isnan(value) else round(float(value), 4)


def picture_features(perceptual: PerceptualDistance, pictures: Tensor) -> Tensor:
    """Return a vector for each of the pictures [N, 3, R, R] in [-1, 1]: float64 [N, D]; see `KID_FEATURES`.

    Scaled to a mean square of at most 1, so that the products x·y / D that KID works on span a useful range.
    """
    resized = torch.nn.functional.interpolate(pictures, size=(_SIDE, _SIDE), mode="bilinear", antialias=True)
    with torch.no_grad():
        maps = perceptual.features(resized)
    vectors = torch.cat([m.mean((2, 3)) for m in maps], 1).double()
    scaled: Tensor = vectors * (vectors.shape[1] / len(maps)) ** 0.5
    return scaled


def kid(features_a: Tensor, features_b: Tensor) -> float:
    """Return the kernel distance of two sets of vectors [N, D] and [M, D] (Bińkowski et al. 2018, arXiv 1801.01401).

    It is 0 for equal distributions and larger for different ones.

    The unbiased estimate of the squared maximum mean discrepancy under the kernel k(x, y) = (x·y / D + 1)³, in
    float64. Unbiased means that for equal distributions it falls below 0 as often as above.
    Raises ValueError unless both sets hold two vectors or more.
    """
    n, m = len(features_a), len(features_b)
    if min(n, m) < 2:
        raise ValueError(f"two vectors or more are needed on both sides, not {n} and {m}")
    a, b = features_a.double(), features_b.double()

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / a.shape[1] + 1) ** 3

    def mean_of_pairs(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.diagonal().sum()) / (len(x) * (len(x) - 1))

    return float(mean_of_pairs(a) + mean_of_pairs(b) - 2 * kernel(a, b).mean())
