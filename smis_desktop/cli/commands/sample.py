"""`smis sample`: make pictures from seeds with the generator alone. Labelled, they are shots that need no inversion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import check_folder, make_folder
from smis_desktop.cli.opening import add_generator_argument, open_generator
from smis_desktop.cli.values import add_size_argument, between, picture_size, seeds
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.training.shots import GeneratedPictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis sample --seeds 0-7 --out DIR [--generator faces] [--truncation 0.7] [--size N]`."""
    add_generator_argument(parser)
    parser.add_argument("--seeds", type=seeds, required=True, metavar="SEEDS", help="like 7 or 0-7,12")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument(
        "--truncation", type=between(0, 2), default=0.7, metavar="PSI",
        help="0: the mean picture, 1: the generator's full variety (default: 0.7)",
    )  # fmt: skip
    add_size_argument(parser)


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write DIR/seed-NNNN.png for each seed, and add them to DIR/generated.json."""
    import torch

    from smis_desktop.formats.image_file import write_picture
    from smis_desktop.generators.generator import seeded_z
    from smis_desktop.inference.synthesizer import render_ws
    from smis_desktop.training.shots import GeneratedPicture, write_generated_pictures

    out: Path = arguments.out
    check_folder(out)
    generator = open_generator(arguments.generator, console)
    size = picture_size(arguments.size, generator)
    generated = _listed_so_far(out, generator)
    pictures = [GeneratedPicture(f"seed-{seed:04d}", seed, arguments.truncation) for seed in arguments.seeds]
    words = f"Making {counted(len(pictures), 'picture', 'pictures')}"
    for done, picture in enumerate(pictures):
        console.progress(words, done / len(pictures))
        with torch.inference_mode():
            w = generator.mapping(seeded_z(picture.seed, generator.w_dim).to(generator.device), picture.truncation)
            pixels = render_ws(generator, generator.broadcast(w), size)
        # Listed first, so that an interrupted run leaves no picture that is not listed.
        generated = generated.with_pictures([picture])
        write_generated_pictures(make_folder(out), generated)
        write_picture(out / f"{picture.name}.png", pixels)
    console.progress(words, 1.0)
    paths = [str(out / f"{p.name}.png") for p in pictures]
    facts = {
        "folder": str(out),
        "generator": generator.name,
        "weights_sha256": generator.weights_sha256,
        "size": size,
        "pictures": [
            {"path": path, "seed": p.seed, "truncation": p.truncation} for path, p in zip(paths, pictures, strict=True)
        ],
    }
    return Answer(facts, "\n".join(paths))


def _listed_so_far(out: Path, generator: Generator) -> GeneratedPictures:
    from smis_desktop.training.shots import GeneratedPictures, read_generated_pictures

    found = read_generated_pictures(out)
    if found is None:
        return GeneratedPictures(generator.name, generator.weights_sha256, ())
    if found.weights_sha256 != generator.weights_sha256:
        raise UserError(f"{out} holds pictures of another generator ({found.generator}); choose another folder.")
    return found


COMMAND = Command(
    "sample",
    "make pictures from seeds, to look at or to label",
    order=40,
    add_arguments=add_arguments,
    run=run,
)
