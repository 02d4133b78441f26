"""Where installed generators and networks live."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from smis_desktop.errors import UserError


def data_folder(part: str = "") -> Path:
    """`$SMIS_DATA_DIR`, else the system's place for a user's program data, or a folder `part` in it. Made when missing.

    Raises UserError when it cannot be made.
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
