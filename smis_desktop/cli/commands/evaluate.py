"""`smis evaluate`: how well a personal model's pictures follow layouts, and how real they look."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
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
    from smis_desktop.evaluation.judges import Judge, LandmarkJudge
    from smis_desktop.inference.synthesizer import Synthesizer
    from smis_desktop.personal_model.model import PersonalModel

_FEW = 50
_NAME_WIDTH = 26


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
        "--judge", action="append", metavar="own|pixels|landmarks|FILE",
        help="who judges the pictures (may be given several times): the model's own segmentation (default); for faces, "
        "a network that reads finished pixels, or landmarks of eyes, brows and mouths; another model of the same "
        "classes",
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
    judges, landmarks = _open_judges(arguments.judge or ["own"], synthesizer, console)
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
    evaluation = Evaluation(named, judges, landmarks, seed, mix, variety, perceptual, console.progress)
    results = {method.name: evaluation.measure(method, features) for method in methods}
    if features is not None and min(len(layouts), arguments.kid_samples) < _FEW:
        console.warn(f"KID of fewer than {_FEW} pictures is little more than chance.")
    facts = _facts(arguments, model, [figures for figures, _ in results.values()])
    facts["layouts"] = len(layouts)
    facts["judge"] = judges[0].words
    facts["judges"] = {judge.name: judge.words for judge in judges}
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


def _open_judges(
    names: Sequence[str], synthesizer: Synthesizer, console: Console
) -> tuple[list[Judge], LandmarkJudge | None]:
    """Open the judges that are asked for. Landmarks tell no classes apart: where they are all, the model judges too."""
    from smis_desktop.evaluation.face_landmarks import open_face_landmarks
    from smis_desktop.evaluation.face_reader import open_face_reader
    from smis_desktop.evaluation.judges import LandmarkJudge, ModelJudge, PixelJudge, face_table

    judges: list[Judge] = []
    landmarks = None
    for name in dict.fromkeys(names):
        if name == "landmarks":
            face_table(synthesizer.palette, name)  # before anything is fetched
            landmarks = LandmarkJudge(open_face_landmarks(console.progress), synthesizer.palette)
        elif name == "pixels":
            judges.append(PixelJudge(open_face_reader(), synthesizer.palette))
        else:
            judging = synthesizer if name == "own" else _open_other(Path(name), synthesizer)
            judges.append(ModelJudge(synthesizer, judging))
    return judges or [ModelJudge(synthesizer, synthesizer)], landmarks


def _open_other(path: Path, synthesizer: Synthesizer) -> Synthesizer:
    """Open another model whose segmentation judges the pictures."""
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
    steps = max(entry["refine"] for entry in entries)
    lines = [f"{facts['model']}, {facts['layouts']} layouts; refined by {counted(steps, 'step', 'steps')}"]
    for number, words in enumerate(facts["judges"].values()):
        judged = [entry["judges"][number] for entry in entries]
        lines += _judged_lines(f"IoU by {judged[0]['judge']}", [entry["method"] for entry in entries], judged)
        if judged[0]["merged"] is not None:
            lines += _judged_lines("  merged", None, [entry["merged"] for entry in judged])
        lines.append(words)
    lines += _landmark_lines(entries)
    lines += _realism_lines(entries)
    if not any(entry["method"] == "plain" for entry in entries):
        lines.append("To compare with the paper's plain method: smis train --transfer vectors, then --plain FILE.")
    return "\n".join(lines)


def _row(name: str, values: Sequence[str]) -> str:
    return f"{name:<{_NAME_WIDTH}}" + "".join(f"{value:>10}" for value in values)


def _judged_lines(head: str, methods: Sequence[str] | None, judged: Sequence[dict[str, Any]]) -> list[str]:
    """Return the IoU of each class, their mean and the pixel accuracy, by one judge; a column a method."""
    by_class = zip(*(entry["classes"] for entry in judged), strict=True)
    return [
        _row(head, methods or []),
        *(_row(f"{c[0]['id']:>3}  {c[0]['name']}", [_figure(e["iou"]) for e in c]) for c in by_class),
        _row("mean IoU", [_figure(entry["mean_iou"]) for entry in judged]),
        _row("pixel accuracy", [_figure(entry["pixel_accuracy"]) for entry in judged]),
    ]


def _landmark_lines(entries: Sequence[dict[str, Any]]) -> list[str]:
    found = [entry["landmarks"] for entry in entries]
    if found[0] is None:
        return []
    from smis_desktop.evaluation.judges import LANDMARKS

    lines = [_row("landmarks", [entry["method"] for entry in entries])]
    for part in found[0]:
        lines += [_row(f"  {part}, {key}", [_figure(of[part][key]) for of in found]) for key in ("iou", "offset")]
    return [*lines, LANDMARKS]


def _realism_lines(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return KID and the diversity of styles."""
    diversity = [entry["diversity"] for entry in entries]
    kid = [entry["kid"] for entry in entries]
    lines = ["KID: not measured"]
    if any(kid):
        first = next(k for k in kid if k)
        lines = [
            _row("KID × 1000", ["–" if k is None else f"{k['times_1000']:.2f}" for k in kid]),
            f"  ({first['rendered']} pictures against {first['own']} of the generator's own; "
            f"features: {first['features']})",
        ]
    if any(diversity):
        cost = [_figure(d and d["mixed_mean_iou"] - d["unmixed_mean_iou"]) for d in diversity]
        lines += [
            _row("diversity", [_figure(d and d["ratio"]) for d in diversity]),
            _row("  mIoU mixed - unmixed", cost),
            _row("  mIoU without", [_figure(d and d["unmixed_mean_iou"]) for d in diversity]),
        ]
        first = next(d for d in diversity if d)
        lines.append(
            f"  (mean distance between {first['styles']} styles of a layout, in that of as many random pictures)"
        )
    return lines


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


COMMAND = Command(
    "evaluate",
    "measure how well a personal model follows layouts, and how real its pictures look",
    order=90,
    add_arguments=add_arguments,
    run=run,
)
