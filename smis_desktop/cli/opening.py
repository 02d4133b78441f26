"""Open generators and personal models, on the accelerator if there is one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.cli.console import Console
from smis_desktop.generators.catalog import DEFAULT_GENERATOR
from smis_desktop.resources import default_model_path

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.synthesizer import Synthesizer
    from smis_desktop.personal_model.model import PersonalModel
    from smis_desktop.training.perceptual import PerceptualDistance


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--model FILE`, by default the personal model for faces."""
    parser.add_argument(
        "--model", type=Path, default=default_model_path(), metavar="FILE",
        help="a personal model (default: the one for faces that comes with the program)",
    )  # fmt: skip


def add_generator_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--generator NAME`, by default the one for faces."""
    parser.add_argument(
        "--generator",
        default=DEFAULT_GENERATOR,
        metavar="NAME",
        help="an installed generator (default: %(default)s)",
    )


def open_model(path: Path) -> PersonalModel:
    """Read a personal model, ready for the device that generators are opened on. Raises UserError; writes nothing."""
    from smis_desktop.generators.device import best_device
    from smis_desktop.personal_model.model import read_personal_model

    model = read_personal_model(path)
    model.move_to(best_device())
    return model


def open_generator(name: str, console: Console) -> Generator:
    """Open an installed generator; the default one is fetched on first need. Raises UserError."""
    from smis_desktop.generators import store as generator_store
    from smis_desktop.generators.device import best_device

    return generator_store.open_generator(name, console.progress).to(best_device())


def open_synthesizer(model: PersonalModel, console: Console) -> Synthesizer:
    """Open the model's generator and put both together. Raises UserError if it was trained on other weights."""
    import torch

    from smis_desktop.inference.backend_selection import open_chosen_backend
    from smis_desktop.inference.synthesizer import Synthesizer

    generator = open_generator(model.generator_name, console)
    return Synthesizer(generator, model, open_chosen_backend(generator, torch.get_num_threads(), console.progress))


def open_perceptual(console: Console) -> PerceptualDistance:
    """Open the network that compares pictures; it is fetched on first need. Raises UserError."""
    from smis_desktop.generators.device import best_device
    from smis_desktop.training.perceptual import open_perceptual_distance

    return open_perceptual_distance(console.progress).to(best_device())
