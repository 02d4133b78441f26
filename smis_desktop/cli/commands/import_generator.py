"""`smis import-generator`: install a StyleGAN2 checkpoint of another program as a generator."""

from __future__ import annotations

import argparse
from pathlib import Path

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.values import whole

_MAX_CLASSES = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis import-generator FILE --name NAME [--class-index K]`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint of NVIDIA's or rosinality's StyleGAN2")
    parser.add_argument("--name", required=True, metavar="NAME", help="the name of the new generator")
    parser.add_argument(
        "--class-index", type=whole(0, _MAX_CLASSES), metavar="K",
        help="which class of a conditional generator to take; each becomes a generator of its own",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Read, check and install the checkpoint. Nothing is installed if anything is wrong."""
    from smis_desktop.generators.checkpoint_import import import_generator

    installed, notes = import_generator(arguments.file, arguments.name, console.progress, arguments.class_index)
    for note in notes:
        console.note(note)
    facts = {
        "generator": installed.name,
        "path": str(installed.path),
        "architecture": installed.kind,
        "img_resolution": installed.img_resolution,
        "num_ws": installed.num_ws,
        "weights_sha256": installed.weights_sha256,
        "source": installed.source,
        "licence": installed.licence,
    }
    return Answer(
        facts,
        f"The generator {installed.name} is installed: StyleGAN2, {installed.img_resolution}², {installed.path}\n"
        f"Weights SHA-256 {installed.weights_sha256}\n"
        f"Its licence is {installed.licence}: see that you may use it.",
    )


COMMAND = Command(
    "import-generator",
    "install a StyleGAN2 checkpoint as a generator (.pt, .pkl or .safetensors); nothing in the file is run",
    order=20,
    add_arguments=add_arguments,
    run=run,
)
