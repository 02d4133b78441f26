"""Where networks are computed: a graphics card when there is one that computes rightly, else the processor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import torch
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
