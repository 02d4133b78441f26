"""`smis evaluate`: how well a personal model's pictures follow layouts, and how real they look."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import check_folder, make_folder, read_layouts
from smis_desktop.cli.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.cli.values import add_variety_argument, between, refinement, seed, whole
from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.workers.preview_thread import STEPS_AT_REST

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import Synthesizer
    from smis_desktop.personal_model.model import PersonalModel

JUDGE = (
    "The judge is the model's own segmentation of its pictures: it shares the model's mistakes, and refinement "
    "optimises it directly, so these figures can be gamed. Compare with an independent judge before believing them."
)
OTHER_JUDGE = (
    "The judge is the segmentation of the model “{name}”: less partial than the model's own, as far as it has seen "
    "other shots, but no independent network either."
)
_FEW = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis evaluate LAYOUTS_DIR --model M [--refine N|auto] [--plain FILE] [--out DIR] …`."""
    parser.add_argument("layouts", type=Path, metavar="LAYOUTS_DIR", help="a folder of layouts (index PNGs)")
    add_model_argument(parser)
    parser.add_argument(
        "--refine", type=refinement, metavar="N|auto",
        help="refinement steps of the refined pictures (default: auto); if given, the summary is of these pictures",
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
    """Render every layout by every method, and print the figures side by side."""
    if not arguments.layouts.is_dir():
        raise UserError(f"{arguments.layouts} is not a folder; give a folder of layouts.")
    out: Path | None = arguments.out
    if out is not None:
        check_folder(out)
    model = open_model(arguments.model)
    layouts = read_layouts([arguments.layouts], model, console)[: arguments.limit]
    synthesizer = open_synthesizer(model, console)
    judge = _open_judge(arguments.judge, synthesizer)
    plain = _open_plain(arguments.plain, synthesizer)
    perceptual = open_perceptual(console) if arguments.kid_samples >= 2 else None

    from smis_desktop.evaluation.methods import (
        Evaluation,
        Method,
        NamedLayout,
        generator_features,
        write_contact_sheets,
    )

    refine_steps = STEPS_AT_REST if arguments.refine is None else arguments.refine
    methods = [Method("encoder", synthesizer, 0)]
    if refine_steps:
        methods.append(Method("refined", synthesizer, refine_steps))
    if plain is not None:
        methods.append(Method("plain", plain, 0))
    features = None
    if perceptual is not None:
        features = generator_features(synthesizer, perceptual, arguments.kid_samples, console.progress)
    named = [NamedLayout(layout.path.stem, layout.label_map) for layout in layouts]
    seed, mix, variety = arguments.seed, arguments.mix, arguments.variety
    evaluation = Evaluation(named, judge, seed, mix, variety, perceptual, console.progress)
    results = {method.name: evaluation.measure(method, features) for method in methods}
    if features is not None and min(len(layouts), arguments.kid_samples) < _FEW:
        console.warn(f"KID of fewer than {_FEW} pictures is little more than chance.")
    facts = _facts(arguments, model, [figures for figures, _ in results.values()])
    facts["layouts"] = len(layouts)
    facts["judge"] = JUDGE if judge is synthesizer else OTHER_JUDGE.format(name=judge.model.name)
    if out is not None:
        make_folder(out)
        pictures = {name: of_method for name, (_, of_method) in results.items()}
        write_contact_sheets(out, synthesizer, named, pictures, refine_steps, seed)
        write_bytes(out / "evaluation.svg", _plot(facts).encode())
        write_bytes(out / "evaluation.json", json.dumps(facts, indent=1).encode())
        facts["folder"] = str(out)
    return Answer(facts, _table(facts))


def _facts(arguments: argparse.Namespace, model: PersonalModel, methods: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures for `--json`. The summary is of the refined pictures if `--refine` asks for them."""
    summary = methods[1] if arguments.refine else methods[0]
    return {
        "model": model.name,
        "generator": model.generator_name,
        "layouts": 0,
        "mix": arguments.mix,
        "variety": arguments.variety,
        "seed": arguments.seed,
        **{key: summary[key] for key in ("refine", "pixel_accuracy", "mean_iou", "classes", "kid", "diversity")},
        "methods": methods,
    }


def _open_judge(path: Path | None, synthesizer: Synthesizer) -> Synthesizer:
    """Open the model whose segmentation judges the pictures; without a path, it is the evaluated model itself."""
    if path is None:
        return synthesizer
    other = open_model(path)
    if not set(synthesizer.palette.class_ids) <= set(other.palette.class_ids):
        raise UserError(f"{path} does not know all classes of the model and cannot judge it; choose another judge.")
    return type(synthesizer)(synthesizer.generator, other, synthesizer.backend)


def _open_plain(path: Path | None, synthesizer: Synthesizer) -> Synthesizer | None:
    """Open the model that was trained by the paper's plain method."""
    if path is None:
        return None
    model = open_model(path)
    if model.probe is not None:
        raise UserError(
            f"{path} was not trained by the paper's plain method; train one with smis train --transfer vectors."
        )
    return type(synthesizer)(synthesizer.generator, model, synthesizer.backend)


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
        lines.append("To compare with the paper's plain method: smis train --transfer vectors, then --plain FILE.")
    return "\n".join([*lines, facts["judge"]])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


COMMAND = Command(
    "evaluate",
    "measure how well a personal model follows layouts, and how real its pictures look",
    order=90,
    add_arguments=add_arguments,
    run=run,
)
