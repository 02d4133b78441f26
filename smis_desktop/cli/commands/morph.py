"""`smis morph`: make a film in which the pictures of several layouts morph into each other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import GivenLayout, read_layouts
from smis_desktop.cli.opening import add_model_argument, open_model, open_synthesizer
from smis_desktop.cli.recipes import find_recipe
from smis_desktop.cli.values import (
    add_size_argument,
    add_variety_argument,
    between,
    picture_size,
    refinement,
    seed,
    whole,
)
from smis_desktop.document.style import FIRST_SEED, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.project import KeptStyle

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import PictureRequest
    from smis_desktop.personal_model.model import PersonalModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis morph LAYOUT LAYOUT… --model M --out FILM.mp4|webp|gif …`."""
    parser.add_argument(
        "layouts", nargs="+", type=Path, metavar="LAYOUT", help="two or more layouts, in the film's order"
    )
    add_model_argument(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the film: .mp4, .webp or .gif")
    parser.add_argument(
        "--seconds", type=between(0.1, 60), default=2.0, help="from one picture to the next (default: 2)"
    )
    parser.add_argument("--fps", type=whole(1, 60), default=25, metavar="N", help="pictures a second (default: 25)")
    parser.add_argument("--once", action="store_true", help="end with the last picture; else back to the first")
    parser.add_argument(
        "--seed",
        type=seed,
        help="style of the first; each next takes the next (default: pictures with a recipe keep theirs, for others "
        f"{FIRST_SEED})",
    )
    parser.add_argument("--same-style", action="store_true", help="one style for all")
    parser.add_argument("--mix", type=between(0, 1), default=1.0, help="as in `smis render` (default: 1)")
    add_variety_argument(parser)
    parser.add_argument(
        "--refine", type=refinement, default=0, metavar="N|auto", help="refinement steps a layout (default: 0)"
    )
    add_size_argument(parser)


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write the film, or nothing."""
    model = open_model(arguments.model)
    layouts = read_layouts(arguments.layouts, model, console)
    if len(layouts) < 2:
        raise UserError("A film needs two layouts or more; name another one.")
    synthesizer = open_synthesizer(model, console)
    size = picture_size(arguments.size, synthesizer.generator)

    from smis_desktop.workers.film_job import FilmJob, FilmSettings

    keyframes = _keyframes(layouts, model, size, arguments, console)
    settings = FilmSettings(arguments.seconds, arguments.fps, size, not arguments.once)
    film = FilmJob(arguments.out, keyframes, settings)
    words = f"Making a film of {settings.frames(len(keyframes))} pictures"
    try:
        while (fraction := film.render_next(synthesizer.render)) < 1.0:
            console.progress(words, fraction)
    except BaseException:
        film.cancel()
        raise
    console.progress(words, 1.0)
    facts = {
        "path": str(arguments.out),
        "model": model.name,
        "size": size,
        "fps": settings.fps,
        "frames": settings.frames(len(keyframes)),
        "layouts": [str(layout.path) for layout in layouts],
    }
    return Answer(facts, str(arguments.out))


def _keyframes(
    layouts: list[GivenLayout], model: PersonalModel, size: int, arguments: argparse.Namespace, console: Console
) -> tuple[PictureRequest, ...]:
    """Return the pictures that the film goes through. One whose recipe says what it is made of is shown as it is."""
    from smis_desktop.inference.synthesizer import PictureRequest

    first_seed = FIRST_SEED if arguments.seed is None else arguments.seed
    keyframes: list[PictureRequest] = []
    for number, layout in enumerate(layouts):
        own = _own_style(layout.path, model, console)
        if arguments.same_style and keyframes:
            style = keyframes[0].style
        elif own is not None and arguments.seed is None:
            style = own.style
        else:
            style = Style.of_seed(first_seed + number, arguments.mix, arguments.variety)
        keyframes.append(
            PictureRequest(
                layout.label_map,
                style,
                size,
                refine_steps=0 if own else arguments.refine,
                composition=None if own is None else own.composition,
            )
        )
    return tuple(keyframes)


def _own_style(path: Path, model: PersonalModel, console: Console) -> KeptStyle | None:
    """Return the style in a picture's recipe, if that says what the picture is made of by the model's generator."""
    recipe = find_recipe(path)
    if recipe is None or recipe.style.composition is None:
        return None
    if recipe.style.composition_for(model.generator_name, model.generator_sha256) is None:
        console.note(f"{path} was made by another generator ({recipe.style.generator}): its layout is rendered anew.")
        return None
    return recipe.style


COMMAND = Command(
    "morph",
    "make a film in which pictures change into each other",
    order=70,
    add_arguments=add_arguments,
    run=run,
)
