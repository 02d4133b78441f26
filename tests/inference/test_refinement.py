"""Refinement follows the layout more closely, never less by its own score, and keeps the style slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from smis_desktop.document.composition import Composition, Patch
from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.style import Style
from smis_desktop.generators.coarse_features import Surroundings
from smis_desktop.generators.generator import seeded_z
from smis_desktop.inference.layout_regions import region_masks
from smis_desktop.inference.refinement import (
    STEPS_OF_ONE_LATENT,
    Refinement,
    RefinementTarget,
    begun,
    latents_at,
    refine,
)
from smis_desktop.inference.refinement_losses import PictureReading
from smis_desktop.inference.styling import mix_styles
from smis_desktop.personal_model.label_transfer import LinearProbe
from tests.small_generator import small_generator

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4))


def probe() -> LinearProbe:
    return LinearProbe({64: torch.randn(3, 16, generator=torch.Generator().manual_seed(0))}, torch.zeros(3))


def fine_probe() -> LinearProbe:
    return LinearProbe({128: torch.randn(3, 8, generator=torch.Generator().manual_seed(1))}, torch.zeros(3))


def target_of(layout: torch.Tensor, ws: torch.Tensor, **parts: Any) -> RefinementTarget:
    """A target at 64², read by `probe`."""
    return RefinementTarget(PictureReading(GENERATOR, probe()), {64: layout}, ws, **parts)


def state_of(start: torch.Tensor, masks: Sequence[np.ndarray] = (), is_patch: bool = False) -> Refinement:
    composition = Composition(start[0].numpy())
    if is_patch:
        composition = composition.with_patch(Patch(start[0].numpy(), np.full((128, 128), 255, np.uint8)))
    return begun(GENERATOR, composition, start, masks)


def refined(start: torch.Tensor, layout: torch.Tensor, steps: int) -> torch.Tensor:
    state = refine(GENERATOR, target_of(layout, start), state_of(start), steps)
    return latents_at(GENERATOR, state, state.best)[0]


def halves() -> tuple[torch.Tensor, torch.Tensor, list[np.ndarray]]:
    """A layout whose halves show two pictures at 64² and at 128², and the masks of its regions."""
    pictures = [GENERATOR.broadcast(GENERATOR.mapping(seeded_z(seed, 24))) for seed in (1, 5)]
    small = [probe().label(GENERATOR.label_features(ws)) for ws in pictures]
    large = [fine_probe().label(GENERATOR.fine_label_features(GENERATOR.coarse_features(ws))) for ws in pictures]
    joined = [
        torch.cat((one[..., : one.shape[-1] // 2], other[..., one.shape[-1] // 2 :]), 2)
        for one, other in (small, large)
    ]
    cells = np.zeros((128, 128), np.int64)
    cells[:, 64:] = 1
    return joined[0], joined[1], region_masks(cells)


def test_the_refined_picture_is_labelled_more_like_the_layout() -> None:
    transfer = probe()
    target = transfer.label(GENERATOR.label_features(GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, 24)))))
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    moved = refined(start, target, STEPS_OF_ONE_LATENT)

    def loss(ws: torch.Tensor) -> float:
        return F.cross_entropy(transfer.scores(GENERATOR.label_features(ws)), target).item()

    assert loss(moved) < loss(start)
    fine = GENERATOR.fine_slots.start
    assert torch.equal(moved[:, fine:], start[:, fine:])


def test_without_steps_or_labels_nothing_changes() -> None:
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    layout = torch.full((1, 64, 64), UNKNOWN_CHANNEL)
    state = state_of(start)
    assert refine(GENERATOR, target_of(layout, start), state, 5) is state
    assert refine(GENERATOR, target_of(torch.zeros_like(layout), start), state, 0) is state
    assert state.is_where_it_began


def test_steps_after_a_pause_go_on_as_if_there_had_been_none() -> None:
    small, large, masks = halves()
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    reading = PictureReading(GENERATOR, probe(), fine_probe())
    planes = torch.from_numpy(np.stack(masks))[:, None] / 255
    target = RefinementTarget(reading, {64: small, 128: large}, start, planes)
    whole = refine(GENERATOR, target, state_of(start, masks), 20)
    state = state_of(start, masks)
    for _ in range(5):
        state = refine(GENERATOR, target, state, 4)
    assert state.digest == whole.digest
    assert all(torch.equal(one, other) for one, other in zip(state.best, whole.best, strict=True))


def test_regions_follow_what_one_latent_cannot() -> None:
    small, large, masks = halves()
    start = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(2, 24)))
    planes = torch.from_numpy(np.stack(masks))[:, None] / 255
    reading = PictureReading(GENERATOR, probe(), fine_probe())

    def mismatch(region_planes: torch.Tensor | None) -> float:
        target = RefinementTarget(reading, {64: small, 128: large}, start, region_planes)
        state = refine(GENERATOR, target, state_of(start, masks if region_planes is not None else ()), 60)
        return state.best_loss

    assert len(masks) == 2
    assert mismatch(planes) < mismatch(None)


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


def of_patch(surroundings: Surroundings, start: torch.Tensor, layout: torch.Tensor, steps: int) -> torch.Tensor:
    target = target_of(layout, start, surroundings=surroundings)
    state = refine(GENERATOR, target, state_of(start, is_patch=True), steps)
    return latents_at(GENERATOR, state, state.best)[0]


def test_a_patch_follows_the_layout_better() -> None:
    surroundings, start, layout = patch()
    moved = of_patch(surroundings, start, layout, 10)

    def loss(ws: torch.Tensor) -> float:
        features = surroundings.around_labels(GENERATOR.label_features(ws, surroundings))
        return F.cross_entropy(probe().scores(features)[..., 16:48, 16:32], layout[:, 16:48, 16:32]).item()

    assert loss(moved) < loss(start)


def test_slots_of_a_patch_move_apart_and_fine_ones_stay() -> None:
    surroundings, start, layout = patch()
    moved = of_patch(surroundings, start, layout, 5) - start
    fine = GENERATOR.fine_slots.start
    assert torch.equal(moved[:, fine:], torch.zeros_like(moved[:, fine:]))
    assert not torch.allclose(moved[:, 1], moved[:, fine - 1])
    together = refined(start, layout, 5) - start
    assert torch.allclose(together[:, 1], together[:, fine - 1], atol=1e-5)
