"""Recipes: the project that a picture carries, from which it can be repainted and opened to paint on."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.cli.console import Console
from smis_desktop.document.document import Document, paintable_size
from smis_desktop.document.palette import Palette
from smis_desktop.document.style import Style
from smis_desktop.errors import UserError
from smis_desktop.formats.project import KeptStyle, Project
from smis_desktop.formats.registry import FoundFile, formats

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.inference.synthesizer import PictureResult
    from smis_desktop.personal_model.model import PersonalModel


def picture_style(style: Style, result: PictureResult, refined: int, generator: Generator) -> KeptStyle:
    """Return how a picture is stored. refined: refinement steps that it has taken."""
    return KeptStyle(
        style,
        ws=result.ws,
        composition=result.composition,
        refined=refined,
        generator=generator.name,
        generator_sha256=generator.weights_sha256,
    )


def recipe(layout: np.ndarray, palette: Palette, style: KeptStyle, model: PersonalModel, model_path: Path) -> Project:
    """Return the recipe of a picture of a layout, uint8 [H, H]."""
    document = Document.of_label_map(paintable_size(layout), palette).state()
    return Project(document, style, model.name, None, str(model_path.absolute()))


def picture_side(path: Path, full_size: int, console: Console) -> int:
    """Return the side in pixels of a picture that carries its recipe; of a project that of the generator's pictures."""
    with path.open("rb") as file:
        head = file.read(24)
    if not head.startswith(b"\x89PNG") or len(head) < 24:
        return full_size
    width, height = struct.unpack(">II", head[16:24])
    if width == height and 0 < width <= full_size:
        return int(width)
    console.note(f"{path} is {width}×{height}, as no picture of its generator is; its pictures are {full_size}².")
    return full_size


def read_recipe(path: Path) -> Project:
    """Read a project, or the recipe of a picture. Raises UserError for a file that holds neither."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give one picture that carries its recipe, or a project.")
    project = find_recipe(path)
    if project is None:
        raise UserError(
            f"{path} carries no recipe; give a project (.smis), or a PNG that this program wrote and no other has "
            "saved again."
        )
    return project


def find_recipe(path: Path) -> Project | None:
    """Read a project, or the recipe of a picture; None for a file that holds neither.

    Raises UserError for one that is missing or damaged.
    """
    found = FoundFile(path)
    for file_format in formats() if found.head else ():
        if file_format.read_project is not None and file_format.may_hold(found):
            project = file_format.read_project(path)
            if project is not None:
                return project
    return None
