"""Figures against plain, slow computations of their definitions."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.evaluation.metrics import class_iou, confusion_matrix, kid, mean_iou, picture_features, pixel_accuracy
from smis_desktop.training.perceptual import PerceptualDistance

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i, i, i)) for i in (0, 3, 7, 200)))
IDS = st.sampled_from([0, 3, 7, 200, 5, 255])


@settings(max_examples=50, deadline=None)
@given(
    arrays.arrays(np.uint8, (6, 5), elements=IDS),
    arrays.arrays(np.uint8, (6, 5), elements=IDS),
)
def test_figures_follow_their_definitions(wanted: np.ndarray, found: np.ndarray) -> None:
    matrix = confusion_matrix(wanted, found, PALETTE)
    pairs = [(int(w), int(f)) for w, f in zip(wanted.flat, found.flat, strict=True) if w in PALETTE.class_ids]
    assert matrix.shape == (4, 5)
    assert matrix.sum() == len(pairs)
    expected = []
    for channel, class_id in enumerate(PALETTE.class_ids):
        hits = sum(w == f == class_id for w, f in pairs)
        either = sum(class_id in (w, f) for w, f in pairs)
        iou = class_iou(matrix)[channel]
        if any(w == class_id for w, _ in pairs):
            expected.append(hits / either)
            assert iou == pytest.approx(hits / either)
        else:
            assert math.isnan(iou)
    if pairs:
        assert mean_iou(matrix) == pytest.approx(sum(expected) / len(expected))
        assert pixel_accuracy(matrix) == pytest.approx(sum(w == f for w, f in pairs) / len(pairs))
    else:
        assert math.isnan(mean_iou(matrix))
        assert math.isnan(pixel_accuracy(matrix))


def test_matrices_of_pictures_add_up() -> None:
    draws = np.random.default_rng(0)
    wanted, found = draws.choice([0, 3, 7, 200, 255], (2, 8, 4, 4)).astype(np.uint8)
    parts = sum(confusion_matrix(w, f, PALETTE) for w, f in zip(wanted, found, strict=True))
    np.testing.assert_array_equal(parts, confusion_matrix(wanted, found, PALETTE))


def _kid_by_definition(a: np.ndarray, b: np.ndarray) -> float:
    """Equation 4 of Bińkowski et al., sum by sum."""

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((np.dot(x, y) / len(x) + 1.0) ** 3)

    within_a = sum(kernel(x, y) for x, y in permutations(a, 2)) / (len(a) * (len(a) - 1))
    within_b = sum(kernel(x, y) for x, y in permutations(b, 2)) / (len(b) * (len(b) - 1))
    across = sum(kernel(x, y) for x, y in product(a, b)) / (len(a) * len(b))
    return within_a + within_b - 2 * across


@pytest.mark.parametrize(("n", "m", "dimensions"), [(2, 2, 1), (5, 9, 7), (12, 3, 40)])
def test_kid_follows_its_definition(n: int, m: int, dimensions: int) -> None:
    draws = np.random.default_rng(n)
    a, b = draws.normal(0.3, 2, (n, dimensions)), draws.normal(-0.1, 1, (m, dimensions))
    expected = _kid_by_definition(a, b)
    assert kid(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, rel=1e-10)


def test_kid_is_unbiased_and_tells_distributions_apart() -> None:
    draws = torch.Generator().manual_seed(3)
    same = [kid(*torch.randn(2, 10, 4, generator=draws)) for _ in range(400)]
    standard_error = float(np.std(same) / np.sqrt(len(same)))
    assert abs(float(np.mean(same))) < 4 * standard_error
    assert min(same) < 0
    far = [kid(torch.randn(10, 4, generator=draws), 1 + torch.randn(10, 4, generator=draws)) for _ in range(400)]
    assert float(np.mean(far)) > 20 * standard_error


def test_kid_needs_two_pictures_on_both_sides() -> None:
    with pytest.raises(ValueError, match="two vectors"):
        kid(torch.zeros(1, 3), torch.zeros(5, 3))


def test_picture_features_are_one_vector_a_picture_at_any_size(perceptual: PerceptualDistance) -> None:
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = picture_features(perceptual, pictures)
    assert features.shape == (2, 64 + 192 + 384 + 256 + 256)
    assert features.dtype == torch.float64
    assert not torch.allclose(features[0], features[1], atol=1e-3)
    assert bool((features.square().mean(1) <= 1).all())
    torch.testing.assert_close(picture_features(perceptual, pictures[1:])[0], features[1], atol=1e-5, rtol=1e-4)
    # A picture that is 256² already, mean-pooled by hand.
    large = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = torch.cat([m.double().mean((2, 3)) for m in perceptual.features(large)], 1) * (1152 / 5) ** 0.5
    torch.testing.assert_close(picture_features(perceptual, large), expected, atol=1e-5, rtol=1e-5)
