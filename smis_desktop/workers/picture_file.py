"""Writing a finished picture to an image file of the person's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import atomic_file

PICTURE_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
"""File name endings → pillow's format name and options. Full chroma: skin against hair shows subsampling first."""


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write `picture`, uint8 [H, W, 3] sRGB, atomically, in the format that the name's ending asks for.

    Raises UserError for another ending and when the file cannot be written; nothing is changed then.
    """
    known = PICTURE_FORMATS.get(path.suffix.lower())
    if known is None:
        raise UserError(
            f"{path} does not say which kind of picture to write: end the name in .png, .jpg, .webp or .tif."
        )
    format_name, options = known
    with atomic_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format=format_name, **options)
