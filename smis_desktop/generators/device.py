"""The device that networks run on: an accelerator, if its results match the processor's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch.nn import functional as F

log = logging.getLogger(__name__)

_TOLERANCE = 1e-3


def best_device() -> torch.device:
    """Return the first CUDA card, else Apple's, else the processor. Determined once."""
    return first_working_device(tuple(_accelerators()))


def _accelerators() -> Sequence[str]:
    if torch.cuda.is_available():
        return ("cuda",)
    return ("mps",) if torch.backends.mps.is_available() else ()


@lru_cache
def first_working_device(names: tuple[str, ...]) -> torch.device:
    """Return the first of those kinds of device that passes `device_fault`, else the processor; log the others."""
    for name in names:
        fault = device_fault(torch.device(name))
        if not fault:
            return torch.device(name)
        log.warning("%s is present but not used: %s", name, fault)
    return torch.device("cpu")


def device_fault(device: torch.device) -> str:
    """Return why networks should not run on `device`; empty if they may.

    It runs the operations of the networks and their gradients, and compares with the processor. Backends of torch
    differ in which operations they have at all.
    """
    draws = torch.Generator().manual_seed(0)
    x, weight = torch.randn(1, 8, 8, 8, generator=draws), torch.randn(8, 1, 3, 3, generator=draws)
    expected = _sample_gradient(x, weight)
    try:
        actual = _sample_gradient(x.to(device), weight.to(device)).cpu()
    except RuntimeError as error:  # a missing operation raises NotImplementedError, which is one
        return str(error).splitlines()[0]
    difference = float((actual - expected).abs().max())
    return "" if difference <= _TOLERANCE else f"its results differ from the processor's (by {difference:.2g})"


def _sample_gradient(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    y = F.conv2d(F.leaky_relu(x, 0.2), weight, padding=1, groups=8)
    y = F.pixel_shuffle(F.group_norm(F.silu(y), 2), 2)
    y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
    labels = y.detach().argmax(1)
    F.cross_entropy(y, labels).backward()
    assert x.grad is not None
    return x.grad


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a device or the processor ran out of memory; sometimes only torch's message says so."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
