"""The latents of a photo that was found: as they are kept, and those that labels are learned from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_WAY = 0.25
"""How far labels are learned from, of the way from real latents to the photo."""


def kept_pair(found: Mapping[str, Tensor]) -> Tensor:
    """[2, num_ws, 512]: those near real latents and those near the photo, as `InversionResult` has them; twice the
    first where an earlier version of this program found no others."""
    return torch.stack((found["ws"], found.get("close_ws", found["ws"])))


def views_of(pair: Tensor) -> Tensor:
    """[2, num_ws, 512] as `kept_pair` gives them → the two that labels are learned from, the better one first.

    Those near the photo place every outline, but its features are no face's: labels learned from a quarter of the
    way there carry further, and furthest together with those near real latents (docs/measurements.md).
    """
    near, close = pair
    return torch.stack((torch.lerp(near, close, _WAY), near))
