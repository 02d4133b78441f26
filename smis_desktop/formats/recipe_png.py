"""Pictures that carry their recipe: a PNG with the whole project in a chunk of its own, which opens again to paint on.

The chunk's name, `smIs`, says by its letters (PNG specification, section 5.4) that it is ancillary, private and safe to
copy: other programs show the picture and may keep the recipe when they save it again.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project, decode_project, encode_project
from smis_desktop.storage.atomic import write_bytes

_CHUNK = b"smIs"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_RECIPE = 1 << 29


def write_recipe_png(path: Path, picture: np.ndarray, project: Project) -> None:
    """Writes uint8 [H, W, 3] sRGB with its recipe, atomically. Raises UserError when the disk refuses."""
    write_bytes(path, encode_recipe_png(picture, project))


def encode_recipe_png(picture: np.ndarray, project: Project) -> bytes:
    """The bytes of the PNG, the recipe right after its header."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    plain = buffer.getvalue()
    header_end = len(_SIGNATURE) + 12 + 13
    recipe = encode_project(project)
    chunk = struct.pack(">I", len(recipe)) + _CHUNK + recipe + struct.pack(">I", zlib.crc32(_CHUNK + recipe))
    return plain[:header_end] + chunk + plain[header_end:]


def read_recipe(path: Path) -> Project | None:
    """The project that a PNG carries, or None for any other file.

    Raises UserError when the file cannot be read, or carries a recipe that is damaged.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return None
            while len(head := file.read(8)) == 8:
                length, kind = struct.unpack(">I4s", head)
                if kind == _CHUNK:
                    if length > _MAX_RECIPE:
                        raise UserError(f"{path} carries a recipe of {length} bytes, far too many; open another copy.")
                    recipe, checksum = file.read(length), file.read(4)
                    if len(recipe) != length or checksum != struct.pack(">I", zlib.crc32(_CHUNK + recipe)):
                        raise UserError(f"{path} carries a recipe that is damaged; open another copy of the picture.")
                    return decode_project(recipe, str(path))
                if kind == b"IEND":
                    return None
                file.seek(length + 4, io.SEEK_CUR)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another file.") from error
    return None
