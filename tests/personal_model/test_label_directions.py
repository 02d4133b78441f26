"""Classes move along the label directions, and stay across them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.generators.store import open_generator
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.personal_model.model import label_directions, split_along
from tests.personal_model.landscapes_probe import landscapes_probe


@pytest.fixture(scope="module")
def generator() -> Generator:
    return open_generator("landscapes")


@pytest.fixture(scope="module")
def probe(generator: Generator) -> LinearProbe:
    return landscapes_probe(generator)


def test_classes_move_along_them_and_not_across(generator: Generator, probe: LinearProbe) -> None:
    directions = label_directions(generator, probe)
    count, dimensions = directions.shape
    assert dimensions == generator.w_dim
    assert count < generator.w_dim / 2
    assert torch.allclose(directions @ directions.T, torch.eye(count), atol=1e-4)

    random = torch.Generator().manual_seed(3)
    along = across = 0.0
    for seed in range(12):
        start = generator.latents.whiten(latents_of_seed(generator, seed, 0.8)[:1])
        step = torch.randn(start.shape, generator=random)
        bound, free = split_along(step, directions)
        assert torch.allclose(bound + free, step, atol=1e-5)
        along += _changed(generator, probe, start, 2 * bound / bound.norm())
        across += _changed(generator, probe, start, 2 * free / free.norm())
    assert across < along / 3


@torch.inference_mode()
def _changed(generator: Generator, probe: LinearProbe, start: Tensor, step: Tensor) -> float:
    """The share of pixels whose class changes."""
    before, after = (
        probe.label(generator.label_features(generator.broadcast(generator.latents.color(c))))
        for c in (start, start + step)
    )
    return float((before != after).float().mean())
