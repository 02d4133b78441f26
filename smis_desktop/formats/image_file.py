"""Image files: photographs read as upright 8-bit sRGB, label maps as class ids; both written atomically."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.registry import Format
from smis_desktop.storage.atomic import atomic_file

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""The endings of photos that folders are searched for."""

PICTURE_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
"""File name endings of written pictures → pillow's format name and options. Full chroma: subsampling would show first
between skin and hair."""

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
    format: Pillow's name of the file format ("PNG", "JPEG" …), determined by the content, not by the file name.
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


_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a photograph as uint8 [H, W, 3], sRGB, upright.

    EXIF rotation is applied, an embedded colour profile converted, transparency laid over white, 16-bit rounded to 8.
    Of an animation the first frame is taken.

    Raises UserError when the file is missing, a folder, no picture, damaged, smaller than 16×16 or larger than 64
    megapixels.
    """
    loaded = load_image_file(path)
    image = _to_rgb(loaded.image)
    if loaded.orientation != 1:
        image = image.transpose(_UPRIGHT[loaded.orientation])
    return np.array(image, dtype=np.uint8)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB."""
    if image.mode.startswith(("I", "F")):
        return _deep_grey_to_rgb(image)
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    profile = image.info.get("icc_profile")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        colour = _profile_to_srgb(image.convert("RGB"), profile)
        white = Image.new("RGB", image.size, (255, 255, 255))
        white.paste(colour, mask=image.getchannel("A"))
        return white
    if image.mode not in ("RGB", "CMYK", "L", "LAB"):
        image = image.convert("RGB")
    return _profile_to_srgb(image, profile).convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Convert 16-bit, 32-bit and float grey, which Pillow's own conversion would clip at 255."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    if image.mode.startswith("I"):
        values = values / 257.0  # 16-bit white (65,535) → 255; wider integers hold 16-bit values too.
    elif values.max(initial=0.0) <= 1.0:
        values = values * 255.0  # Float pictures count to 1, a few to 255.
    grey = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _profile_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert from an embedded ICC profile; pictures that are sRGB already stay exactly as they are."""
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        return cast(Image.Image, ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # A broken profile, or one of another colour space: the plain values are the best guess.


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 [H, W, 3] sRGB, atomically, in the format that the name's ending asks for.

    Raises:
        UserError: Another ending, or the file cannot be written; nothing is changed then.
    """
    known = PICTURE_FORMATS.get(path.suffix.lower())
    if known is None:
        raise UserError(
            f"{path} does not say which kind of picture to write: end the name in .png, .jpg, .webp or .tif."
        )
    format_name, options = known
    with atomic_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format=format_name, **options)


@dataclass(frozen=True)
class Square:
    """A square of a picture, in pixels."""

    left: int
    top: int
    side: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Cut the square out of [H, W, …]: a copy, or `pixels` themselves where the square is all of them."""
        if pixels.shape[:2] == (self.side, self.side):
            return pixels
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side].copy()


def middle_square(width: int, height: int) -> Square:
    """Return the largest square in the middle of width × height."""
    side = min(width, height)
    return Square((width - side) // 2, (height - side) // 2, side)


def same_proportions(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether two sizes (width, height) show the same frame, up to one pixel of the smaller one."""
    (width_1, height_1), (width_2, height_2) = first, second
    return abs(width_1 * height_2 - width_2 * height_1) <= max(max(first), max(second))


def middle_squares(first: tuple[int, int], second: tuple[int, int]) -> tuple[Square, Square]:
    """Return the squares in the middle of two sizes (width, height) of the same frame that show the same part of it.

    Where one size is a whole multiple of the other, so is its square, position included; otherwise the two agree to
    half a pixel of the larger.
    """
    if first[0] * first[1] > second[0] * second[1]:
        larger, smaller = middle_squares(second, first)[::-1]
        return larger, smaller
    small = middle_square(*first)
    (width, height), (large_width, large_height) = first, second
    side = min(_scaled(small.side, large_width, width), large_width, large_height)
    left = min(_scaled(small.left, large_width, width), large_width - side)
    top = min(_scaled(small.top, large_height, height), large_height - side)
    return small, Square(left, top, side)


