"""Which samples of a pool are drawn: those with rare classes more often, and as the seed says."""

from __future__ import annotations

import torch

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.sample_pool import SamplePool
from tests.small_generator import small_generator

CLASSES = 3


def filled_pool() -> SamplePool:
    """A hundred samples: class 0 in all of them, class 1 in four, class 2 in one pixel of one, which is nothing."""
    generator = small_generator()
    probe = LinearProbe({8: torch.zeros(CLASSES, generator.feature_channels(8))}, torch.zeros(CLASSES))
    pool = SamplePool(generator, probe, 0, 50, CLASSES)
    labels = torch.zeros(100, 64, 64, dtype=torch.int8)
    labels[[10, 20, 60, 70], :8] = 1
    labels[5, 0, 0] = 2
    labels[:, -8:] = UNKNOWN_CHANNEL
    for half in (slice(0, 50), slice(50, 100)):
        pool.add(torch.randn(50, generator.w_dim), labels[half])
    return pool


def test_pictures_with_rare_classes_come_more_often() -> None:
    drawn = filled_pool().draw(20_000, torch.Generator().manual_seed(0))
    share = torch.bincount(drawn, minlength=100) / len(drawn)
    rare = torch.tensor([10, 20, 60, 70])
    often = 5.0  # 0.04 to the power of -0.5
    wanted = often / (96 + 4 * often)
    assert (share[rare] - wanted).abs().max() < 0.005
    assert (share[5] - 1 / (96 + 4 * often)).abs() < 0.005


def test_a_generator_decides_what_is_drawn() -> None:
    pool = filled_pool()
    first, second = (pool.draw(40, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, pool.draw(40, torch.Generator().manual_seed(4)))
