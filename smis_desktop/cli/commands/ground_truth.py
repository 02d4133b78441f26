"""`smis ground-truth`: the method measured against landscapes whose classes are known exactly."""

from __future__ import annotations

import argparse
import datetime
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import check_file
from smis_desktop.cli.values import whole

if TYPE_CHECKING:
    from smis_desktop.personal_model.label_transfer import TransferKind


GENERATOR = "landscapes"
FEW = 5
RULES: tuple[TransferKind, ...] = ("vectors", "probe")
_DRAWS = 3
_JUDGED_FROM, _CEILING_FROM = 20_000, 30_000
"""Seeds of the pictures that are judged, and of those that the ceiling is learned from; shots are seeds from 0 on."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`smis ground-truth [--out FILE] [--pictures N] [--layouts N] [--samples N] …`."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there, as Markdown")
    parser.add_argument(
        "--pictures", type=whole(1, 100_000), default=40, metavar="N", help="to judge label transfer on (default: 40)"
    )
    parser.add_argument(
        "--layouts", type=whole(1, 100_000), default=24, metavar="N", help="to judge obedience on (default: 24)"
    )
    parser.add_argument(
        "--samples", type=whole(1, 10_000_000), default=640, metavar="N",
        help="pseudo-labelled samples that the encoders learn from (default: 640)",
    )  # fmt: skip
    parser.add_argument(
        "--obedience-steps", type=whole(0, 100_000), default=40, metavar="N",
        help="steps of the training for obedience (default: 40)",
    )  # fmt: skip
    parser.add_argument(
        "--lessons", type=whole(16, 100_000), default=800, metavar="N",
        help="renderings that the judge of pictures learns from (default: 800)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Measure, print the tables, and write them where asked."""
    if arguments.out is not None:
        check_file(arguments.out)

    from smis_desktop.cli.opening import open_generator
    from smis_desktop.evaluation import ground_truth as obedience
    from smis_desktop.evaluation import ground_truth_transfer as transfer
    from smis_desktop.evaluation.ground_truth import exact_picture, likeness, taught_judge
    from smis_desktop.evaluation.ground_truth_report import markdown
    from smis_desktop.evaluation.timing import machine
    from smis_desktop.storage.atomic import write_bytes

    started = time.monotonic()
    generator = open_generator(GENERATOR, console)
    judged = [exact_picture(generator, _JUDGED_FROM + i) for i in range(arguments.pictures)]
    draws = [[exact_picture(generator, FEW * draw + i) for i in range(FEW)] for draw in range(_DRAWS)]
    singles = [[pictures[0]] for pictures in draws]

    words = "Label transfer from dense labels"
    console.progress(words, 0.0)
    dense = []
    for kind in RULES:
        for shots in (singles, draws):
            dense.append(transfer.dense_transfer(generator, kind, shots, judged))
            console.progress(words, len(dense) / 5)
    ceiling = [[exact_picture(generator, _CEILING_FROM + i) for i in range(min(60, arguments.pictures))]]
    dense.append(transfer.dense_transfer(generator, "probe", ceiling, judged))
    console.progress(words, 1.0)

    words = "Label transfer from scribbles"
    console.progress(words, 0.0)
    sparse = []
    for pictures in (draws[0][:1], draws[0]):
        sparse += transfer.sparse_transfer(generator, pictures, judged)
        console.progress(words, len(sparse) / 18)

    steps = max(1, arguments.lessons // 3)
    judge = taught_judge(arguments.lessons, steps, 0, partial(console.progress, "Teaching the judge"))
    layouts = judged[: arguments.layouts]
    layouts += [exact_picture(generator, _JUDGED_FROM + i) for i in range(len(layouts), arguments.layouts)]
    obeyed: list[dict[str, Any]] = []
    for kind in RULES:
        model = obedience.trained_briefly(
            generator, draws[0], kind, arguments.samples, arguments.obedience_steps,
            partial(console.progress, f"Training an encoder ({kind})"),
        )  # fmt: skip
        for name, mix, refine in obedience.METHODS:
            console.progress(f"Obedience ({kind})", len(obeyed) / (len(RULES) * len(obedience.METHODS)))
            figures = obedience.obedience(generator, model, judge, layouts, mix, refine)
            obeyed.append({"transfer": kind, "method": name, **figures})
    facts = {
        "generator": generator.name,
        "weights_sha256": generator.weights_sha256,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "pictures": arguments.pictures,
        "layouts": arguments.layouts,
        "samples": arguments.samples,
        "obedience_shots": FEW,
        "obedience_steps": arguments.obedience_steps,
        "likeness_db": likeness(generator, range(_JUDGED_FROM, _JUDGED_FROM + arguments.pictures)),
        "dense": dense,
        "sparse": sparse,
        "judge_on_renderings": obedience.judge_on_renderings(generator, judge, layouts),
        "judge_on_own_pictures": obedience.judge_on_own_pictures(generator, judge, layouts),
        "obedience": obeyed,
        "seconds": round(time.monotonic() - started, 1),
    }
    text = markdown(facts)
    if arguments.out is not None:
        write_bytes(arguments.out, text.encode())
        facts["out"] = str(arguments.out)
    return Answer(facts, text)


COMMAND = Command(
    "ground-truth",
    "measure label transfer and obedience against landscapes whose classes are known exactly",
    order=110,
    add_arguments=add_arguments,
    run=run,
)
