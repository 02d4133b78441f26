"""`smis render`: make pictures from layouts."""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console, counted
from smis_desktop.cli.files import GivenLayout, check_folder, make_folder, read_layouts
from smis_desktop.cli.opening import add_model_argument, open_model, open_synthesizer
from smis_desktop.cli.recipes import picture_style, recipe
from smis_desktop.cli.values import (
    add_size_argument,
    add_variety_argument,
    between,
    picture_size,
    refinement,
    seed,
    whole,
)
from smis_desktop.document.style import Style
from smis_desktop.errors import UserError
from smis_desktop.formats.registry import layout_names

if TYPE_CHECKING:
    from smis_desktop.training.distributed import ProcessGroup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis render LAYOUT… --model M --out DIR [--seed S] [--mix 0..1] [--refine N|auto] …`."""
    parser.add_argument(
        "layouts",
        nargs="+",
        type=Path,
        metavar="LAYOUT",
        help=f"{layout_names()}, or folders of them",
    )
    add_model_argument(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the pictures, which carry their recipe"
    )
    parser.add_argument(
        "--seed", type=seed,
        help="one style, colours and textures, for all layouts (default: each its own, drawn from its pixels)",
    )  # fmt: skip
    parser.add_argument(
        "--mix", type=between(0, 1), default=1.0,
        help="how much of the seed's style to mix in; 0: the encoder's own (default: 1)",
    )  # fmt: skip
    add_variety_argument(parser)
    parser.add_argument(
        "--refine", type=refinement, default=0, metavar="N|auto",
        help="refinement steps, which bring the picture closer to the layout (default: 0)",
    )  # fmt: skip
    add_size_argument(parser)
    parser.add_argument(
        "--variations", type=whole(1, 1000), default=1, metavar="N",
        help="pictures per layout, with consecutive seeds; more than one: <layout>-seed-NNNN.png (default: 1)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write DIR/<stem>.png for each layout, or one for each seed with --variations, with its recipe in it.

    Processes share the work.
    """
    from smis_desktop.training.distributed import launched_process_group

    with launched_process_group() as group:
        return _render(arguments, console, group)


def _render(arguments: argparse.Namespace, console: Console, group: ProcessGroup) -> Answer:
    out: Path = arguments.out
    check_folder(out)
    model = open_model(arguments.model)
    layouts = read_layouts(arguments.layouts, model, console)
    tasks = _tasks(layouts, out, arguments.seed, arguments.variations)
    with group.main_process_first():
        synthesizer = open_synthesizer(model, console)
    size = picture_size(arguments.size, synthesizer.generator)

    import torch

    from smis_desktop.formats.exported_picture import write_photograph
    from smis_desktop.inference.synthesizer import PictureRequest

    own = range(len(tasks))[group.share(len(tasks))]
    seconds = torch.zeros(len(own))
    words = f"Rendering {counted(len(tasks), 'picture', 'pictures')}"
    for done, number in enumerate(own):
        console.progress(words, done / len(own))
        target, layout, style_seed = tasks[number]
        style = Style.of_seed(style_seed, arguments.mix, arguments.variety)
        request = PictureRequest(layout.label_map, style, size, refine_steps=arguments.refine)
        result = synthesizer.render(request)
        stored = picture_style(style, result, arguments.refine, synthesizer.generator)
        make_folder(out)
        write_photograph(
            target, result.picture, recipe(layout.label_map, model.palette, stored, model, arguments.model)
        )
        seconds[done] = result.seconds
    everyones = group.all_gather(seconds, len(tasks)).tolist()
    console.progress(words, 1.0)
    entries = [
        {
            "path": str(target),
            "layout": str(layout.path),
            "seed": style_seed,
            "unknown_ids": list(layout.unknown_ids),
            "seconds": round(elapsed, 4),
        }
        for (target, layout, style_seed), elapsed in zip(tasks, everyones, strict=True)
    ]
    facts = {
        "folder": str(out),
        "model": model.name,
        "generator": model.generator_name,
        "size": size,
        "mix": arguments.mix,
        "variety": arguments.variety,
        "refine": arguments.refine,
        "pictures": entries,
    }
    return Answer(facts, "\n".join(str(target) for target, _, _ in tasks))


def own_seed(layout: GivenLayout) -> int:
    """Return the seed of a layout's own style, which depends on its pixels alone."""
    return zlib.crc32(layout.label_map.tobytes()) % 1_000_000


def _tasks(
    layouts: list[GivenLayout], out: Path, seed: int | None, variations: int
) -> list[tuple[Path, GivenLayout, int]]:
    """Return (file to write, layout, style seed) of every picture.

    Raises UserError if two would write the same file, or one would overwrite a layout.
    """
    tasks: dict[Path, tuple[Path, GivenLayout, int]] = {}
    sources = {layout.path.resolve() for layout in layouts}
    for layout in layouts:
        first = own_seed(layout) if seed is None else seed
        for style_seed in range(first, first + variations):
            name = layout.path.stem if variations == 1 else f"{layout.path.stem}-seed-{style_seed:04d}"
            target = out / f"{name}.png"
            if target.resolve() in sources:
                raise UserError(f"{target} is a layout itself and would be overwritten; choose another --out folder.")
            if target in tasks:
                raise UserError(f"Two layouts would give {target}; rename one of them.")
            tasks[target] = target, layout, style_seed
    return list(tasks.values())


COMMAND = Command(
    "render",
    "make pictures from layouts with a personal model",
    order=60,
    add_arguments=add_arguments,
    run=run,
)
