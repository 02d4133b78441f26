"""`smis segment`: make layouts from pictures, with the classes of a personal model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import check_folder, given_files, make_folder
from smis_desktop.cli.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.cli.values import add_inversion_argument
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import PHOTO_SUFFIXES

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.training.inversion import InversionResult
    from smis_desktop.training.perceptual import PerceptualDistance


_MAX_SIDE = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis segment PICTURE… --model M --out DIR [--inversion-steps N]`."""
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="photos, or folders of them")
    add_model_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the layouts (index PNG)")
    add_inversion_argument(parser)


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write DIR/<stem>.png for each picture, as large as its middle square (at most 4096)."""
    out: Path = arguments.out
    check_folder(out)
    model = open_model(arguments.model)
    pictures = _read_pictures(arguments.pictures, out, console)
    generator = open_synthesizer(model, console).generator

    from smis_desktop.formats.image_file import encode_label_map
    from smis_desktop.personal_model.model import segment_latents
    from smis_desktop.storage.atomic import write_bytes
    from smis_desktop.training.shots import KnownLatents

    known = KnownLatents(generator)
    perceptual: PerceptualDistance | None = None
    entries = []
    for number, (path, picture) in enumerate(pictures, 1):
        ws = known.of(path, picture)
        entry: dict[str, Any] = {"path": str(out / f"{path.stem}.png"), "picture": str(path), "inversion": None}
        if ws is None:
            perceptual = perceptual or open_perceptual(console)
            words = f"Inverting {path.name} ({number} of {len(pictures)})"
            result = _invert(generator, perceptual, picture, arguments.inversion_steps, words, console)
            ws = result.reconstruction_ws
            entry["inversion"] = {"psnr": round(result.psnr, 2), "perceptual": round(result.perceptual, 4)}
        label_map = segment_latents(generator, model, ws, min(len(picture), _MAX_SIDE))
        make_folder(out)
        write_bytes(out / f"{path.stem}.png", encode_label_map(label_map, model.palette))
        entry |= {"size": len(label_map), "class_ids": sorted(int(i) for i in np.unique(label_map))}
        entries.append(entry)
    facts = {"folder": str(out), "model": model.name, "generator": model.generator_name, "layouts": entries}
    return Answer(facts, "\n".join(str(entry["path"]) for entry in entries))


def _read_pictures(paths: list[Path], out: Path, console: Console) -> list[tuple[Path, np.ndarray]]:
    """Read (file, uint8 [S, S, 3] middle square) of every picture. Raises UserError for the first that cannot be
    used."""
    from smis_desktop.formats.image_file import middle_square, read_picture

    found, notes = [], []
    files = given_files(paths, PHOTO_SUFFIXES, "pictures")
    for path in files:
        picture = read_picture(path)
        height, width = picture.shape[:2]
        square = middle_square(width, height)
        if width != height:
            notes.append(
                f"{path.name}: the picture is not square ({width}×{height}); "
                f"its middle {square.side}×{square.side} is used."
            )
        found.append((path, square.of(picture)))
    sources = {path.resolve() for path in files}
    for path in files:
        if (out / f"{path.stem}.png").resolve() in sources:
            raise UserError(
                f"{out / path.stem}.png is a picture itself and would be overwritten; choose another --out folder."
            )
    for text in notes:
        console.note(text)
    return found


def _invert(
    generator: Generator,
    perceptual: PerceptualDistance,
    picture: np.ndarray,
    steps: int | None,
    words: str,
    console: Console,
) -> InversionResult:
    from smis_desktop.training.inversion import Inversion, InversionSettings, run_inversions

    console.progress(words, 0.0)
    inversion = Inversion(generator, perceptual, picture, InversionSettings.of(steps))
    (result,) = run_inversions([inversion], lambda step: console.progress(words, step.fraction))
    return result


COMMAND = Command(
    "segment",
    "find a personal model's classes in pictures (each is inverted first, which takes about a minute)",
    order=80,
    add_arguments=add_arguments,
    run=run,
)
