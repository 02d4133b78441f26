"""Representative vectors and pseudo labels against plain loops in float64."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.personal_model.encoder import class_fractions, one_hot
from smis_desktop.personal_model.label_transfer import (
    RepresentativeVectors,
    cosine_scores,
    dense_pseudo_labels,
    dense_vectors,
    sparse_pseudo_labels,
    sparse_vectors,
)
from smis_desktop.training.stages.encoder import dropped_classes, grid_dropout
from smis_desktop.training.stages.layout_consistency import drop_classes


def random_case(
    seed: int, classes: int = 4, side: int = 5, channels: int = 6, images: int = 3
) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(images, channels, side, side, generator=random, dtype=torch.float64)
    labels = torch.randint(UNKNOWN_CHANNEL, classes, (images, side, side), generator=random)
    return features, labels


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_dense_vectors_are_masked_average_pooling(seed: int) -> None:
    features, labels = random_case(seed, classes=5)
    labels[labels == 2] = 0  # class 2 is absent
    vectors, channels = dense_vectors(features, labels, 5)
    expected = {}
    for c in range(5):
        means = []
        for feature_map, label_map in zip(features.numpy(), labels.numpy(), strict=True):
            pixels = [feature_map[:, y, x] for y, x in np.ndindex(label_map.shape) if label_map[y, x] == c]
            if pixels:
                means.append(np.mean(pixels, axis=0))
        if means:
            mean = np.mean(means, axis=0)
            expected[c] = mean / np.linalg.norm(mean)
    assert channels.tolist() == sorted(expected)
    assert 2 not in channels.tolist()
    np.testing.assert_allclose(vectors.numpy(), [expected[c] for c in channels.tolist()], rtol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_dense_labels_take_the_most_similar_class(seed: int) -> None:
    features, labels = random_case(seed)
    vectors, channels = dense_vectors(features, labels, 4)
    found = dense_pseudo_labels(cosine_scores(vectors, features), channels)
    for n, y, x in np.ndindex(*found.shape):
        pixel = features[n, :, y, x].numpy()
        cosines = [v @ pixel / np.linalg.norm(pixel) for v in vectors.numpy()]
        assert found[n, y, x] == channels[int(np.argmax(cosines))]


def test_an_absent_class_never_wins_even_where_all_cosines_are_negative() -> None:
    features = torch.ones(1, 3, 2, 2)
    labels = torch.tensor([[[0, 0], [2, 2]]])
    vectors, channels = dense_vectors(features, labels, 3)
    scores = cosine_scores(vectors, -features)
    assert bool((scores < 0).all())
    assert 1 not in dense_pseudo_labels(scores, channels).unique().tolist()
    model = RepresentativeVectors(vectors, channels, 3, 2, "dense", 3, 0.5)
    assert bool(torch.isinf(model.scores({2: -features})[:, 1]).all())


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([-1.0, 0.0, 0.3, 0.5, 0.9]))
@settings(max_examples=40, deadline=None)
def test_sparse_labels_are_the_top_k_claims_above_the_threshold(seed: int, top_k: int, threshold: float) -> None:
    features, labels = random_case(seed)
    vectors, channels = sparse_vectors(features[:1], labels[:1])
    scores = cosine_scores(vectors, features)
    found = sparse_pseudo_labels(scores, channels, top_k, threshold)
    for n in range(len(features)):
        best: dict[int, tuple[float, int]] = {}
        flat = scores[n].flatten(1).numpy()
        for m, row in enumerate(flat):
            for place in np.argsort(-row, kind="stable")[:top_k]:
                claim = (float(row[place]), -int(channels[m]))
                if row[place] > threshold and claim > best.get(int(place), (-np.inf, 0)):
                    best[int(place)] = claim
        expected = np.full(25, UNKNOWN_CHANNEL)
        for place, (_, owner) in best.items():
            expected[place] = -owner
        np.testing.assert_array_equal(found[n].flatten().numpy(), expected)


def test_sparse_vectors_keep_every_labelled_pixel() -> None:
    features, labels = random_case(1)
    vectors, channels = sparse_vectors(features, labels)
    assert len(vectors) == int((labels != UNKNOWN_CHANNEL).sum())
    assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors), dtype=vectors.dtype))
    assert channels.tolist() == [c for c in labels.flatten().tolist() if c != UNKNOWN_CHANNEL]


def test_one_hot_is_zero_where_unlabelled() -> None:
    layout = torch.tensor([[[0, UNKNOWN_CHANNEL], [2, 1]]])
    hot = one_hot(layout, 3)
    assert hot.shape == (1, 3, 2, 2)
    assert hot.sum(1).tolist() == [[[1, 0], [1, 1]]]
    assert hot[0, 2, 1, 0] == 1


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 4]), st.integers(1, 5))
def test_class_fractions_are_averages_of_one_hot_layouts(seed: int, side: int, classes: int) -> None:
    labels = torch.randint(-1, classes, (3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.int8)
    averaged = F.adaptive_avg_pool2d(one_hot(labels.long(), classes), (side, side))
    torch.testing.assert_close(class_fractions(labels, classes, side), averaged)


def test_dropout_is_seeded_and_drops_half_of_the_cells() -> None:
    labels = torch.arange(6).repeat(40, 6, 1)
    forgotten = drop_classes(labels, 6, torch.Generator().manual_seed(0))
    told = dropped_classes(40, 6, torch.Generator().manual_seed(0))
    assert torch.equal((forgotten == UNKNOWN_CHANNEL)[:, 0], told[:, 1:])
    squares = grid_dropout(40, 16, torch.Generator().manual_seed(0))
    assert squares.shape == (40, 16, 16)
    assert 0.45 < squares.float().mean() < 0.55


def test_dropping_removes_whole_classes_and_adds_none() -> None:
    _, labels = random_case(3, classes=6, images=40)
    forgotten = drop_classes(labels, 6, torch.Generator().manual_seed(0))
    changed = forgotten != labels
    assert bool(changed.any())
    assert bool((forgotten[changed] == UNKNOWN_CHANNEL).all())
    for before, after in zip(labels, forgotten, strict=True):
        for c in before[before != after].unique():
            assert not bool((after == c).any()), "a forgotten class leaves no pixel behind"
