"""Composed features: a draft costs one patch, however many lie below it, and is the same from any cache."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from torch import Tensor

from smis_desktop.document.composition import Composition, Repaint
from smis_desktop.document.style import Look, Style
from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.model import PersonalModel
from tests.small_generator import small_generator
from tests.small_model import small_model

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4))
STYLES = {"plain": Style(), "all faders": Style(Look(3), coarse=0.4, middle=0.3, variety=0.6)}


class Counting(TorchBackend):
    """Counts how often coarse features are computed."""

    def __init__(self) -> None:
        super().__init__(GENERATOR)
        self.count = 0

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        self.count += 1
        return super().coarse_features(ws, surroundings, regions)


@cache
def _model() -> PersonalModel:
    return small_model(GENERATOR)


def layouts(count: int) -> Iterator[np.ndarray]:
    """Layouts of 512², each with one more square of another class."""
    random, painted = np.random.default_rng(0), np.zeros((512, 512), np.uint8)
    painted[200:] = 3
    for _ in range(count):
        y, x = random.integers(0, 480, 2)
        painted[y : y + 30, x : x + 30] = random.choice([0, 3, 7])
        layout = painted.copy()
        layout.setflags(write=False)
        yield layout


def opened() -> tuple[Synthesizer, Counting]:
    backend = Counting()
    return Synthesizer(GENERATOR, _model(), backend), backend


def painting(count: int) -> tuple[Composition, np.ndarray]:
    """A composition of that many strokes, and its layout."""
    synthesizer, _ = opened()
    before, *others = layouts(count + 1)
    composition = synthesizer.compose(PictureRequest(before))
    for after in others:
        composition = synthesizer.compose(PictureRequest(after, repaint=Repaint(composition, before)))
        before = after
    return composition, before


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_stroke_computes_one_patch_whatever_lies_below(style: Style) -> None:
    composition, layout = painting(50)
    assert len(composition.patches) > 30
    synthesizer, backend = opened()
    synthesizer.render(PictureRequest(layout, style, quality="draft", composition=composition))
    repaint = Repaint(composition, layout)
    for corner in range(0, 300, 60):
        before, changed = backend.count, layout.copy()
        changed[corner : corner + 40, :40] = 7
        drawn = synthesizer.render(PictureRequest(changed, style, quality="draft", repaint=repaint))
        assert backend.count == before + 1
        assert len(drawn.composition.patches) == len(composition.patches) + 1
        fresh, _ = opened()
        alone = fresh.render(PictureRequest(changed, style, quality="draft", repaint=repaint))
        assert np.array_equal(alone.picture, drawn.picture)
        assert alone.shown.digest == drawn.shown.digest


def test_other_colours_compute_no_patch_again() -> None:
    composition, layout = painting(10)
    synthesizer, backend = opened()
    pictures = []
    for mix in (0.2, 0.9):
        request = PictureRequest(layout, Style.of_seed(5, mix, variety=0.0), quality="draft", composition=composition)
        pictures.append(synthesizer.render(request).picture)
        if mix == 0.2:
            computed = backend.count
    assert backend.count == computed
    assert not np.array_equal(*pictures)
