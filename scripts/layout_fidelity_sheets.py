"""Makes the sheets of layouts and their pictures in docs/gallery.md: `python scripts/layout_fidelity_sheets.py`, some
minutes on two cores.

The layouts are the first ones of `evaluation.unseen_layouts`, in the classes of the model that ships. Nothing is
picked: the failures are those that the face reader finds worst. Thin things are shown at 100 %, cut out of the full
picture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.measure_layout_fidelity import VARIANTS, replaced  # noqa: E402
from smis_desktop.cli.console import Console  # noqa: E402
from smis_desktop.cli.opening import open_model, open_synthesizer  # noqa: E402
from smis_desktop.document.palette import Palette  # noqa: E402
from smis_desktop.document.style import Style  # noqa: E402
from smis_desktop.evaluation.face_reader import open_face_reader  # noqa: E402
from smis_desktop.evaluation.judges import PixelJudge  # noqa: E402
from smis_desktop.evaluation.local_edits import (  # noqa: E402
    edited,
    example_layout,
    open_mouth,
    raised_brows,
    thin_glasses,
    wider_eyes,
)
from smis_desktop.evaluation.metrics import mean_iou  # noqa: E402
from smis_desktop.evaluation.unseen_layouts import unseen_layouts  # noqa: E402
from smis_desktop.formats.exported_picture import contact_sheet  # noqa: E402
from smis_desktop.formats.image_file import write_picture  # noqa: E402
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer  # noqa: E402
from smis_desktop.resources import default_model_path  # noqa: E402

PICTURES = CHECKOUT / "docs" / "images"
SIDE, CELL, CUT = 512, 176, 352
NUM_LAYOUTS, SHOWN, FAILURES = 16, 8, 4
SHOWN_VARIANTS = ("encoder alone", "one latent", "refined")
THIN = (wider_eyes, raised_brows, thin_glasses, open_mouth)

Cells = list[tuple[np.ndarray, str]]


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description="Make the sheets of layouts and their pictures.")
    parser.add_argument("--out", type=Path, default=PICTURES, help="where to (default: %(default)s)")
    parser.add_argument("--model", type=Path, default=default_model_path(), help="of the shipped model's classes")
    arguments = parser.parse_args()
    console = Console(sys.stdout, sys.stderr)
    synthesizer = open_synthesizer(open_model(arguments.model), console)
    palette = synthesizer.palette
    judge = PixelJudge(open_face_reader(), palette)
    rows: list[Cells] = []
    scores = []
    named = unseen_layouts(synthesizer.generator, open_model(default_model_path()), NUM_LAYOUTS)
    for number, (name, layout) in enumerate(named):
        console.progress("Rendering", number / NUM_LAYOUTS)
        results = [rendered(synthesizer, variant, layout, number, SIDE) for variant in SHOWN_VARIANTS]
        captions = zip(results, SHOWN_VARIANTS, strict=True)
        rows.append([(colored(layout, palette), name), *((result.picture, words) for result, words in captions)])
        scores.append(mean_iou(judge.compare(layout, results[-1])))
    write(arguments.out / "sheet-layouts.jpg", [cell for row in rows[:SHOWN] for cell in row], 8, CELL)
    worst = np.argsort(scores)[:FAILURES]
    write(arguments.out / "sheet-layout-failures.jpg", [cell for i in worst for cell in rows[i]], 4, CELL)
    write(arguments.out / "sheet-thin.jpg", thin_things(synthesizer), 3, CUT)


def rendered(synthesizer: Synthesizer, variant: str, layout: np.ndarray, seed: int, side: int) -> PictureResult:
    """Render a layout by one of the variants that scripts/measure_layout_fidelity.py compares."""
    chosen = next(v for v in VARIANTS if v.name == variant)
    request = PictureRequest(layout, Style.of_seed(seed), side, refine_steps=chosen.steps)
    with replaced(chosen.constants):
        return Synthesizer(synthesizer.generator, synthesizer.model, synthesizer.backend).render(request)


def thin_things(synthesizer: Synthesizer) -> Cells:
    """Return eyes, brows, rims and lips of the example at 100 %: what is painted, one latent, regions."""
    full, cells = synthesizer.full_size, []
    for kind in THIN:
        layout = edited(example_layout(), kind, synthesizer.palette)
        assert layout is not None, "the example has a whole face"
        name = kind.__name__.replace("_", " ")
        rows, columns = np.nonzero(layout != example_layout())
        middle = np.array([rows.mean(), columns.mean()]) * full / len(layout)
        top, left = (int(np.clip(c - CUT / 2, 0, full - CUT)) for c in middle)
        cut = slice(top, top + CUT), slice(left, left + CUT)
        large = cv2.resize(layout, (full, full), interpolation=cv2.INTER_NEAREST)
        cells.append((colored(large, synthesizer.palette)[cut], name))
        for variant in SHOWN_VARIANTS[1:]:
            cells.append((rendered(synthesizer, variant, layout, 0, full).picture[cut], variant))
    return cells


def colored(layout: np.ndarray, palette: Palette) -> np.ndarray:
    """Return a layout in its classes' colours, uint8 [S, S, 3]."""
    return np.ascontiguousarray(palette.color_table[layout][..., :3])


def write(path: Path, cells: Cells, columns: int, side: int) -> None:
    """Write pictures and their captions."""
    pictures, captions = zip(*cells, strict=True)
    write_picture(path, contact_sheet(pictures, captions, columns, side))
    print(path, flush=True)


if __name__ == "__main__":
    main()
