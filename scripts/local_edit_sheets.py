"""Makes the sheets of local edits in docs/gallery.md: `python scripts/local_edit_sheets.py`, some minutes on two cores.

The edits are those that scripts/measure_local_edits.py measures. Nothing is picked but the failures, which are named
here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.cli.console import Console  # noqa: E402
from smis_desktop.cli.opening import open_model, open_synthesizer  # noqa: E402
from smis_desktop.document.palette import Palette  # noqa: E402
from smis_desktop.evaluation.edit_measures import EditRenderer, ways  # noqa: E402
from smis_desktop.evaluation.local_edits import Edit, example_layout, recorded_edits, ten_edits  # noqa: E402
from smis_desktop.formats.exported_picture import contact_sheet  # noqa: E402
from smis_desktop.formats.image_file import write_picture  # noqa: E402
from smis_desktop.resources import default_model_path  # noqa: E402
from smis_desktop.workers.preview_thread import STEPS_AT_REST  # noqa: E402

PICTURES = CHECKOUT / "docs" / "images"
CELL = 168
IN_A_ROW = 5
README_EDITS = ("fringe", "open mouth", "thick glasses")
FAILURES = (
    ("hat", "seed 5003"),
    ("high collar", "example"),
    ("thin glasses", "seed 5005"),
    ("covered ears", "seed 5013"),
)

Cells = list[tuple[np.ndarray, str]]


def colored(layout: np.ndarray, palette: Palette) -> np.ndarray:
    """Return a layout in colours, uint8 [CELL, CELL, 3]."""
    colors = np.ascontiguousarray(palette.color_table[layout][..., :3])
    smaller: np.ndarray = cv2.resize(colors, (CELL, CELL), interpolation=cv2.INTER_AREA)
    return smaller


def rows_of(edits: Sequence[Edit], renderer: EditRenderer) -> Cells:
    """Return layout, picture before, picture as a whole and repainted picture of each edit."""
    whole, _, repainted = ways(STEPS_AT_REST)
    cells: Cells = []
    for edit in edits:
        before, layouts = renderer.before(edit.before), (edit.before, edit.after)
        cells += [
            (colored(edit.after, renderer.palette), edit.name),
            (before.picture, "before"),
            (renderer.after(whole, before, layouts).picture, "as a whole"),
            (renderer.after(repainted, before, layouts).picture, "repainted"),
        ]
    return cells


def one_after_another(renderer: EditRenderer) -> Cells:
    """Return ten edits that are painted one after another: layouts, repainted pictures, and the same as whole ones."""
    whole, _, repainted = ways(STEPS_AT_REST)
    layout = example_layout()
    shown = {whole: renderer.before(layout), repainted: renderer.before(layout)}
    layouts: Cells = []
    pictures: dict[str, Cells] = {"repainted": [], "as a whole": []}
    for number, (name, after) in enumerate(ten_edits(layout, renderer.palette), 1):
        layouts.append((colored(after, renderer.palette), f"{number}. {name}"))
        for way, caption in ((repainted, "repainted"), (whole, "as a whole")):
            shown[way] = renderer.after(way, shown[way], (layout, after))
            pictures[caption].append((shown[way].picture, caption))
        layout = after
    cells: Cells = []
    for first in range(0, len(layouts), IN_A_ROW):
        for row in (layouts, pictures["repainted"], pictures["as a whole"]):
            cells += row[first : first + IN_A_ROW]
    return cells


def write_sheet(name: str, cells: Cells, columns: int) -> None:
    """Write NAME.jpg to docs/images, with pictures and their captions."""
    pictures, captions = zip(*cells, strict=True)
    write_picture(PICTURES / f"{name}.jpg", contact_sheet(pictures, captions, columns, CELL))


def main() -> None:
    """Write the sheets."""
    console = Console(sys.stdout, sys.stderr)
    model = open_model(default_model_path())
    synthesizer = open_synthesizer(model, console)
    renderer = EditRenderer(synthesizer, STEPS_AT_REST)
    edits = recorded_edits(synthesizer.generator, model)
    of_example = [edit for edit in edits if edit.face == "example"]
    write_sheet("sheet-repainted", rows_of(of_example, renderer), 8)
    write_sheet("sheet-one-after-another", one_after_another(renderer), IN_A_ROW)
    failures = [edit for edit in edits if (edit.name, edit.face) in FAILURES]
    write_sheet("sheet-repainted-failures", rows_of(failures, renderer), 4)
    chosen = [edit for edit in of_example if edit.name in README_EDITS]
    write_sheet("repainted", rows_of(chosen, renderer), 4)


if __name__ == "__main__":
    main()
