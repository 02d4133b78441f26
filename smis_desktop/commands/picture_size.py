"""`--size`: the side of the pictures that a command makes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.gan.protocol import Generator


def add_size_argument(parser: argparse.ArgumentParser) -> None:
    """`--size 256|512|1024`, None when not given."""
    parser.add_argument(
        "--size", type=int, choices=(256, 512, 1024), help="side of the pictures (default: the generator's own)"
    )


def picture_size(asked: int | None, generator: Generator) -> int:
    """The size asked for, or the generator's own. Raises UserError for more than it makes."""
    if asked is not None and asked > generator.img_resolution:
        raise UserError(
            f"--size {asked} is more than the generator {generator.name} makes; "
            f"ask for {generator.img_resolution} at most."
        )
    return asked or generator.img_resolution
