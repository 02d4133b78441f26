"""Refinement follows the layout more closely, never less by its own score, and keeps the style slots."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.style import Style
from smis_desktop.generators.coarse_features import Surroundings
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


def patch() -> tuple[Surroundings, torch.Tensor, torch.Tensor]:
    """A patch in the middle of a picture: its surroundings, its latents to begin with, and a layout that asks for
    another class in its left half alone."""
    below = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, 24)))
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 32:96, 32:96] = 0.9
    mask[..., 32:96, 32:64] = 1
    coarse = GENERATOR.coarse_features(below)
    layout = probe().label(coarse.label_features)
    layout[:, 16:48, 16:32] = (layout[:, 16:48, 16:32] + 1) % 3
    return Surroundings(coarse, mask), GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24))), layout


def test_a_patch_follows_the_layout_better() -> None:
    surroundings, start, layout = patch()
    refined = refine(GENERATOR, probe(), start, layout, steps=20, surroundings=surroundings)

    def loss(ws: torch.Tensor) -> float:
        features = surroundings.around_labels(GENERATOR.label_features(ws, surroundings))
        return F.cross_entropy(probe().scores(features)[..., 16:48, 16:32], layout[:, 16:48, 16:32]).item()

    assert loss(refined) < loss(start)


def test_slots_of_a_patch_move_apart_and_fine_ones_stay() -> None:
    surroundings, start, layout = patch()
    moved = refine(GENERATOR, probe(), start, layout, steps=5, surroundings=surroundings) - start
    fine = GENERATOR.fine_slots.start
    assert torch.equal(moved[:, fine:], torch.zeros_like(moved[:, fine:]))
    assert not torch.allclose(moved[:, 1], moved[:, fine - 1])
    together = refine(GENERATOR, probe(), start, layout, steps=5) - start
    assert torch.allclose(together[:, 1], together[:, fine - 1], atol=1e-5)
