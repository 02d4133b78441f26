"""The folder that a command writes to: refused before the work begins, made only when the first file is ready."""

from __future__ import annotations

import os
from pathlib import Path

from smis_desktop.errors import UserError


def check_folder(path: Path) -> None:
    """Raise UserError if `path` is not a folder that can be written to, nor one that can be made. Writes nothing."""
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
    """Make the folder and those above it, as far as they are missing. Raises UserError when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be made ({(error.strerror or str(error)).lower()}): choose another folder."
        ) from error
    return path
