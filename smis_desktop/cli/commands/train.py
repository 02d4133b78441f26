"""`smis train`: train a personal model from labelled photos."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import check_file
from smis_desktop.cli.opening import add_generator_argument
from smis_desktop.cli.values import add_inversion_argument, between, seed, whole
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.training.events import TrainingRequest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis train SHOTS --out my.smismodel [--generator faces] [--labels dense|sparse] [--resume]
    …`."""
    parser.add_argument(
        "shots", type=Path, metavar="SHOTS",
        help="a folder with images/NAME.jpg or .png, labels/NAME.png, and optionally classes.json",
    )  # fmt: skip
    add_generator_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .smismodel file to write")
    parser.add_argument(
        "--labels", choices=("dense", "sparse"), default="dense",
        help="dense: every pixel is labelled; sparse: scribbles or landmarks, 0 is unknown (default: dense)",
    )  # fmt: skip
    parser.add_argument(
        "--top-k", type=whole(1, 4096), default=3, metavar="K",
        help="landmarks: how many pixels each labelled pixel claims in a picture (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=between(-1, 1), default=0.5, metavar="T",
        help="sparse labels: pixels less alike than this cosine stay unknown (default: 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--transfer", choices=("informed", "probe", "vectors"), default="informed",
        help="how labels are transferred to other pictures: by a probe with a prior on the parts that are known of the "
        "generator's pictures, if it ships with any; by a probe of these shots alone; by vectors, as in the paper and "
        "always for landmarks (default: informed)",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, help="of all random draws (default: 0)")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--samples", type=whole(1, 10_000_000), metavar="N", help="pseudo-labelled samples to learn from"
    )
    extent.add_argument(
        "--minutes", type=between(0.1, 10_000), metavar="M",
        help="learn from as many samples as this machine makes in about M minutes, inversion included",
    )  # fmt: skip
    add_inversion_argument(parser)
    parser.add_argument("--resume", action="store_true", help="go on with a training that was interrupted")


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Train, and write the model. An unfinished training is kept next to it; the model file changes only at the end."""
    from smis_desktop.cli.training_progress import TrainingProgress
    from smis_desktop.training.distributed import launched_process_group
    from smis_desktop.training.run import TrainingRun

    check_file(arguments.out)
    request = _request(arguments)
    progress = TrainingProgress(console, request)
    with launched_process_group() as group:
        training = TrainingRun(request, progress.show, group)
        try:
            model = training.run()
        except UserError:  # a full disk, mostly
            if progress.has_begun:
                console.note(f"What was learned so far is kept; {console.if_interrupted}.")
            raise
    times = progress.times
    times.reach("written", "model written")
    facts = {
        "model": str(request.out),
        "name": model.name,
        "generator": model.generator_name,
        "label_kind": model.label_kind,
        "classes": [{"id": c.class_id, "name": c.name} for c in model.palette.classes],
        "classes_not_learned": list(progress.missing),
        "samples": training.settings.rounds * training.settings.round_size,
        "settings": model.settings,
        "shots": [
            {"name": shot.name, "inversion": progress.inversions.get(shot.name), "generated": shot.ws is not None}
            for shot in training.shots
        ],
        "stages": times.reached,
        "seconds": round(times.seconds, 1),
    }
    classes = counted(model.palette.num_classes, "class", "classes")
    shots = counted(len(training.shots), "shot", "shots")
    inversions = {name: figures["seconds"] for name, figures in progress.inversions.items()}
    text = f"{request.out} is ready: {classes} from {shots} in {times.seconds / 60:.1f} minutes."
    return Answer(facts, "\n".join([text, *times.table(inversions)]))


def _request(arguments: argparse.Namespace) -> TrainingRequest:
    from smis_desktop.training.events import TrainingRequest

    return TrainingRequest(
        shots=arguments.shots,
        out=arguments.out,
        generator=arguments.generator,
        name=arguments.out.stem,
        label_kind=arguments.labels,
        top_k=arguments.top_k,
        threshold=arguments.threshold,
        transfer=arguments.transfer,
        samples=arguments.samples,
        seed=arguments.seed,
        minutes=arguments.minutes,
        inversion_steps=arguments.inversion_steps,
        on_unfinished="resume" if arguments.resume else "refuse",
        writes_intermediate_models=False,
    )


COMMAND = Command(
    "train",
    "learn a personal model from one to a few labelled photos",
    order=50,
    add_arguments=add_arguments,
    run=run,
)
