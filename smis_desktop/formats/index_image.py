"""Index images of other label sets: ADE20K, COCO-Stuff and the like, whose ids mean something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smis_desktop.document.geometry import middle_square
from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.formats.import_proposal import ImportProposal, propose
from smis_desktop.formats.index_png import read_label_map


def propose_index_image(path: Path, palette: Palette) -> ImportProposal:
    """Ids that the palette has stay as they are; others are asked for. Raises UserError as `read_label_map` does."""
    label_map = read_label_map(path)
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
