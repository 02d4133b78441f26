"""`smis train`: a personal model from labelled photos."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import check_file
from smis_desktop.cli.opening import add_generator_argument, open_generator, open_perceptual
from smis_desktop.cli.values import add_inversion_argument, between, seed, whole
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.backends import SynthesisBackend
    from smis_desktop.personal_model.model import PersonalModel
    from smis_desktop.training.distributed import ProcessGroup
    from smis_desktop.training.perceptual import PerceptualDistance
    from smis_desktop.training.training import TrainingSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`smis train SHOTS --out my.smismodel [--generator faces] [--labels dense|sparse] [--resume] …`."""
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
        help="how labels are carried over to other pictures: by a probe that leans on the parts that are known of the "
        "generator's pictures, where some ship with it; by a probe of these shots alone; by vectors, which is the "
        "paper's way, and always that of landmarks (default: informed)",
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
    """Train, and write the model. An unfinished training is kept beside it; the model file changes only at the end."""
    from smis_desktop.training.distributed import launched_process_group

    with launched_process_group() as ranks:
        return _train(arguments, console, ranks)


def _train(arguments: argparse.Namespace, console: Console, ranks: ProcessGroup) -> Answer:
    import dataclasses

    import torch

    from smis_desktop.cli.training_progress import StageTimes, TrainingProgress
    from smis_desktop.formats.shots_folder import read_shots
    from smis_desktop.inference.backend_selection import open_chosen_backend
    from smis_desktop.personal_model.encoder import layout_channels
    from smis_desktop.personal_model.model import write_personal_model
    from smis_desktop.training.feature_cache import FeatureCache
    from smis_desktop.training.oom import is_out_of_memory, retry_with_smaller_batches
    from smis_desktop.training.shots import training_shots
    from smis_desktop.training.store import TrainingFolder, shots_digest
    from smis_desktop.training.training import describe, precision_begun_with, takes_probe, train

    times = StageTimes()
    out: Path = arguments.out
    check_file(out)
    folder = read_shots(arguments.shots, arguments.labels)
    for note in folder.notes:
        console.note(note)
    stages = TrainingFolder.beside(out)
    with ranks.first_goes_first():
        generator = open_generator(arguments.generator, console)
    shots = training_shots(arguments.shots, folder, generator, arguments.labels)
    count = sum(shot.is_known for shot in shots)
    if count:
        console.note(f"{count} of {len(shots)} pictures are known in the generator: they need no inversion.")
    to_invert = [shot for shot in shots if not shot.is_known]
    with ranks.first_goes_first():
        perceptual = open_perceptual(console) if to_invert else None
    begun = stages.begun() if arguments.resume else {}
    precision, threads = precision_begun_with(begun), torch.get_num_threads()
    with ranks.first_goes_first():
        pictures = open_chosen_backend(generator, threads, console.progress, precision)
    is_reduced = bool(ranks.told(torch.tensor(pictures.precision == "bfloat16")))
    if is_reduced != (pictures.precision == "bfloat16"):  # another machine than the first's
        precision = "bfloat16" if is_reduced else "float32"
        pictures = open_chosen_backend(generator, threads, console.progress, precision)
    settings = dataclasses.replace(_settings(arguments), precision=pictures.precision)
    if arguments.minutes is not None:
        kind, side = settings.label_kind, generator.feature_resolution
        labels = [layout_channels(shot.label_map, folder.palette, kind, side) for shot in shots]
        obeys = settings.obedience_steps if takes_probe(settings, labels) else 0
        samples = _samples_in(
            arguments, settings, begun, generator, pictures, perceptual, len(to_invert), obeys, console
        )
        settings = dataclasses.replace(settings, samples=int(ranks.told(torch.tensor(samples))))
    names = [shot.name for shot in shots]
    description = {
        **describe(settings, names),
        "generator_sha256": generator.weights_sha256,
        "classes": [[c.class_id, c.name, *c.color] for c in folder.palette.classes],
        "shots_sha256": shots_digest({shot.name: (shot.picture, shot.label_map) for shot in folder.shots}),
    }
    with ranks.first_goes_first():
        goes_on = stages.open(description, arguments.resume or not ranks.is_first)
    if arguments.resume and not goes_on:
        console.note(f"There is no unfinished training of {out} to go on with; it begins anew.")
    console.if_interrupted = "the same command with --resume goes on from here"
    console.note(f"How far it has come can be looked at in {stages.path}.")
    times.reach("opened")
    progress = TrainingProgress(console, stages, times)

    def loaded_perceptual() -> PerceptualDistance:
        found = perceptual if perceptual is not None else open_perceptual(console)
        return found.to(generator.device)

    def trained(settings: TrainingSettings) -> PersonalModel:
        return train(
            out.stem, generator, loaded_perceptual, shots, folder.palette, settings, stages, progress.tell,
            pictures, ranks=ranks, kept=FeatureCache.of(generator, settings),
        )  # fmt: skip

    def tell_smaller(smaller: TrainingSettings) -> None:
        console.warn(f"There is too little memory; it goes on in batches of {smaller.batch_size}.")

    try:
        if ranks.count > 1:
            model = trained(settings)  # where one process tried again, the others would wait for ever
        else:
            try:
                model = retry_with_smaller_batches(trained, settings, tell_smaller)
            except (MemoryError, RuntimeError) as error:
                if generator.device.type == "cpu" or not is_out_of_memory(error):
                    raise
                console.warn("The graphics card has too little memory; the processor goes on.")
                generator.to("cpu")
                pictures = open_chosen_backend(generator, threads, console.progress, settings.precision)
                model = retry_with_smaller_batches(trained, settings, tell_smaller)
        if ranks.is_first:
            write_personal_model(out, model)
            stages.remove()
    except UserError:  # a full disk, mostly
        console.note(f"What was learned so far is kept; {console.if_interrupted}.")
        raise
    times.reach("written")
    facts = {
        "model": str(out),
        "name": model.name,
        "generator": model.generator_name,
        "label_kind": model.label_kind,
        "classes": [{"id": c.class_id, "name": c.name} for c in model.palette.classes],
        "classes_not_learned": list(progress.missing),
        "samples": settings.rounds * settings.round_size,
        "settings": model.settings,
        "shots": [
            {"name": shot.name, "inversion": progress.inversions.get(shot.name), "generated": shot.ws is not None}
            for shot in shots
        ],
        "stages": times.reached,
        "seconds": round(times.seconds, 1),
    }
    learned = f"{counted(model.palette.num_classes, 'class', 'classes')} from {counted(len(shots), 'shot', 'shots')}"
    inversions = {name: figures["seconds"] for name, figures in progress.inversions.items()}
    text = f"{out} is ready: {learned} in {times.seconds / 60:.1f} minutes."
    return Answer(facts, "\n".join([text, *times.table(inversions)]))


