"""`smis evaluate`: how well a personal model's pictures obey layouts, and how real they look."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import check_folder, make_folder, read_layouts
from smis_desktop.cli.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.cli.values import add_variety_argument, between, refinement, seed, whole
from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.workers.preview_thread import STEPS_AT_REST

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.document.palette import Palette
    from smis_desktop.inference.synthesizer import Synthesizer
    from smis_desktop.training.perceptual import PerceptualDistance


JUDGE = (
    "The judge is the model's own segmentation of its pictures: it shares the model's mistakes, and refinement "
    "optimises it directly, so these figures can be gamed. Compare with an independent judge before believing them."
)
OTHER_JUDGE = (
    "The judge is the segmentation of the model “{name}”: less partial than the model's own, as far as it has seen "
    "other shots, but no independent network either."
)
_FEW = 50
_FIRST_SAMPLE_SEED = 1_000_000
"""The generator's own pictures come from seeds that nobody renders styles with by accident."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`smis evaluate LAYOUTS_DIR --model M [--refine N|auto] [--plain FILE] [--judge FILE] [--out DIR] …`."""
    parser.add_argument("layouts", type=Path, metavar="LAYOUTS_DIR", help="a folder of layouts (index PNGs)")
    add_model_argument(parser)
    parser.add_argument(
        "--refine", type=refinement, metavar="N|auto",
        help="refinement steps of the refined pictures (default: auto); given, they are the ones the summary is of",
    )  # fmt: skip
    parser.add_argument(
        "--plain", type=Path, metavar="FILE",
        help="a model of the same shots by the paper's plain method (smis train --transfer vectors), to compare with",
    )  # fmt: skip
    parser.add_argument(
        "--judge", type=Path, metavar="FILE",
        help="another model of the same classes whose segmentation judges the pictures (default: the model's own)",
    )  # fmt: skip
    parser.add_argument("--limit", type=whole(1, 1_000_000), metavar="N", help="only the first N layouts, by name")
    parser.add_argument(
        "--seed", type=seed, default=0, help="style of the first layout; each next one takes the next (default: 0)"
    )
    parser.add_argument("--mix", type=between(0, 1), default=1.0, help="as in `smis render` (default: 1)")
    add_variety_argument(parser)
    parser.add_argument(
        "--kid-samples", type=whole(0, 100_000), default=100, metavar="N",
        help="pictures of the generator's own to compare with; 0 leaves KID and diversity out (default: 100)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write the figures, a plot and contact sheets there (default: nothing)"
    )


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Render every layout by every method, and tell the figures side by side."""
    if not arguments.layouts.is_dir():
        raise UserError(f"{arguments.layouts} is not a folder; give a folder of layouts.")
    out: Path | None = arguments.out
    if out is not None:
        check_folder(out)
    model = open_model(arguments.model)
    layouts = read_layouts([arguments.layouts], model, console)[: arguments.limit]
    synthesizer = open_synthesizer(model, console)
    judge = _judge(arguments.judge, synthesizer)
    plain = _plain(arguments.plain, synthesizer)
    with_kid = arguments.kid_samples >= 2
    perceptual = open_perceptual(console) if with_kid else None

    from smis_desktop.evaluation import methods as contact_sheets
    from smis_desktop.evaluation.methods import Method, measured_diversity, rendered

    steps = STEPS_AT_REST if arguments.refine is None else arguments.refine
    methods = [Method("encoder", synthesizer, 0)]
    if steps:
        methods.append(Method("refined", synthesizer, steps))
    if plain is not None:
        methods.append(Method("plain", plain, 0))
    own = _own_features(synthesizer, perceptual, arguments.kid_samples, console) if perceptual else None
    entries: list[dict[str, Any]] = []
    pictures = {}
    for method in methods:
        found = rendered(method, judge, layouts, arguments.seed, arguments.mix, arguments.variety, perceptual, console)
        entry = {"method": method.name, "refine": method.refine_steps, **_obedience(found.matrix, model.palette)}
        entry["kid"] = None
        if own is not None and len(layouts) >= 2:
            entry["kid"] = _kid(found.features, own)
        entry["diversity"] = None
        if perceptual is not None:
            entry["diversity"] = measured_diversity(
                method, judge, layouts, arguments.seed, arguments.variety, perceptual, console
            )
        entries.append(entry)
        pictures[method.name] = found.pictures
    if own is not None and min(len(layouts), arguments.kid_samples) < _FEW:
        console.warn(f"KID of fewer than {_FEW} pictures is little more than chance.")
    told = entries[1] if arguments.refine else entries[0]
    facts = {
        "model": model.name,
        "generator": model.generator_name,
        "layouts": len(layouts),
        "mix": arguments.mix,
        "variety": arguments.variety,
        "seed": arguments.seed,
        **{key: told[key] for key in ("refine", "pixel_accuracy", "mean_iou", "classes", "kid", "diversity")},
        "methods": entries,
        "judge": JUDGE if judge is synthesizer else OTHER_JUDGE.format(name=judge.model.name),
    }
    if out is not None:
        make_folder(out)
        contact_sheets.write(out, synthesizer, layouts, pictures, steps, arguments.seed)
        write_bytes(out / "evaluation.svg", _plot(facts).encode())
        write_bytes(out / "evaluation.json", json.dumps(facts, indent=1).encode())
        facts["folder"] = str(out)
    return Answer(facts, _table(facts))


def _judge(path: Path | None, synthesizer: Synthesizer) -> Synthesizer:
    if path is None:
        return synthesizer
    other = open_model(path)
    if not set(synthesizer.palette.class_ids) <= set(other.palette.class_ids):
        raise UserError(f"{path} does not know all classes of the model and cannot judge it; choose another judge.")
    return type(synthesizer)(synthesizer.generator, other, synthesizer.backend)


def _plain(path: Path | None, synthesizer: Synthesizer) -> Synthesizer | None:
    if path is None:
        return None
    model = open_model(path)
    if model.probe is not None:
        raise UserError(
            f"{path} was not trained by the paper's plain method; train one with smis train --transfer vectors."
        )
    return type(synthesizer)(synthesizer.generator, model, synthesizer.backend)


def _own_features(synthesizer: Synthesizer, perceptual: PerceptualDistance, count: int, console: Console) -> Tensor:
    """Features of the generator's own pictures, as KID compares them."""
    import torch

    from smis_desktop.document.style import Style
    from smis_desktop.evaluation.metrics import picture_features
    from smis_desktop.generators.generator import from_rgb8, latents_of_seed
    from smis_desktop.inference.synthesizer import PictureRequest

    generator, own = synthesizer.generator, []
    nothing = np.full((64, 64), 255, np.uint8)
    words = f"Making {count} pictures of the generator's own to compare with"
    for number in range(count):
        console.progress(words, number / count)
        ws = latents_of_seed(generator, _FIRST_SAMPLE_SEED + number, 1.0).cpu().numpy()
        with torch.inference_mode():
            pixels = synthesizer.render(PictureRequest(nothing, Style(), 256, exact_ws=ws)).picture
            own.append(picture_features(perceptual, from_rgb8(pixels, 256).to(generator.device)))
    console.progress(words, 1.0)
    return torch.cat(own)


