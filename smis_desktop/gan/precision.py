"""The precision of the heavy arithmetic: matrix products may be in bfloat16, whatever is added up stays float32.

bfloat16 keeps float32's range and eight bits of its mantissa; processors with matrix tiles and graphics cards multiply
it several times as fast. Weights that learn, optimisers and losses stay in float32 everywhere.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16"]


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Within it, networks on `device` compute in that precision. Gradients follow what their forward pass did."""
    if precision == "float32":
        return nullcontext()
    # No cache of cast weights: it would outlive an optimiser's step within the same block.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def in_float32(x: Tensor) -> AbstractContextManager[object]:
    """Within it, what is computed with `x` is computed in float32: where there is nothing to gain, or much to lose."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def is_reduced_on_processor(x: Tensor) -> bool:
    """Whether `x` is about to be computed with in bfloat16 on the processor."""
    return x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def pointwise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """1×1 convolution of `x` [N, C, H, W] with a constant `weight` [D, C, 1, 1] and `bias` [D], the product alone in
    bfloat16, → float32 [N, D, H, W]. Differentiable in `x`."""
    product: Tensor = _Product.apply(x.flatten(2), weight.flatten(1).bfloat16())  # type: ignore[no-untyped-call]
    return product.view(len(x), -1, *x.shape[2:]) + bias[:, None, None]


class _Product(torch.autograd.Function):
    """weight [D, C] · x [N, C, P] in bfloat16. The weight is a constant: no gradient is kept for it."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return _multiplied(weight, x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return _multiplied(weight.mT, gradients[0]), None


def _multiplied(weight: Tensor, x: Tensor) -> Tensor:
    # One picture at a time: a batch would make torch copy the weight for each, and its maps leave the cache.
    found = x.new_empty(len(x), len(weight), x.shape[2])
    with in_float32(x):
        for one, product in zip(x, found, strict=True):
            product.copy_(torch.mm(weight, one.bfloat16()))
    return found
