"""The data folder: where installed generators and networks are stored."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

from smis_desktop.errors import UserError
from smis_desktop.resources import shipped_networks_folder


def data_folder(part: str = "") -> Path:
    """Return `$SMIS_DATA_DIR`, else the system's place for a user's program data, or a folder `part` in it.

    It is made when missing. Raises UserError when it cannot be made.
    """
    chosen = os.environ.get("SMIS_DATA_DIR")
    folder = Path(chosen).expanduser() if chosen else platformdirs.user_data_path("smis-desktop", appauthor=False)
    folder /= part
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The data folder {folder} cannot be made ({error.strerror}); "
            "set SMIS_DATA_DIR to a folder you can write to."
        ) from error
    return folder


def network_file(part: str, name: str) -> Path:
    """Return the path of the file `name` in the data folder's `part`: the user's own, else the shipped one.

    If there is neither, it is the path of the user's own file to be. Raises UserError as `data_folder` does.
    """
    own, shipped = data_folder(part) / name, shipped_networks_folder(part) / name
    return shipped if shipped.is_file() and not own.is_file() else own


def network_files(part: str, pattern: str) -> list[Path]:
    """Return all files in the data folder's `part` and the shipped ones, by name; the user's own hide shipped ones."""
    found = {path.name: path for folder in (shipped_networks_folder(part), data_folder(part))
             for path in folder.glob(pattern)}  # fmt: skip
    return [found[name] for name in sorted(found)]


def file_name(words: str) -> str:
    """Turn words into a file name for any system: letters, digits and dashes."""
    return re.sub(r"[^\w-]+", "-", words, flags=re.UNICODE).strip("-._")[:60] or "shot"
