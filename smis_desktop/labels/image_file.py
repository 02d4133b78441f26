"""Opening image files that a person hands us: checked before they are decoded, and no surprise but one sentence."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from smis_desktop.errors import UserError

MIN_SIDE = 16
MAX_PIXELS = 64_000_000

# JPEG covers MPO, the two-picture JPEGs of many phones.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
# What decoders raise on damaged files; found by feeding them truncated and flipped bytes.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
# `warnings.catch_warnings` swaps process-wide state, so two decoding threads must not interleave in it.
_QUIET = threading.Lock()


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A decoded image file.

    image: the pixels, in the mode that Pillow chose.
    format: Pillow's name of the file format ("PNG", "JPEG" …), told by the content, not by the file name.
    orientation: the EXIF tag, 1–8; 1 = as stored.
    head: the file's first 32 bytes (a PNG's IHDR lies there).
    """

    image: Image.Image = field(repr=False)
    format: str
    orientation: int
    head: bytes


def load_image_file(path: str | os.PathLike[str]) -> ImageFile:
    """Decode one image file, after its header has passed the limits (sides ≥ 16, at most 64 megapixels).

    Raises UserError when the file is missing, a folder, unreadable, no image, damaged, too small or too large.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give an image file.")
    try:
        # `open` on a pipe or a device could block for ever.
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not an ordinary file: give an image file.")
        with path.open("rb") as file:
            head = file.read(32)
            file.seek(0)
            return _decode(path, file, head)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check the name.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}): check the file.") from error


def _decode(path: Path, file: io.BufferedReader, head: bytes) -> ImageFile:
    with _QUIET, warnings.catch_warnings():
        # Decoders warn about odd metadata and about sizes; the limits below are ours and stricter.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(file, formats=_FORMATS)
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
        except _DECODE_ERRORS as error:
            raise UserError(f"{path} is not an image that can be read: use a PNG, JPEG or WebP file.") from error
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise _too_large(path, f" ({width}×{height} pixels)")
        if min(width, height) < MIN_SIDE:
            raise UserError(f"{path} is only {width}×{height} pixels: use an image of at least {MIN_SIDE}×{MIN_SIDE}.")
        try:
            # Before `load`, which turns TIFFs by itself and then forgets the tag.
            stored_upright = image.format == "TIFF"
            image.load()
            orientation = 1 if stored_upright else _orientation(image)
        except _DECODE_ERRORS as error:
            raise UserError(f"{path} is damaged or incomplete: get a whole copy of it.") from error
        return ImageFile(image, image.format or "", orientation, head)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except _DECODE_ERRORS:
        return 1  # Damaged metadata around a whole picture: show it as stored.
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _too_large(path: Path, size: str = "") -> UserError:
    return UserError(f"{path} is too large{size}: scale it down to at most {MAX_PIXELS // 1_000_000} megapixels.")
