"""The files and folders that a command reads and writes, checked before any work begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smis_desktop.cli.console import Console
from smis_desktop.errors import UserError
from smis_desktop.formats.registry import layout_suffixes, read_layout

if TYPE_CHECKING:
    from smis_desktop.personal_model.model import PersonalModel


def check_folder(path: Path) -> None:
    """Raise UserError if `path` is not a writable folder and cannot be made into one. Writes nothing."""
    existing = path
    while not existing.exists():
        if existing.is_symlink():
            raise UserError(f"{path} cannot be used as a folder ({existing} is a broken link): choose another one.")
        existing = existing.absolute().parent
    if not existing.is_dir():
        raise UserError(f"{path} cannot be used as a folder ({existing} is a file): choose another one.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{path} cannot be written ({existing} is read-only for you): choose another folder.")


def check_file(path: Path) -> None:
    """Raise UserError if a file could not be written at `path`: its folder must exist. Writes nothing."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the name of a file to write.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UserError(f"{path} cannot be written: the folder {folder} does not exist.")
    check_folder(folder)


def make_folder(path: Path) -> Path:
    """Make the folder and those above it that are missing. Raises UserError when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be made ({(error.strerror or str(error)).lower()}): choose another folder."
        ) from error
    return path


@dataclass(frozen=True, eq=False)
class GivenLayout:
    """A layout given on the command line.

    label_map: uint8 [s, s], read-only. unknown_ids: ids in it that the model lacks.
    """

    path: Path
    label_map: np.ndarray = field(repr=False)
    unknown_ids: tuple[int, ...]


def given_files(paths: Sequence[Path], suffixes: Sequence[str], what: str) -> list[Path]:
    """Return the given files; a folder stands for the files in it with such a suffix (not in its subfolders).

    what: names the files in messages. Raises UserError for a folder without such a file, and for two files of one stem,
    whose results would overwrite each other.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith("."))
        except OSError as error:
            raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}); check it.") from error
        if not inside:
            raise UserError(f"{path} holds no {what} ({', '.join(suffixes)}); give another folder, or files.")
        files += inside
    by_stem: dict[str, Path] = {}
    for file in files:
        other = by_stem.setdefault(file.stem, file)
        if other is not file:
            raise UserError(f"{other} and {file} have the same name and would give the same file; rename one of them.")
    return files


def picture_targets(layouts: Sequence[GivenLayout], out: Path, *sources: Path) -> list[Path]:
    """Return OUT/<stem>.png for each layout.

    Raises UserError if two would be the same file, or one would overwrite a layout or one of `sources`.
    """
    given = {path.resolve() for path in (*sources, *(layout.path for layout in layouts))}
    targets: dict[Path, None] = {}
    for layout in layouts:
        target = out / f"{layout.path.stem}.png"
        if target.resolve() in given:
            raise UserError(f"{target} was given itself and would be overwritten; choose another --out folder.")
        if target in targets:
            raise UserError(f"Two layouts would give {target}; rename one of them.")
        targets[target] = None
    return list(targets)


def read_layouts(paths: Sequence[Path], model: PersonalModel, console: Console) -> list[GivenLayout]:
    """Read all layouts; note where one was cropped, and warn about ids that the model lacks.

    Raises UserError for the first one that cannot be used: unreadable, or without a single class of the model.
    """
    from smis_desktop.personal_model.model import unknown_ids

    layouts: list[GivenLayout] = []
    notes: list[str] = []
    for path in given_files(paths, layout_suffixes(), "layouts"):
        layout = read_layout(path)
        if not (model.palette.channel_of[layout.label_map] >= 0).any():
            raise UserError(
                f"{path} holds none of the classes of the model {model.name!r} ({_listed(model.palette.class_ids)}); "
                "use a layout in the model's classes."
            )
        layout.label_map.setflags(write=False)
        layouts.append(
            GivenLayout(path, layout.label_map, tuple(unknown_ids(layout.label_map, model.palette, model.label_kind)))
        )
        notes += layout.notes
    for text in notes:
        console.note(text)
    for given in layouts:
        if given.unknown_ids:
            console.warn(
                f"{given.path} holds ids that the model {model.name!r} does not know ({_listed(given.unknown_ids)}): "
                "they count as not painted."
            )
    return layouts


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(str(i) for i in ids)
