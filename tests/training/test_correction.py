"""The correction of first answers: what is read off features, what is learned, and that trainings continue."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from smis_desktop.generators.layers import Precision, autocast_to, freeze
from smis_desktop.personal_model.encoder import LayoutEncoder, class_fractions, grid_features, one_hot
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.distributed import SINGLE_PROCESS
from smis_desktop.training.flat_adamw import FlatAdamW
from smis_desktop.training.sample_pool import SamplePool, draws
from smis_desktop.training.stages.encoder import (
    CORRECTIONS,
    LatentObjective,
    first_answers,
    learn_reading,
    with_correction,
)
from tests.small_generator import small_generator
from tests.training.test_training import run


class Case:
    """A small generator, a model of it, and a pool of samples that the model labels."""

    def __init__(self, folder: Path) -> None:
        self.generator = small_generator()
        self.model: PersonalModel = run(self.generator, folder / "t")[0]
        self.pool = SamplePool(self.generator, self.model.transfer, 0, 24, self.model.palette.num_classes)
        self.pool.grow()

    def first_answers_only(self) -> LayoutEncoder:
        """The model's encoder without its correction."""
        trained = self.model.encoder
        encoder = LayoutEncoder(dataclasses.replace(trained.shape, corrections=0, feature_channels=0))
        state = trained.state_dict()
        encoder.load_state_dict({key: value for key, value in state.items() if not key.startswith("correction.")})
        return freeze(encoder)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("correction"))


def test_trained_models_correct_their_answers(case: Case) -> None:
    encoder = case.model.encoder
    assert encoder.shape.corrections == CORRECTIONS
    assert encoder.shape.feature_channels == case.generator.feature_channels(16)
    assert encoder.correction is not None
    assert encoder.correction.change.weight.abs().max() > 0, "it is trained"


def test_a_new_correction_changes_nothing(case: Case) -> None:
    before = case.first_answers_only()
    layout = one_hot(case.pool.labels[:2].long(), case.pool.num_classes)
    with torch.inference_mode():
        answer = with_correction(before, case.generator)(layout, case.generator)
        assert torch.equal(answer, before(layout))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fractions_are_read_off_features(case: Case, precision: Precision) -> None:
    """Better than by their mean, on the pictures that it was fitted to."""
    with autocast_to(precision, torch.device("cpu")):
        weight, bias = learn_reading(case.generator, case.pool, 16)
        features = grid_features(case.generator, case.pool.w, 16).float()
    asked = class_fractions(case.pool.labels, case.pool.num_classes, 16)
    shown = torch.einsum("nzhw,cz->nchw", features, weight) + bias[None, :, None, None]
    spread = (asked - asked.mean((0, 2, 3), keepdim=True)).square().mean()
    assert (asked - shown).square().mean() < 0.9 * spread


def test_training_brings_answers_nearer(case: Case) -> None:
    generator, pool = case.generator, case.pool
    assert case.model.directions is not None
    encoder = with_correction(case.first_answers_only(), generator)
    assert encoder.correction is not None
    encoder.correction.set_reading(*learn_reading(generator, pool, 16))
    answers = first_answers(encoder, generator, pool, 0)
    objective = LatentObjective(16, generator.latents, case.model.directions)
    optimizer = FlatAdamW(encoder.correction.requires_grad_(True), SINGLE_PROCESS)
    losses = [
        optimizer.step(answers.loss(encoder.correction, objective, 16, draws(0, "test", step)), 1e-2)
        for step in range(60)
    ]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_first_answers_are_the_same_twice(case: Case) -> None:
    encoder = with_correction(case.first_answers_only(), case.generator)
    one, other = (first_answers(encoder, case.generator, case.pool, 3) for _ in range(2))
    assert torch.equal(one.coordinates, other.coordinates)
    assert torch.equal(one.missing, other.missing)
    assert not torch.equal(one.coordinates, first_answers(encoder, case.generator, case.pool, 4).coordinates)
