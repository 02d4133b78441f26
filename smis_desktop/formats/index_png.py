"""Index PNGs: one class id per pixel, from the program's own palettes or other label sets."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import ImageFile, load_image_file, middle_square
from smis_desktop.formats.import_proposal import ImportProposal, propose
from smis_desktop.formats.registry import Export, Format, FoundFile, LayoutFile
from smis_desktop.storage.atomic import write_bytes

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


def _read_layout(path: Path) -> LayoutFile:
    """Read a layout; one that is not square is cropped to its middle, and a note says so.

    Raises UserError for everything that `read_label_map` refuses, and for a layout with nothing but 255 in it.
    """
    label_map = read_label_map(path)
    height, width = label_map.shape
    square = middle_square(width, height)
    notes = (
        (f"{path.name}: the layout is not square ({width}×{height}); its middle {square.side}×{square.side} is used.",)
        if width != height
        else ()
    )
    label_map = square.of(label_map)
    if (label_map == EMPTY).all():
        raise UserError(f"{path} has no labelled pixel: paint at least one class into it.")
    return LayoutFile(label_map, notes)


def _propose(path: Path, palette: Palette) -> ImportProposal | None:
    """Propose to keep the ids that the palette has; other label sets (ADE20K, COCO-Stuff …) need an answer.

    None for a file without class ids.
    """
    try:
        label_map = read_label_map(path)
    except UserError:
        return None
    height, width = label_map.shape
    notes: tuple[str, ...] = ()
    if height != width:
        label_map = middle_square(width, height).of(label_map)
        notes = (f"{path.name} is not square: its middle was taken.",)
    values = np.where(label_map == EMPTY, -1, label_map.astype(np.int16))
    known = {c.class_id: c for c in palette.classes}
    return propose(
        "An index image",
        values,
        {i: known[i].name if i in known else f"id {i}" for i in range(256)},
        {i: c.color for i, c in known.items()},
        {i: i for i in known},
        is_certain=bool(np.isin(values[values >= 0], list(known)).all()),
        notes=notes,
    )


def _write(path: Path, export: Export) -> Sequence[Path]:
    write_bytes(path, encode_label_map(export.label_map, export.document.palette))
    return [path]


def _is_file(found: FoundFile) -> bool:
    return not found.is_folder


FORMAT = Format(
    "Index image",
    "layout",
    suffixes=(".png",),
    order=60,
    recognises=_is_file,
    read_document=_propose,
    read_layout=_read_layout,
    layout_name="index PNGs",
    write=_write,
)
