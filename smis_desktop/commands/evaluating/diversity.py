"""How much styles change a picture, and how little its obedience."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from smis_desktop.commands.console import Console
from smis_desktop.commands.evaluating.methods import Method, judged
from smis_desktop.commands.layouts import GivenLayout
from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.fewshot.metrics import mean_iou
from smis_desktop.fewshot.perceptual import PerceptualDistance
from smis_desktop.gan.pixels import from_rgb8
from smis_desktop.style import Style
from smis_desktop.synthesis import PictureRequest, Synthesizer

STYLES = 8
_LAYOUTS = 8
"""At most. Of three, which three they were decided more than the styles did."""


def measured_diversity(
    method: Method,
    judge: Synthesizer,
    layouts: Sequence[GivenLayout],
    seed: int,
    variety: float,
    perceptual: PerceptualDistance,
    console: Console,
) -> dict[str, Any]:
    """`ratio`: the mean perceptual distance between the styles of a layout over that between as many of the generator's
    own pictures. `mixed_mean_iou`, `unmixed_mean_iou`: obedience with those styles, and with none."""
    palette = method.synthesizer.palette
    mixed = np.zeros((palette.num_classes, palette.num_classes + 1), np.int64)
    unmixed = mixed.copy()
    distances = []
    chosen = layouts[:_LAYOUTS]
    for number, layout in enumerate(chosen):
        console.progress(f"Comparing styles ({method.name})", number / len(chosen))
        pictures = []
        for style in range(STYLES):
            result = method.synthesizer.render(
                method.request(layout, Style.of_seed(seed + style, variety=variety), "draft")
            )
            pictures.append(result.picture)
            mixed += judged(judge, method, layout, result.ws)
        distances.append(_mean_distance(pictures, perceptual))
        alone = method.synthesizer.render(method.request(layout, Style.of_seed(seed, 0.0), "draft"))
        unmixed += judged(judge, method, layout, alone.ws)
    console.progress(f"Comparing styles ({method.name})", 1.0)
    own = _mean_distance(_random_pictures(method.synthesizer), perceptual)
    return {
        "ratio": round(float(np.mean(distances)) / own, 4),
        "styles": STYLES,
        "mixed_mean_iou": round(mean_iou(mixed), 4),
        "unmixed_mean_iou": round(mean_iou(unmixed), 4),
    }


def _random_pictures(synthesizer: Synthesizer) -> list[np.ndarray]:
    nothing = np.full((64, 64), 255, np.uint8)
    found = []
    for seed in range(STYLES):
        ws = latents_of_seed(synthesizer.generator, seed, 1.0).cpu().numpy()
        found.append(synthesizer.render(PictureRequest(nothing, Style(), 256, "draft", exact_ws=ws)).picture)
    return found


def _mean_distance(pictures: Sequence[np.ndarray], perceptual: PerceptualDistance) -> float:
    with torch.inference_mode():
        device = next(perceptual.parameters()).device if any(True for _ in perceptual.parameters()) else "cpu"
        features = [perceptual.features(from_rgb8(picture, 256).to(device)) for picture in pictures]
        pairs = [perceptual(a, b).sum().item() for a, b in itertools.combinations(features, 2)]
    return float(np.mean(pairs))
