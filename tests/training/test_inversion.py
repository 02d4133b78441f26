"""Inversion of a picture that the real generator made: it approaches it, and goes on exactly where it stopped."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from smis_desktop.generators.generator import from_rgb8, seeded_z, to_rgb8
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.inversion import FineInversion, Inversion, InversionSettings
from smis_desktop.training.perceptual import PerceptualDistance

SETTINGS = InversionSettings(steps=6, close_steps=2.5, large_steps=0.25)


@pytest.fixture(scope="module")
def photo(faces: MobileStyleGAN) -> np.ndarray:
    with torch.inference_mode():
        return to_rgb8(faces.draft(faces.broadcast(faces.mapping(seeded_z(11, 512), 0.8)), 256)[0])


def test_gets_closer_keeps_the_best_and_resumes_exactly(
    faces: MobileStyleGAN, perceptual: PerceptualDistance, photo: np.ndarray
) -> None:
    whole = Inversion(faces, perceptual, photo, SETTINGS)
    losses = []
    states = {}
    while not whole.done:
        states[len(losses)] = whole.state()
        losses.append(whole.step().loss)
    result = whole.result()
    near, small = SETTINGS.steps, SETTINGS.small_steps
    assert (near, small, len(losses)) == (6, 17, SETTINGS.all_steps) == (6, 17, 21)
    assert result.loss == min(losses[:near]) < losses[0]
    assert min(losses[near:small:2]) < losses[near], "going closer goes closer"
    assert min(losses[small::3]) < losses[small]
    assert 0 < result.latent_distance < 3
    assert math.isfinite(result.psnr)

    for stopped in (near - 1, near, near + 1, small, small + 1):
        resumed = Inversion(faces, perceptual, photo, SETTINGS)
        resumed.restore(states[stopped])
        again = []
        while not resumed.done:
            again.append(resumed.step().loss)
        assert again == losses[stopped:]
        assert torch.equal(resumed.result().ws, result.ws)
        assert torch.equal(resumed.result().reconstruction_ws, result.reconstruction_ws)
    assert not torch.equal(result.ws, result.reconstruction_ws)


def test_a_step_too_far_goes_back_to_the_best() -> None:
    """Of a loss that only every second step counts, as in an inversion; a learning rate of 3 always goes too far."""
    fine = FineInversion(torch.zeros(2, 3), learning_rate=3.0, warm_up=1)
    losses, states = [], []
    for step in range(6):
        states.append(fine.state())
        losses.append(fine.step(step / 6, lambda ws: (ws - 0.1).square().mean(), counts=step % 2 == 0))
    first, *others = losses[::2]
    assert min(others) > 1.5 * first
    assert losses[3] == losses[5] == first < losses[1], "each time it began at the best again"
    assert torch.equal(fine.best, torch.zeros(2, 3))
    resumed = FineInversion(torch.ones(2, 3), learning_rate=3.0, warm_up=1)
    resumed.restore(states[3])
    again = [
        resumed.step(step / 6, lambda ws: (ws - 0.1).square().mean(), counts=step % 2 == 0) for step in range(3, 6)
    ]
    assert again == losses[3:]


def test_perceptual_distance_knows_same_from_other(perceptual: PerceptualDistance, photo: np.ndarray) -> None:
    a = from_rgb8(photo, 128)
    shifted = a.roll(1, dims=3)
    other = a.flip(2)
    with torch.inference_mode():
        fa, fs, fo = (perceptual.features(x) for x in (a, shifted, other))
        same, near, far = (perceptual(fa, f).item() for f in (fa, fs, fo))
    assert same == 0
    assert near < far