def _kid(features: list[Tensor], own: Tensor) -> dict[str, Any]:
    """KID × 1000 between the rendered pictures and the generator's own, and what it was measured on."""
    import torch

    from smis_desktop.evaluation.metrics import KID_FEATURES, kid

    return {
        "times_1000": round(1000 * kid(torch.cat(features), own), 4),
        "rendered": len(features),
        "own": len(own),
        "features": KID_FEATURES,
    }


def _obedience(matrix: np.ndarray, palette: Palette) -> dict[str, Any]:
    from smis_desktop.evaluation.metrics import class_iou, mean_iou, pixel_accuracy

    def number(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    classes = [
        {"id": c.class_id, "name": c.name, "iou": number(iou), "cells": int(row.sum())}
        for c, iou, row in zip(palette.classes, class_iou(matrix), matrix, strict=True)
    ]
    return {"pixel_accuracy": number(pixel_accuracy(matrix)), "mean_iou": number(mean_iou(matrix)), "classes": classes}


def _plot(facts: dict[str, Any]) -> str:
    from smis_desktop.evaluation.charts import bar_chart

    entries = facts["methods"]
    groups = {
        "mean IoU": [entry["mean_iou"] for entry in entries],
        "pixel accuracy": [entry["pixel_accuracy"] for entry in entries],
    }
    if any(entry["kid"] for entry in entries):
        groups["KID × 1000"] = [entry["kid"] and entry["kid"]["times_1000"] for entry in entries]
    if any(entry["diversity"] for entry in entries):
        groups["diversity"] = [entry["diversity"] and entry["diversity"]["ratio"] for entry in entries]
    title = f"{facts['model']}: {counted(facts['layouts'], 'layout', 'layouts')}"
    return bar_chart(title, groups, [entry["method"] for entry in entries])


def _table(facts: dict[str, Any]) -> str:
    entries = facts["methods"]
    width = max(len(c["name"]) for c in facts["classes"])
    columns = "".join(f"{entry['method']:>10}" for entry in entries)
    by_class = zip(*(entry["classes"] for entry in entries), strict=True)
    steps = max(entry["refine"] for entry in entries)

    def row(name: str, values: list[str]) -> str:
        return f"{name:<{width + 5}}" + "".join(f"{value:>10}" for value in values)

    diversity = [entry["diversity"] for entry in entries]
    kid = [entry["kid"] for entry in entries]
    lines = [
        f"{facts['model']}, {facts['layouts']} layouts; refined by {counted(steps, 'step', 'steps')}",
        f"{'id':>3}  {'IoU at 64²':<{width}}{columns}",
        *(
            f"{c[0]['id']:>3}  {c[0]['name']:<{width}}" + "".join(f"{_figure(e['iou']):>10}" for e in c)
            for c in by_class
        ),
        row("mean IoU", [_figure(entry["mean_iou"]) for entry in entries]),
        row("pixel accuracy", [_figure(entry["pixel_accuracy"]) for entry in entries]),
    ]
    if any(kid):
        lines.append(row("KID × 1000", ["–" if k is None else f"{k['times_1000']:.2f}" for k in kid]))
        first = next(k for k in kid if k)
        lines.append(
            f"  ({first['rendered']} pictures against {first['own']} of the generator's own; "
            f"features: {first['features']})"
        )
    else:
        lines.append("KID: not measured")
    if any(diversity):
        lines.append(row("diversity", [_figure(d and d["ratio"]) for d in diversity]))
        lines.append(
            row(
                "  mIoU mixed - unmixed",
                [_figure(d and d["mixed_mean_iou"] - d["unmixed_mean_iou"]) for d in diversity],
            )
        )
        lines.append(row("  mIoU without", [_figure(d and d["unmixed_mean_iou"]) for d in diversity]))
        first = next(d for d in diversity if d)
        lines.append(
            f"  (mean distance between {first['styles']} styles of a layout, in that of as many random pictures)"
        )
    if not any(entry["method"] == "plain" for entry in entries):
        lines.append("For the paper's plain method beside it: smis train --transfer vectors, then --plain FILE.")
    return "\n".join([*lines, facts["judge"]])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


COMMAND = Command(
    "evaluate",
    "measure how well a personal model obeys layouts, and how real its pictures look",
    order=90,
    add_arguments=add_arguments,
    run=run,
)
