"""How near a backend's pictures come to torch's full one, which quick ones stand in for."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.gan.pictures import Pictures
from smis_desktop.gan.protocol import Generator

_FIRST_SEED = 10_000
"""Seeds that no head was fitted on."""


def picture_psnr(
    generator: Generator, pictures: Pictures, count: int, told: Callable[[float], None]
) -> dict[str, dict[str, float]]:
    """{side: {"mean", "worst"}} in dB, over `count` random pictures at truncation 0.7, against the full ones in float32
    by torch, averaged to that side; for all of the generator's `draft_sizes`."""
    found: dict[int, list[float]] = {side: [] for side in generator.draft_sizes}
    with torch.inference_mode():
        for number in range(count):
            ws = latents_of_seed(generator, _FIRST_SEED + number, 0.7)[None]
            structure = pictures.structure(ws)
            full = generator.synthesis(ws).clamp(-1, 1)
            for side, values in found.items():
                picture = pictures.finish(structure, ws, side, None).clamp(-1, 1)
                error = (picture - F.interpolate(full, size=(side, side), mode="area")).square().mean().item()
                values.append(10 * math.log10(4 / max(error, 1e-10)))
            told((number + 1) / count)
    return {
        str(side): {"mean": round(sum(values) / len(values), 2), "worst": round(min(values), 2)}
        for side, values in found.items()
    }
