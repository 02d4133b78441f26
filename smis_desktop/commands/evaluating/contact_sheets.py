"""Pictures to look at: every method on the same layouts, and one layout in many styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from smis_desktop.commands.layouts import GivenLayout
from smis_desktop.jobs.picture_file import write_picture
from smis_desktop.labels.reduce import reduce_label_map
from smis_desktop.storage.contact_sheet import contact_sheet
from smis_desktop.style import Style
from smis_desktop.synthesis import PictureRequest, Synthesizer

_LAYOUTS, _STYLES, _SIDE = 4, 5, 256


def write(
    folder: Path,
    synthesizer: Synthesizer,
    layouts: Sequence[GivenLayout],
    pictures: Mapping[str, Sequence[np.ndarray]],
    refine_steps: int,
    seed: int,
) -> None:
    """`methods.jpg`: layout and one column a method; `styles.jpg`: layouts × styles, refined."""
    cells, captions = [], []
    for number in range(len(next(iter(pictures.values())))):
        cells.append(_colored(layouts[number], synthesizer))
        captions.append(layouts[number].path.stem)
        for name, found in pictures.items():
            cells.append(found[number])
            captions.append(name)
    write_picture(folder / "methods.jpg", contact_sheet(cells, captions, columns=1 + len(pictures)))
    cells, captions = [], []
    for layout in layouts[:_LAYOUTS]:
        cells.append(_colored(layout, synthesizer))
        captions.append(layout.path.stem)
        for style in range(seed, seed + _STYLES):
            request = PictureRequest(layout.label_map, Style.of_seed(style), _SIDE, refine_steps=refine_steps)
            cells.append(synthesizer.render(request).picture)
            captions.append(f"seed {style}")
    write_picture(folder / "styles.jpg", contact_sheet(cells, captions, columns=1 + _STYLES))


def _colored(layout: GivenLayout, synthesizer: Synthesizer) -> np.ndarray:
    small = reduce_label_map(layout.label_map, _SIDE) if len(layout.label_map) > _SIDE else layout.label_map
    colored: np.ndarray = synthesizer.palette.color_table[small][..., :3]
    return np.ascontiguousarray(colored)
