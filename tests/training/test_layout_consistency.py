"""The layout consistency objective: its gradient, and that it does not depend on the number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision, autocast_to, freeze
from smis_desktop.personal_model.encoder import LayoutEncoder
from smis_desktop.training.sample_pool import SamplePool, draws
from smis_desktop.training.stages import layout_consistency
from smis_desktop.training.stages.layout_consistency import LayoutConsistencyObjective
from tests.small_generator import small_generator
from tests.training.test_training import run

BATCH = 6


class Case:
    """A model in training: what `LayoutConsistencyObjective` wants to know."""

    def __init__(self, folder: Path) -> None:
        self.generator = small_generator()
        self.model, _ = run(self.generator, folder / "t")
        assert self.model.probe is not None
        self.pool = SamplePool(self.generator, self.model.probe, 0, 12, self.model.palette.num_classes)
        self.pool.grow()
        self.encoder = self.moved(self.model.encoder, 0.05)

    def moved(self, encoder: LayoutEncoder, by: float) -> LayoutEncoder:
        """A copy with other weights, so that colours have something to be held against."""
        copy = LayoutEncoder(encoder.shape)
        copy.load_state_dict(encoder.state_dict())
        random = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in copy.parameters():
                weight.add_(by * weight.std(correction=0) * torch.randn(weight.shape, generator=random))
        return copy.requires_grad_(True)

    def objective(self) -> LayoutConsistencyObjective:
        assert self.model.probe is not None
        assert self.model.feature_colors is not None
        before = freeze(self.moved(self.model.encoder, 0.0))
        return LayoutConsistencyObjective(self.generator, self.model.probe, self.model.feature_colors, before, BATCH)

    def answer(self, precision: Precision = "float32") -> tuple[float, list[Tensor]]:
        """The loss of one batch, and its gradient in all weights."""
        with autocast_to(precision, torch.device("cpu")):
            loss = self.objective().loss(self.encoder, self.pool, draws(0, "test", 0))
        return loss.item(), list(torch.autograd.grad(loss, list(self.encoder.parameters())))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(tmp_path_factory.mktemp("consistency"))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_twice_and_nearly_the_same_with_other_numbers_of_threads(case: Case, precision: Precision) -> None:
    answers = []
    for count in (1, 3, 3):
        torch.set_num_threads(count)
        answers.append(case.answer(precision))
    (loss, gradients), (_, other), (again_loss, again) = answers
    assert again_loss == pytest.approx(loss, rel=1e-3)
    assert all(torch.equal(one, same) for one, same in zip(other, again, strict=True))
    for one, near in zip(gradients, other, strict=True):
        assert (one - near).norm() <= 0.02 * one.norm() + 1e-7


def test_pictures_one_by_one_and_all_at_once_say_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, gradients = case.answer()
    monkeypatch.setattr(layout_consistency, "num_parallel_pictures", lambda device: BATCH)  # as on a graphics card
    other_loss, others = case.answer()
    assert loss == pytest.approx(other_loss, rel=1e-5)
    for one, other in zip(gradients, others, strict=True):
        assert (one - other).norm() <= 1e-3 * one.norm() + 1e-7


def test_half_precision_points_the_same_way(case: Case) -> None:
    exact = torch.cat([gradient.flatten() for gradient in case.answer()[1]])
    reduced = torch.cat([gradient.flatten() for gradient in case.answer("bfloat16")[1]])
    assert not torch.equal(exact, reduced)
    assert torch.cosine_similarity(exact, reduced, dim=0) > 0.98


class Latents(LayoutEncoder):
    """Stands for an encoder: answers its own latents, whatever it is asked."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.encoder.shape)
        self.ws = torch.nn.Parameter(case.generator.broadcast(case.pool.w[:BATCH]).contiguous())

    def forward(self, layout: Tensor, generator: Generator | None = None) -> Tensor:
        return self.ws


def test_gradient_is_that_of_finite_differences(case: Case) -> None:
    """Without colours: those take the classes for constants, by intent."""
    assert case.model.probe is not None
    encoder, before = Latents(case), freeze(Latents(case))
    colors = torch.zeros(case.generator.feature_channels(64) + 1, 3)
    objective = LayoutConsistencyObjective(case.generator, case.model.probe, colors, before, BATCH)

    def loss() -> Tensor:
        return objective.loss(encoder, case.pool, draws(0, "test", 0))

    (gradient,) = torch.autograd.grad(loss(), [encoder.ws])
    way = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(2)) + gradient / gradient.std()
    begin, ends, step = encoder.ws.detach().clone(), [], 1e-3
    with torch.no_grad():
        for sign in (1, -1):
            encoder.ws.copy_(begin + sign * step * way)
            ends.append(loss().item())
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * way).sum().item(), rel=0.01)
