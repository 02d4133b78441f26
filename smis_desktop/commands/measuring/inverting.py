"""How long an inversion takes, and how well it finds a picture again whose latents are known."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from smis_desktop.commands.measuring.timing import figures
from smis_desktop.fewshot.inversion import Inversion, InversionSettings
from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.fewshot.perceptual import PerceptualDistance
from smis_desktop.gan.protocol import Generator
from smis_desktop.synthesis import DRAFT_SIZE, render_ws

_SEEDS = (1, 2, 3)


def inversion_figures(
    generator: Generator,
    perceptual: PerceptualDistance,
    settings: InversionSettings,
    told: Callable[[float], None],
) -> dict[str, Any]:
    """`step` (ms), and for each of three generated faces: seconds, psnr (dB), perceptual, latent_distance."""
    faces: list[dict[str, float]] = []
    steps: list[float] = []
    for number, seed in enumerate(_SEEDS):
        with torch.inference_mode():
            photo = render_ws(generator, latents_of_seed(generator, seed, 0.7)[None], DRAFT_SIZE)
        inversion = Inversion(generator, perceptual, photo, settings)
        began = time.perf_counter()
        while not inversion.done:
            started = time.perf_counter()
            progress = inversion.step()
            steps.append(1000 * (time.perf_counter() - started))
            told((number + progress.step / progress.steps) / len(_SEEDS))
        seconds = time.perf_counter() - began
        result = inversion.result()
        faces.append(
            {
                "seed": seed,
                "seconds": round(seconds, 2),
                "psnr": round(result.psnr, 2),
                "perceptual": round(result.perceptual, 4),
                "latent_distance": round(result.latent_distance, 3),
            }
        )
    return {"steps": settings.steps, "step": figures(steps), "faces": faces}
