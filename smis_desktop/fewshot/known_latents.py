"""Generated pictures as shots: their latents are known from the seed, no inversion is needed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.pixels import from_rgb8
from smis_desktop.gan.protocol import Generator

_SIDE = 64
_MAX_RMS = 0.1
"""Of a range of 2. Saving as JPEG at any usual quality and another size stay far below it, other faces far above."""


def latents_of_seed(generator: Generator, seed: int, truncation: float) -> Tensor:
    """`ws` float32 [num_ws, 512] on the generator's device: one `w` from the seed's `z` for all slots."""
    with torch.no_grad():
        w = generator.mapping(seeded_z(seed, generator.w_dim).to(generator.device), truncation)
        return generator.broadcast(w)[0].contiguous()


def is_picture_of(generator: Generator, ws: Tensor, picture: np.ndarray) -> bool:
    """Whether `picture` (uint8 [S, S, 3]) is what the generator makes of `ws` [num_ws, 512], scaling and the losses
    of a file format aside. Somebody may have put another picture under the name."""
    with torch.no_grad():
        made = F.interpolate(generator.synthesis(ws[None]).clamp(-1, 1), size=(_SIDE, _SIDE), mode="area")
    given = F.interpolate(from_rgb8(picture, len(picture)), size=(_SIDE, _SIDE), mode="area")
    error = made - given.to(made.device)
    return float(error.square().mean().sqrt()) <= _MAX_RMS
