"""Refinement follows the layout more closely, never less by its own score, and keeps the style slots."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.style import Style
from smis_desktop.generators.generator import seeded_z
from smis_desktop.inference.refinement import refine
from smis_desktop.inference.styling import mix_styles
from smis_desktop.personal_model.label_transfer import LinearProbe
from tests.small_generator import small_generator

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4))


def probe() -> LinearProbe:
    return LinearProbe({64: torch.randn(3, 16, generator=torch.Generator().manual_seed(0))}, torch.zeros(3))


def test_the_refined_picture_is_labelled_more_like_the_layout() -> None:
    transfer = probe()
    target = transfer.label(GENERATOR.label_features(GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, 24)))))
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    refined = refine(GENERATOR, transfer, start, target, steps=15)

    def loss(ws: torch.Tensor) -> float:
        return F.cross_entropy(transfer.scores(GENERATOR.label_features(ws)), target).item()

    assert loss(refined) < loss(start)
    fine = GENERATOR.fine_slots.start
    assert torch.equal(refined[:, fine:], start[:, fine:])


def test_without_steps_or_labels_nothing_changes() -> None:
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    layout = torch.full((1, 64, 64), UNKNOWN_CHANNEL)
    assert refine(GENERATOR, probe(), start, layout, steps=5) is start
    assert refine(GENERATOR, probe(), start, torch.zeros_like(layout), steps=0) is start


def test_mixing_moves_only_the_fine_slots() -> None:
    ws = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    look = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(3, 24)))
    fine = GENERATOR.fine_slots.start
    half = mix_styles(GENERATOR, ws, look, Style(mix=0.5))
    assert torch.equal(half[:, :fine], ws[:, :fine])
    assert torch.allclose(half[:, fine:], (ws[:, fine:] + look[:, fine:]) / 2)
    assert torch.equal(mix_styles(GENERATOR, ws, look, Style(mix=1.0))[:, fine:], look[:, fine:])
    assert torch.equal(mix_styles(GENERATOR, ws, look, Style(mix=0.0)), ws)
