"""Layers for frozen weights, compared with torch and with finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators import layers as shared_layers
from smis_desktop.generators.layers import (
    Regions,
    activated_pointwise,
    depthwise,
    inverse_haar,
    pointwise,
    scaled_inverse_haar,
    supports_frozen_layers,
    unfold3x3,
)
from smis_desktop.generators.mobile_stylegan import Block

LEAK = 0.2


@pytest.fixture(autouse=True)
def _few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_layers, "ROWS_AT_ONCE", 7)  # so that small maps take several steps, the last one short


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def like(x: Tensor, *shape: int, seed: int = 0) -> Tensor:
    """Weights of that type."""
    return normal(*shape, seed=seed).to(x.dtype)


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "depthwise": (
        lambda x, s: depthwise(x, like(x, 8, 1, 3, 3)),
        lambda x, s: F.conv2d(x, like(x, 8, 1, 3, 3), padding=1, groups=8),
    ),
    "pointwise": (
        lambda x, s: pointwise(x, None, like(x, 5, 8, 1, 1)),
        lambda x, s: F.conv2d(x, like(x, 5, 8, 1, 1)),
    ),
    "scaled pointwise": (
        lambda x, s: pointwise(x, s, like(x, 5, 8, 1, 1), like(x, 5, seed=3)),
        lambda x, s: F.conv2d(x * s, like(x, 5, 8, 1, 1), like(x, 5, seed=3)),
    ),
    "activated pointwise": (
        lambda x, s: activated_pointwise(
            x, s, like(x, 5, 8, 1, 1), like(x, 5, seed=3), like(x, 1, 1, 4, 6, seed=4), LEAK
        ),
        lambda x, s: F.leaky_relu(
            F.conv2d(x * s, like(x, 5, 8, 1, 1), like(x, 5, seed=3)) + like(x, 1, 1, 4, 6, seed=4), LEAK
        ),
    ),
    "activated, not scaled": (
        lambda x, s: activated_pointwise(x, None, like(x, 5, 8, 1, 1), like(x, 5, seed=3), like(x, 1, 1, 4, 6), LEAK),
        lambda x, s: F.leaky_relu(F.conv2d(x, like(x, 5, 8, 1, 1), like(x, 5, seed=3)) + like(x, 1, 1, 4, 6), LEAK),
    ),
    "3×3 by unfolding": (
        lambda x, s: pointwise(unfold3x3(x), None, like(x, 5, 72, 1, 1)),
        lambda x, s: F.conv2d(x, like(x, 5, 72, 1, 1).view(5, 8, 3, 3), padding=1),
    ),
    "inverse Haar step": (scaled_inverse_haar, lambda x, s: inverse_haar(x * s)),
}


WITHOUT_PRODUCTS = ("depthwise", "inverse Haar step")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("count", [1, 3])
def test_equals_torch(name: str, count: int) -> None:
    ours, reference = CASES[name]
    answers = []
    for layer in (ours, reference):
        x, scales = normal(count, 8, 4, 6, seed=1).requires_grad_(), normal(count, 8, 1, 1, seed=2).requires_grad_()
        found = layer(x, scales)
        (found * normal(*found.shape, seed=5)).sum().backward()
        answers.append((found.detach(), x.grad, scales.grad))
    for mine, theirs in zip(*answers, strict=True):
        if theirs is None:
            assert mine is None
        else:
            torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    x, scales = normal(2, 8, 4, 6, seed=1).requires_grad_(), normal(2, 8, 1, 1, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(CASES[name][0], (x, scales))


def test_the_memory_format_does_not_matter() -> None:
    x, scales = normal(2, 8, 4, 6), normal(2, 8, 1, 1, seed=2)
    for name, (layer, _) in CASES.items():
        torch.testing.assert_close(
            layer(x, scales), layer(x.contiguous(memory_format=torch.channels_last), scales), msg=name
        )


@pytest.mark.parametrize("name", CASES)
def test_only_products_are_computed_in_bfloat16(name: str) -> None:
    """bfloat16 keeps eight bits: sums stay within a hundredth of the result, gradients too."""
    layer, reference = CASES[name]

    def answers(of: Callable[..., Tensor], dtype: torch.dtype) -> list[Tensor | None]:
        x, scales = (normal(2, 8, *sides, seed=1).to(dtype).requires_grad_() for sides in ((4, 6), (1, 1)))
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            found = of(x, scales)
        assert found.dtype == dtype
        (found * like(found, *found.shape, seed=5)).sum().backward()
        return [found.detach(), x.grad, scales.grad]

    for low, exact in zip(answers(layer, torch.float32), answers(reference, torch.float64), strict=True):
        if exact is None:
            assert low is None
            continue
        assert low is not None
        assert low.dtype == torch.float32
        error = (low.double() - exact).norm() / exact.norm()
        assert error < (1e-5 if name in WITHOUT_PRODUCTS else 0.01)
        assert name in WITHOUT_PRODUCTS or error > 1e-5, "nothing was computed in bfloat16"


def test_a_block_gives_one_picture_with_and_without_regions() -> None:
    torch.manual_seed(0)
    block = Block(16, 8, 12, 8)
    for weight in block.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    block.requires_grad_(False)
    x, w = torch.randn(1, 8, 4, 4), torch.randn(2, 1, 16)
    everywhere = Regions(torch.ones(1, 1, 8, 8))  # one style everywhere, by maps of scales
    torch.testing.assert_close(block(x, w[0], w[1]), block(x, w[0], w[1], everywhere), rtol=1e-4, atol=1e-4)


def test_trained_weights_are_left_to_torch() -> None:
    x, constant = torch.zeros(1, 2, 3, 3), torch.zeros(2)
    learns = torch.zeros(2, requires_grad=True)
    assert supports_frozen_layers(x, constant)
    assert not supports_frozen_layers(x, constant, learns)
    with torch.no_grad():
        assert supports_frozen_layers(x, learns)
    assert not supports_frozen_layers(x.double(), constant)