def _scaled(length: int, numerator: int, denominator: int) -> int:
    """Return length · numerator / denominator, rounded half up."""
    return (2 * length * numerator + denominator) // (2 * denominator)


FORMAT = Format("Photos", "photo", suffixes=(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"), order=90)


_GREY = 0  # PNG colour types
_PALETTE = 3


def read_label_map(path: str | os.PathLike[str]) -> np.ndarray:
    """Read class ids from a PNG as uint8 [H, W]; 255 means empty (no class).

    It reads index and grey PNGs of 1–8 bits (the stored numbers, whatever their colours), 16-bit grey with small
    values, and colour PNGs whose channels are equal. Nothing is scaled, converted or renumbered.

    Raises UserError for everything that `read_picture` refuses, and for files that cannot hold class ids: JPEG and
    other formats, colour photographs, 16-bit values above 255, transparency.
    """
    path = Path(path)
    loaded = load_image_file(path)
    if loaded.format in ("JPEG", "MPO"):
        raise UserError(f"{path} is a JPEG, whose compression changes class ids: save the label as an index PNG.")
    if loaded.format != "PNG":
        raise UserError(f"{path} is a {loaded.format} file: save the label as an index PNG.")
    if loaded.head[12:16] != b"IHDR":
        raise UserError(f"{path} is damaged or incomplete: get a whole copy of it.")
    bit_depth, color_type = loaded.head[24], loaded.head[25]
    if color_type == _PALETTE:
        return np.array(loaded.image, dtype=np.uint8)
    if color_type == _GREY:
        return _grey_ids(path, loaded, bit_depth)
    if bit_depth == 16:
        # Pillow keeps the high byte only, where a label has nothing but zeros.
        raise UserError(f"{path} holds 16-bit colours: save the label as an 8-bit index PNG.")
    return _equal_channels(path, np.asarray(loaded.image))


def encode_label_map(label_map: np.ndarray, palette: Palette) -> bytes:
    """Encode a label map, uint8 [H, W], as an index PNG (mode P, 8 bits) with the palette's colours.

    `read_label_map` returns the identical array, ids without a class included.
    """
    if label_map.dtype != np.uint8 or label_map.ndim != 2:
        raise ValueError(f"a label map is uint8 [H, W], not {label_map.dtype} {list(label_map.shape)}")
    image = Image.fromarray(np.ascontiguousarray(label_map))
    # All 256 entries, used or not: with fewer, Pillow would pack the indices into fewer bits.
    image.putpalette(palette.color_table.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _grey_ids(path: Path, loaded: ImageFile, bit_depth: int) -> np.ndarray:
    values: np.ndarray = np.asarray(loaded.image)
    if bit_depth == 16:
        if values.max() > EMPTY:
            raise UserError(
                f"{path} holds 16-bit values up to {int(values.max())}, but class ids go from 0 to 254: "
                "save the label as an 8-bit index PNG."
            )
        return values.astype(np.uint8)
    if bit_depth in (2, 4):
        # Pillow spreads these to 0–255; the ids are the numbers before that.
        values = values // (255 // (2**bit_depth - 1))
    return values.astype(np.uint8)


def _equal_channels(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Read ids from [H, W, 2–4] grey with alpha, RGB or RGBA, if the channels agree and nothing is transparent."""
    has_alpha = pixels.shape[2] in (2, 4)
    colours = pixels[:, :, :-1] if has_alpha else pixels
    if (colours != colours[:, :, :1]).any():
        raise UserError(
            f"{path} holds colours, not class ids: save the label as an index PNG (grey or palette), one id a pixel."
        )
    if has_alpha and (pixels[:, :, -1] != 255).any():
        raise UserError(f"{path} has transparent pixels: save the label as an index PNG without transparency.")
    return np.ascontiguousarray(colours[:, :, 0])
