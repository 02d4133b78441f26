"""The format of index images: one class id per pixel, from the program's own palettes or other label sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import encode_label_map, middle_square, read_label_map
from smis_desktop.formats.import_proposal import ImportProposal, propose
from smis_desktop.formats.registry import Export, Format, FoundFile, LayoutFile
from smis_desktop.storage.atomic import write_bytes


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