def _settings(arguments: argparse.Namespace) -> TrainingSettings:
    from smis_desktop.training.inversion import InversionSettings
    from smis_desktop.training.training import TrainingSettings

    steps = arguments.inversion_steps
    defaults = TrainingSettings()
    samples = arguments.samples or defaults.samples
    return TrainingSettings(
        label_kind=arguments.labels,
        transfer=arguments.transfer,
        top_k=arguments.top_k,
        threshold=arguments.threshold,
        samples=samples,
        # One round cannot be larger than everything.
        round_size=min(defaults.round_size, samples),
        seed=arguments.seed,
        inversion=InversionSettings() if steps is None else InversionSettings(steps=steps),
    )


def _samples_in(
    arguments: argparse.Namespace,
    settings: TrainingSettings,
    begun: dict[str, Any],
    generator: Generator,
    pictures: SynthesisBackend,
    perceptual: PerceptualDistance | None,
    to_invert: int,
    obedience_steps: int,
    console: Console,
) -> int:
    """How many samples `--minutes` allow for; a training that goes on keeps the number that it began with."""
    from smis_desktop.training.pace import measured_pace

    if isinstance(samples := begun.get("samples"), int):
        return samples
    console.progress("Measuring how fast this machine is", -1.0)
    pace = measured_pace(generator, perceptual, settings, pictures, to_invert)
    fixed = pace.inversion + obedience_steps * pace.obedience_step
    rounds = int((arguments.minutes * 60 - fixed) / pace.round)
    if rounds < 1:
        least = math.ceil((fixed + pace.round) / 6) / 10  # minutes, to the next tenth
        raise UserError(f"--minutes {arguments.minutes:g} is too short for these shots; allow {least:.1f} at least.")
    samples = rounds * settings.round_size
    console.note(f"About {arguments.minutes:g} minutes are enough for {samples:,} samples.")
    return samples


COMMAND = Command(
    "train",
    "learn a personal model from one to a few labelled photos",
    order=50,
    add_arguments=add_arguments,
    run=run,
)
