"""bfloat16 is close enough to float32 for labels, repeatable, and used for products alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.layers import autocast_to
from smis_desktop.inference.backend_selection import open_chosen_backend
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.training.training import stored_precision
from tests.small_generator import small_generator
from tests.training.test_training import SETTINGS, Stop, run, weights

GENERATOR = small_generator()
CPU = torch.device("cpu")


def some_ws(count: int = 2) -> torch.Tensor:
    z = torch.cat([seeded_z(seed, GENERATOR.w_dim) for seed in range(count)])
    return GENERATOR.broadcast(GENERATOR.mapping(z)).contiguous()


def test_features_are_close_and_float32() -> None:
    with torch.inference_mode():
        exact, near = (
            GENERATOR.label_features(some_ws()),
            TorchBackend(GENERATOR, "bfloat16").label_features(some_ws()),
        )
    for side, features in exact.items():
        assert near[side].dtype is torch.float32
        assert (near[side] - features).norm() <= 0.02 * features.norm()
        assert not torch.equal(near[side], features), "it was computed in float32"


def test_gradients_are_close() -> None:
    def gradient(ws: torch.Tensor) -> torch.Tensor:
        ws = ws.clone().requires_grad_()
        sum(features.square().mean() for features in GENERATOR.label_features(ws).values()).backward()  # type: ignore[union-attr]
        assert ws.grad is not None
        return ws.grad

    ws = some_ws()
    exact = gradient(ws)
    with autocast_to("bfloat16", CPU):
        near = gradient(ws)
    assert near.dtype is torch.float32
    assert torch.cosine_similarity(near.flatten(), exact.flatten(), dim=0) > 0.999


def test_a_training_in_bfloat16_resumes_to_the_same_float32_weights(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, precision="bfloat16")
    whole, events = run(GENERATOR, tmp_path / "whole", settings)
    with pytest.raises(Stop):
        run(GENERATOR, tmp_path / "halves", settings, stop_after=len(events) // 2)
    resumed, _ = run(GENERATOR, tmp_path / "halves", settings)
    plain, _ = run(GENERATOR, tmp_path / "plain")
    assert whole.settings["precision"] == "bfloat16"
    for name, weight in weights(whole).items():
        assert weight.dtype is torch.float32
        assert torch.equal(weight, weights(resumed)[name])
    assert any(not torch.equal(weight, weights(plain)[name]) for name, weight in weights(whole).items())


def test_a_training_resumes_in_its_own_precision() -> None:
    assert stored_precision({}) is None
    assert stored_precision({"precision": "float32"}) == "float32"
    begun = stored_precision({"precision": "bfloat16"})
    pictures = open_chosen_backend(GENERATOR, 1, lambda words, fraction: None, begun)  # $SMIS_BACKEND says torch
    assert pictures.name == "torch, bfloat16"
