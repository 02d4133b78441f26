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


def precision_here(device: torch.device) -> Precision:
    """What `computing` has set in this thread; others begin in float32."""
    return "bfloat16" if torch.is_autocast_enabled(device.type) else "float32"
