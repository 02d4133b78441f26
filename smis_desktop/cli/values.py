"""Parsers of option values, and options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from smis_desktop.document.composition import MAX_EDGE
from smis_desktop.document.style import MAX_SEED, VARIETY
from smis_desktop.errors import UserError
from smis_desktop.workers.preview_thread import STEPS_AT_REST

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator

MAX_SEEDS = 10_000


def seeds(text: str) -> list[int]:
    """Parse seeds: `0-7,12` is [0, …, 7, 12], each once, in the order given."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        start = seed(first)
        end = seed(last) if dash else start
        if end < start:
            raise argparse.ArgumentTypeError(f"{part.strip()} counts downwards; write it as {end}-{start}")
        if len(found) + end - start >= MAX_SEEDS:
            raise argparse.ArgumentTypeError(f"more than {MAX_SEEDS:,} seeds are too many for one run")
        found |= dict.fromkeys(range(start, end + 1))
    return list(found)


def seed(text: str) -> int:
    """Parse one seed: a whole number from 0 to 2⁶³ - 1."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= MAX_SEED):
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; give whole numbers like 7, or 0-7,12")
    return int(digits)


def between(low: float, high: float) -> Callable[[str], float]:
    """Return a parser of numbers from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return number

    return parse


def edge(text: str) -> float:
    """Parse the width of a soft edge: a part of the picture's side, above 0 and at most `MAX_EDGE`."""
    width = between(0, MAX_EDGE)(text)
    if width == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no width of an edge; give more than 0, at most {MAX_EDGE:g}")
    return width


def add_variety_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--variety` (see `Style.variety`)."""
    parser.add_argument(
        "--variety", type=between(0, 1), default=VARIETY,
        help="how much the seed decides what the layout does not, such as build and expression (default: %(default)s)",
    )  # fmt: skip


def refinement(text: str) -> int:
    """Parse refinement steps: a whole number up to 1,000, or `auto` for as many as the window takes."""
    return STEPS_AT_REST if text.strip() == "auto" else whole(0, 1000)(text)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        digits = text.strip()
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 20
        if not is_number or not low <= int(digits) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high:,}")
        return int(digits)

    return parse


def add_size_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--size 256|512|1024`; None if not given."""
    parser.add_argument(
        "--size", type=int, choices=(256, 512, 1024), help="side of the pictures (default: the generator's own)"
    )


def add_inversion_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--inversion-steps N`; None if not given."""
    parser.add_argument(
        "--inversion-steps", type=whole(1, 10_000), metavar="N",
        help="inversion steps per photo (more: closer to the photo, but slower)",
    )  # fmt: skip


def picture_size(asked: int | None, generator: Generator) -> int:
    """Return the requested size, or the generator's own. Raises UserError for a size larger than the generator's."""
    if asked is not None and asked > generator.img_resolution:
        raise UserError(
            f"--size {asked} is more than the generator {generator.name} makes; "
            f"ask for {generator.img_resolution} at most."
        )
    return asked or generator.img_resolution
