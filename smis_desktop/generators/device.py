"""Where and in which precision networks are computed.

bfloat16 keeps float32's range and eight bits of its mantissa; processors with matrix tiles and graphics cards multiply
it several times as fast. Weights that learn, optimisers and losses stay in float32 everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

log = logging.getLogger(__name__)

_TOLERANCE = 1e-3


def best_device() -> torch.device:
    """CUDA's first card, else Apple's, else the processor. Found once."""
    return _first_that_computes(tuple(_present()))


def _present() -> Sequence[str]:
    if torch.cuda.is_available():
        return ("cuda",)
    return ("mps",) if torch.backends.mps.is_available() else ()


@lru_cache
def _first_that_computes(names: tuple[str, ...]) -> torch.device:
    for name in names:
        fault = what_is_wrong_with(torch.device(name))
        if not fault:
            return torch.device(name)
        log.warning("%s is there but not used: %s", name, fault)
    return torch.device("cpu")


def what_is_wrong_with(device: torch.device) -> str:
    """Empty when a little of everything that the networks do, gradients included, gives there what it gives on the
    processor. Kinds of device differ in which operations they have at all."""
    draws = torch.Generator().manual_seed(0)
    x, weight = torch.randn(1, 8, 8, 8, generator=draws), torch.randn(8, 1, 3, 3, generator=draws)
    wanted = _a_little_of_everything(x, weight)
    try:
        found = _a_little_of_everything(x.to(device), weight.to(device)).cpu()
    except RuntimeError as error:  # an operation that is not there is one of them
        return str(error).splitlines()[0]
    difference = float((found - wanted).abs().max())
    return "" if difference <= _TOLERANCE else f"it computes something else (by {difference:.2g})"


def _a_little_of_everything(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    y = F.conv2d(F.leaky_relu(x, 0.2), weight, padding=1, groups=8)
    y = F.pixel_shuffle(F.group_norm(F.silu(y), 2), 2)
    y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
    labels = y.detach().argmax(1)
    F.cross_entropy(y, labels).backward()
    assert x.grad is not None
    return x.grad


Precision = Literal["float32", "bfloat16"]


def autocast_to(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
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


def precision_here(device: torch.device) -> Precision:
    """What `autocast_to` has set in this thread; others begin in float32."""
    return "bfloat16" if torch.is_autocast_enabled(device.type) else "float32"
