"""`smis evaluate`: how well a personal model's pictures obey layouts, and how real they look."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.commands.console import Answer, Console, counted
from smis_desktop.commands.layouts import GivenLayout, read_layouts
from smis_desktop.commands.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.commands.values import between, refinement, seed, whole
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.fewshot.perceptual import PerceptualDistance
    from smis_desktop.gan.protocol import Generator
    from smis_desktop.labels.palette import Palette
    from smis_desktop.synthesis import Quality, Synthesizer

HELP = "measure how well a personal model obeys layouts, and how real its pictures look"

JUDGE = (
    "The judge is the model's own segmentation of its pictures: it shares the model's mistakes, and refinement "
    "optimises it directly, so these figures can be gamed. Compare with an independent judge before believing them."
)
_FEW = 50
_FIRST_SAMPLE_SEED = 1_000_000
"""The generator's own pictures come from seeds that nobody renders styles with by accident."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`smis evaluate LAYOUTS_DIR --model M [--refine N|auto] [--limit N] [--seed S] [--mix 0..1] [--kid-samples N]`."""
    parser.add_argument("layouts", type=Path, metavar="LAYOUTS_DIR", help="a folder of layouts (index PNGs)")
    add_model_argument(parser)
    parser.add_argument(
        "--refine", type=refinement, default=0, metavar="N|auto", help="refinement steps a picture (default: 0)"
    )
    parser.add_argument("--limit", type=whole(1, 1_000_000), metavar="N", help="only the first N layouts, by name")
    parser.add_argument(
        "--seed", type=seed, default=0, help="style of the first layout; each next one takes the next (default: 0)"
    )
    parser.add_argument("--mix", type=between(0, 1), default=1.0, help="as in `smis render` (default: 1)")
    parser.add_argument(
        "--kid-samples", type=whole(0, 100_000), default=100, metavar="N",
        help="pictures of the generator's own to compare with; 0 leaves KID out (default: 100)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Render every layout, without writing a picture, and tell the figures."""
    if not arguments.layouts.is_dir():
        raise UserError(f"{arguments.layouts} is not a folder; give a folder of layouts.")
    model = open_model(arguments.model)
    layouts = read_layouts([arguments.layouts], model, console)[: arguments.limit]
    with_kid = arguments.kid_samples >= 2 and len(layouts) >= 2
    perceptual = open_perceptual(console) if with_kid else None
    synthesizer = open_synthesizer(model, console)
    matrix, features = _render_all(arguments, synthesizer, perceptual, layouts, console)
    kid = None
    if perceptual is not None:
        kid = _kid(synthesizer.generator, perceptual, features, arguments.kid_samples, console)
        if min(len(layouts), arguments.kid_samples) < _FEW:
            console.warn(f"KID of fewer than {_FEW} pictures is little more than chance.")
    facts = {
        "model": model.name,
        "generator": model.generator_name,
        "layouts": len(layouts),
        "refine": arguments.refine,
        "mix": arguments.mix,
        "seed": arguments.seed,
        **_obedience(matrix, model.palette),
        "kid": kid,
        "judge": JUDGE,
    }
    return Answer(facts, _table(facts))


def _render_all(
    arguments: argparse.Namespace,
    synthesizer: Synthesizer,
    perceptual: PerceptualDistance | None,
    layouts: list[GivenLayout],
    console: Console,
) -> tuple[np.ndarray, list[Tensor]]:
    """The confusion matrix of all layouts, and each picture's features for KID (none without `perceptual`)."""
    import torch

    from smis_desktop.fewshot.metrics import confusion_matrix, picture_features
    from smis_desktop.fewshot.personal_model import layout_channels
    from smis_desktop.gan.pixels import from_rgb8
    from smis_desktop.labels.index_png import EMPTY
    from smis_desktop.synthesis import PictureRequest

    model, generator = synthesizer.model, synthesizer.generator
    matrix = np.zeros((model.palette.num_classes, model.palette.num_classes + 1), np.int64)
    ids = np.array([*model.palette.class_ids, EMPTY], np.uint8)  # by channel; -1 (not said) reads the last entry
    features: list[Tensor] = []
    words = f"Rendering {counted(len(layouts), 'layout', 'layouts')}"
    for done, layout in enumerate(layouts):
        console.progress(words, done / len(layouts))
        quality: Quality = "draft" if perceptual is None else "full"  # the picture itself matters to KID alone
        request = PictureRequest(
            layout.label_map, arguments.seed + done, arguments.mix, 256, quality, refine_steps=arguments.refine
        )
        result = synthesizer.render(request)
        found = synthesizer.segment(result.ws)
        wanted = layout_channels(layout.label_map, model.palette, model.label_kind, len(found)).numpy()
        matrix += confusion_matrix(ids[wanted], found, model.palette)
        if perceptual is not None:
            with torch.inference_mode():
                picture = from_rgb8(result.picture, 256).to(generator.device)
                features.append(picture_features(perceptual, picture))
    console.progress(words, 1.0)
    return matrix, features


def _kid(
    generator: Generator, perceptual: PerceptualDistance, features: list[Tensor], count: int, console: Console
) -> dict[str, Any]:
    """KID × 1000 between the rendered pictures and `count` of the generator's own, and what it was measured on."""
    import torch

    from smis_desktop.fewshot.known_latents import latents_of_seed
    from smis_desktop.fewshot.metrics import KID_FEATURES, kid, picture_features
    from smis_desktop.gan.pixels import from_rgb8
    from smis_desktop.synthesis import render_ws

    own = []
    words = f"Making {count} pictures of the generator's own to compare with"
    for number in range(count):
        console.progress(words, number / count)
        ws = latents_of_seed(generator, _FIRST_SAMPLE_SEED + number, 1.0)
        with torch.inference_mode():
            pixels = render_ws(generator, ws[None], 256)  # rounded to 8 bits like the others
            own.append(picture_features(perceptual, from_rgb8(pixels, 256).to(generator.device)))
    console.progress(words, 1.0)
    return {
        "times_1000": round(1000 * kid(torch.cat(features), torch.cat(own)), 4),
        "rendered": len(features),
        "own": count,
        "features": KID_FEATURES,
    }


def _obedience(matrix: np.ndarray, palette: Palette) -> dict[str, Any]:
    from smis_desktop.fewshot.metrics import class_iou, mean_iou, pixel_accuracy

    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    classes = [
        {"id": c.class_id, "name": c.name, "iou": number(iou), "cells": int(row.sum())}
        for c, iou, row in zip(palette.classes, class_iou(matrix), matrix, strict=True)
    ]
    return {"pixel_accuracy": number(pixel_accuracy(matrix)), "mean_iou": number(mean_iou(matrix)), "classes": classes}


def _table(facts: dict[str, Any]) -> str:
    width = max(len(c["name"]) for c in facts["classes"])
    lines = [f"{c['id']:>3}  {c['name']:<{width}}  {_figure(c['iou'])}" for c in facts["classes"]]
    kid = facts["kid"]
    return "\n".join(
        [
            f"{facts['model']}, {facts['layouts']} layouts, {facts['refine']} refinement steps",
            f"{'id':>3}  {'class':<{width}}  IoU at 64²",
            *lines,
            f"mean IoU (classes that the layouts hold): {_figure(facts['mean_iou'])}",
            f"pixel accuracy: {_figure(facts['pixel_accuracy'])}",
            "KID: not measured"
            if kid is None
            else f"KID × 1000: {kid['times_1000']:.2f} ({kid['rendered']} pictures against {kid['own']} of the "
            f"generator's own; features: {kid['features']})",
            facts["judge"],
        ]
    )


def _figure(value: float | None) -> str:
    return "    –" if value is None else f"{value:.3f}"
