"""Colours are predicted from label features, and refinement keeps those of each class."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.formats.registry import read_layout
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.generators.store import open_generator
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.label_transfer import LinearProbe, TransferKind
from smis_desktop.personal_model.model import ColorReader, learn_feature_colors, read_personal_model
from smis_desktop.resources import models_folder, resources_folder


@pytest.fixture(scope="module")
def generator() -> Generator:
    return open_generator("landscapes")


@pytest.fixture(scope="module")
def weights(generator: Generator) -> Tensor:
    return learn_feature_colors(generator)


def read(generator: Generator, weights: Tensor, ws: Tensor) -> Tensor:
    """RGB predicted from the features, [3, r, r]."""
    features = generator.label_features(ws)[generator.feature_resolution][0]
    return torch.einsum("zhw,zc->chw", features, weights[:-1]) + weights[-1][:, None, None]


def test_colours_of_unseen_pictures_are_mostly_predicted(generator: Generator, weights: Tensor) -> None:
    given, true = [], []
    for seed in range(8):
        ws = latents_of_seed(generator, seed, 1.0)[None]
        given.append(read(generator, weights, ws))
        side = generator.feature_resolution
        true.append(F.interpolate(generator.synthesis(ws).clamp(-1, 1), (side, side), mode="area")[0])
    wrong, spread = torch.stack(given) - torch.stack(true), torch.stack(true)
    assert wrong.square().mean() < 0.3 * (spread - spread.mean((0, 2, 3), keepdim=True)).square().mean()


class GivenScores:
    """A label transfer whose scores come with the features."""

    kind: TransferKind = "vectors"

    def read(self, generator: Generator, ws: Tensor) -> dict[int, Tensor]:
        return generator.label_features(ws)

    def scores(self, features: dict[int, Tensor]) -> Tensor:
        return features[0]

    def label(self, features: dict[int, Tensor]) -> Tensor:
        return features[0].argmax(1)

    def state_dict(self) -> dict[str, Tensor]:
        return {}


def test_a_probe_reads_scores_and_colours_at_once(generator: Generator, weights: Tensor) -> None:
    random = torch.Generator().manual_seed(0)
    features = generator.label_features(latents_of_seed(generator, 3, 1.0)[None])
    probe = LinearProbe(
        {side: torch.randn(4, maps.shape[1], generator=random) for side, maps in features.items()},
        torch.tensor([0.0, -torch.inf, 1.0, 2.0]),
    )
    given = features | {0: probe.scores(features)}
    scores, colors = ColorReader(probe, weights).scores_and_colors(features)
    others_scores, others_colors = ColorReader(GivenScores(), weights).scores_and_colors(given)
    assert torch.allclose(scores, others_scores, atol=1e-4)
    assert torch.allclose(colors.mean, others_colors.mean, atol=1e-4)


def test_the_change_of_colours_equals_plain_arithmetic() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(6, 3))
    features = random.normal(size=(2, 2, 5, 4, 4))  # before and after, two pictures
    scores = random.normal(size=(2, 2, 3, 4, 4))
    shares = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    colors = np.einsum("tnzhw,zc->tnchw", features, weights[:5]) + weights[5][:, None, None]
    area = shares.sum((3, 4))
    mean = np.einsum("tnkhw,tnchw->tnkc", shares, colors) / (area[..., None] + 20)
    expected = [
        sum(
            min(area[0, n, k], area[1, n, k]) / 16 * sum((mean[1, n, k, c] - mean[0, n, k, c]) ** 2 for c in range(3))
            for k in range(3)
        )
        for n in range(2)
    ]
    reader = ColorReader(GivenScores(), torch.from_numpy(weights))
    before, after = (
        reader.scores_and_colors({4: torch.from_numpy(features[t]), 0: torch.from_numpy(scores[t])})[1]
        for t in range(2)
    )
    np.testing.assert_allclose(after.change_from(before), expected, rtol=1e-9)
    assert not before.change_from(before).any()


@pytest.fixture(scope="module")
def faces() -> Synthesizer:
    model = read_personal_model(models_folder() / "faces.smismodel")
    return Synthesizer(open_generator("faces"), model)


@pytest.fixture(scope="module")
def layout() -> np.ndarray:
    return read_layout(resources_folder() / "example_layout.png").label_map


def test_refinement_keeps_colours_and_follows_the_layout(faces: Synthesizer, layout: np.ndarray) -> None:
    unconstrained = Synthesizer(faces.generator, dataclasses.replace(faces.model, feature_colors=None))
    request = PictureRequest(layout, Style.of_seed(1), 256, "draft")
    start, kept, plain = (
        synthesizer.render(dataclasses.replace(request, refine_steps=steps)).ws
        for synthesizer, steps in ((faces, 0), (faces, 12), (unconstrained, 12))
    )
    assert changed(faces, start, kept) < changed(faces, start, plain) / 2
    assert (faces.segment(kept) == small(layout)).mean() > (faces.segment(start) == small(layout)).mean()


def test_continued_refinement_keeps_the_first_colours(faces: Synthesizer, layout: np.ndarray) -> None:
    unconstrained = Synthesizer(faces.generator, dataclasses.replace(faces.model, feature_colors=None))
    request = PictureRequest(layout, Style.of_seed(1), 256, "draft")
    start = faces.render(request).ws
    faded = unconstrained.render(dataclasses.replace(request, refine_steps=12))
    continued = faces.render(dataclasses.replace(request, refine_steps=12, composition=faded.composition)).ws
    assert changed(faces, start, continued) < changed(faces, start, faded.ws) / 2


def small(layout: np.ndarray) -> np.ndarray:
    return reduce_label_map(layout, 64)


def changed(faces: Synthesizer, before: np.ndarray, after: np.ndarray) -> float:
    """How much the classes' colours differ between the pictures of two latents."""
    assert faces.model.feature_colors is not None
    reader = ColorReader(faces.model.transfer, faces.model.feature_colors)
    with torch.inference_mode():
        first, second = (
            reader.scores_and_colors(faces.generator.label_features(torch.tensor(ws)[None]))[1]
            for ws in (before, after)
        )
    return second.change_from(first).item()
