"""Networks that are used but not trained."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def freeze(network: Network) -> Network:
    """In evaluation mode, no parameter asks for a gradient."""
    return network.eval().requires_grad_(False)
