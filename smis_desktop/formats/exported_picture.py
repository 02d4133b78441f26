"""Exported photographs: PNG with the whole project inside, JPEG, WebP or TIFF; and contact sheets.

The PNG's chunk `smIs` holds the project that the photograph was made from, so that it opens again to paint on. The
chunk's name says by its letters (PNG specification, section 5.4) that it is ancillary, private and safe to copy: other
programs show the picture and may keep the chunk when they save it again.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import PICTURE_FORMATS, write_picture
from smis_desktop.formats.project import Project, decode_project, encode_project
from smis_desktop.formats.registry import Export, Format, FoundFile, LayoutFile
from smis_desktop.storage.atomic import write_bytes

_CHUNK = b"smIs"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PROJECT = 1 << 29
_GAP = 8
_CAPTION = 22
_GROUND, _TEXT = (24, 25, 28), (225, 228, 232)


def write_photograph(path: Path, picture: np.ndarray, project: Project | None = None) -> None:
    """Write a photograph, uint8 [H, W, 3] sRGB, atomically, in the format that the name's ending asks for.

    A PNG carries `project`, which opens again to paint on; other formats do not.

    Raises:
        UserError: Another ending, or the file cannot be written; nothing is changed then.
    """
    if project is not None and path.suffix.lower() == ".png":
        write_bytes(path, encode_project_picture(picture, project))
    else:
        write_picture(path, picture)


def encode_project_picture(picture: np.ndarray, project: Project) -> bytes:
    """Return the bytes of the PNG, with the project right after its header."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    plain = buffer.getvalue()
    header_end = len(_SIGNATURE) + 12 + 13
    project_bytes = encode_project(project)
    chunk = (
        struct.pack(">I", len(project_bytes))
        + _CHUNK
        + project_bytes
        + struct.pack(">I", zlib.crc32(_CHUNK + project_bytes))
    )
    return plain[:header_end] + chunk + plain[header_end:]


def read_picture_project(path: Path) -> Project | None:
    """Read the project in a PNG; None for any other file.

    Raises UserError when the file cannot be read, or when the project in it is damaged.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return None
            while len(head := file.read(8)) == 8:
                length, kind = struct.unpack(">I4s", head)
                if kind == _CHUNK:
                    if length > _MAX_PROJECT:
                        raise UserError(f"{path} carries a project of {length} bytes, far too many; open another copy.")
                    project_bytes, checksum = file.read(length), file.read(4)
                    if len(project_bytes) != length or checksum != struct.pack(
                        ">I", zlib.crc32(_CHUNK + project_bytes)
                    ):
                        raise UserError(f"{path} carries a project that is damaged; open another copy of the picture.")
                    return decode_project(project_bytes, str(path))
                if kind == b"IEND":
                    return None
                file.seek(length + 4, io.SEEK_CUR)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose another file.") from error
    return None


def contact_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int | None = None, side: int = 256
) -> np.ndarray:
    """Lay out pictures, uint8 [H, W, 3] of any size, with a caption each, in rows of one picture uint8 [H, W, 3].

    columns: as near to a square as possible unless given. Raises ValueError without pictures.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError("a contact sheet needs pictures, and a caption for each")
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    cell = side + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * (side + _GAP) + _GAP, rows * cell + _GAP), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = _GAP + (number % columns) * (side + _GAP)
        top = _GAP + (number // columns) * cell
        image = Image.fromarray(picture).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(image, (left, top))
        draw.text((left + 2, top + side + 3), caption, fill=_TEXT, font=font)
    return np.array(sheet)


def _is_png(found: FoundFile) -> bool:
    return found.path.is_file() and found.head.startswith(_SIGNATURE)


def _read_layout(path: Path) -> LayoutFile | None:
    project = read_picture_project(path)
    return None if project is None else LayoutFile(project.document.label_map())


def _write(path: Path, export: Export) -> Sequence[Path]:
    if export.picture is None:
        raise ValueError("an export without a photograph")
    write_photograph(path, export.picture, export.project)
    return [path]


FORMAT = Format(
    "Pictures",
    "picture",
    suffixes=(".png",),
    order=30,
    recognises=_is_png,
    read_project=read_picture_project,
    read_layout=_read_layout,
    layout_name="pictures that carry their project",
    write=_write,
    export_suffixes=tuple(PICTURE_FORMATS),
)
