"""`smis ground-truth`: the method measured on landscapes whose classes are known exactly."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import check_file
from smis_desktop.cli.values import whole

GENERATOR = "landscapes"
_TRANSFERS = {"vectors": "representative vectors (the paper)", "probe": "probe"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis ground-truth [--out FILE] [--pictures N] [--layouts N] [--samples N] …`."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there, as Markdown")
    parser.add_argument(
        "--pictures", type=whole(1, 100_000), default=40, metavar="N", help="to judge label transfer on (default: 40)"
    )
    parser.add_argument(
        "--layouts", type=whole(1, 100_000), default=24, metavar="N",
        help="to judge layout fidelity on (default: 24)",
    )  # fmt: skip
    parser.add_argument(
        "--samples", type=whole(1, 10_000_000), default=640, metavar="N",
        help="pseudo-labelled samples that the encoders learn from (default: 640)",
    )  # fmt: skip
    parser.add_argument(
        "--obedience-steps", type=whole(0, 100_000), default=40, metavar="N",
        help="training steps with the layout consistency loss (default: 40)",
    )  # fmt: skip
    parser.add_argument(
        "--lessons", type=whole(16, 100_000), default=800, metavar="N",
        help="renderings that the judge of pictures learns from (default: 800)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Measure, print the tables, and write them to --out."""
    if arguments.out is not None:
        check_file(arguments.out)

    from smis_desktop.cli.opening import open_generator
    from smis_desktop.evaluation.ground_truth import NUM_SHOTS, Extent, measure_ground_truth
    from smis_desktop.evaluation.timing import machine
    from smis_desktop.storage.atomic import write_bytes

    started = time.monotonic()
    generator = open_generator(GENERATOR, console)
    a = arguments
    extent = Extent(a.pictures, a.layouts, a.samples, a.obedience_steps, a.lessons)
    facts: dict[str, Any] = {
        "generator": generator.name,
        "weights_sha256": generator.weights_sha256,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "pictures": a.pictures,
        "layouts": a.layouts,
        "samples": a.samples,
        "obedience_shots": NUM_SHOTS,
        "obedience_steps": a.obedience_steps,
        **measure_ground_truth(generator, extent, console.progress),
    }
    facts["seconds"] = round(time.monotonic() - started, 1)
    text = _page(facts)
    if arguments.out is not None:
        write_bytes(arguments.out, text.encode())
        facts["out"] = str(arguments.out)
    return Answer(facts, text)


def _page(facts: Mapping[str, Any]) -> str:
    """Return the figures as a page of Markdown."""
    machine = facts["machine"]
    introduction = [
        "# Ground truth",
        f"Made by `smis ground-truth` on {facts['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}; {facts['seconds'] / 60:.1f} minutes. Generator "
        f"`{facts['generator']}`, weights `{facts['weights_sha256'][:12]}…`.",
        "The pictures of this generator are landscapes whose classes its renderer knows exactly "
        "([how it is made](landscapes.md)). Nine classes: sky, clouds, sun, mountains, forest, water, meadow, road, "
        "house. Shots and test pictures have different seeds.",
    ]
    sections = [*introduction, *_generator_section(facts), *_transfer_sections(facts), *_fidelity_section(facts)]
    return "\n\n".join(sections) + "\n"


def _generator_section(facts: Mapping[str, Any]) -> list[str]:
    judged = (
        ("judge of pictures, on renderings", facts["judge_on_renderings"]),
        ("the same judge, on the generator's pictures of the same scenes", facts["judge_on_own_pictures"]),
    )
    return [
        "## How far the generator's pictures show what their latents say",
        _table(("", "mIoU", "pixel accuracy"), [(words, *_scores(figures)) for words, figures in judged]),
        f"The generator's pictures reach {facts['likeness_db']:.1f} dB against the renderer's. The difference between "
        "the two lines is the generator's error, or unfamiliar to the judge, which was trained on renderings alone.",
    ]


def _transfer_sections(facts: Mapping[str, Any]) -> list[str]:
    dense, sparse = facts["dense"], facts["sparse"]
    return [
        "## Label transfer, dense labels",
        f"At the resolution of the feature maps, {facts['pictures']} pictures, mean over draws of shots; a class that "
        "no shot holds counts as 0.",
        _table(
            ("label transfer", "shots", "mIoU", "pixel accuracy"),
            [(_TRANSFERS[row["transfer"]], str(row["shots"]), *_scores(row)) for row in dense],
        ),
        "IoU by class:",
        _table(
            ("label transfer", "shots", *dense[0]["classes"]),
            [(row["transfer"], str(row["shots"]), *map(_share, row["classes"].values())) for row in dense],
        ),
        "## Label transfer, sparse labels",
        "One stroke of at most ten cells for each class. Claimed: the fraction of all cells that get a class. "
        "Accuracy: the fraction of those that is right; by class: the mean over the classes that any cell got.",
        _table(
            ("shots", "k", "t", "claimed", "accuracy", "by class", "classes claimed"),
            [
                (
                    str(row["shots"]), str(row["top_k"]), f"{row['threshold']:.1f}", f"{100 * row['claimed']:.2f} %",
                    _share(row["accuracy"]), _share(row["class_accuracy"]), str(row["classes_claimed"]),
                )
                for row in sparse
            ],
        ),
    ]  # fmt: skip


def _fidelity_section(facts: Mapping[str, Any]) -> list[str]:
    return [
        "## Layout fidelity",
        f"Encoders from {facts['obedience_shots']} shots and {facts['samples']:,} pseudo-labelled samples (with a "
        f"probe, then {facts['obedience_steps']} steps with the layout consistency loss), on {facts['layouts']} "
        "layouts that the renderer made, seen by the judge of pictures.",
        _table(
            ("labels by", "picture", "mIoU", "pixel accuracy"),
            [(_TRANSFERS[row["transfer"]], row["method"], *_scores(row)) for row in facts["obedience"]],
        ),
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _scores(figures: Mapping[str, Any]) -> tuple[str, str]:
    return _share(figures["mean_iou"]), _share(figures["pixel_accuracy"])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


COMMAND = Command(
    "ground-truth",
    "measure label transfer and layout fidelity against landscapes whose classes are known exactly",
    order=110,
    add_arguments=add_arguments,
    run=run,
)
