"""Makes the contact sheets of docs/gallery.md and README.md: `python scripts/contact_sheets.py`, some minutes on two
cores.

Everything comes from what ships: the personal model for faces, the layouts of its shots and the example, and layouts
that this script draws, clumsy on purpose. In the gallery nothing is picked: the layouts are the first ones, the seeds
count up. The picture of classes of one's own needs a model of landscapes, and is left as it is without one:

    smis train resources/landscapes-shots --generator landscapes --samples 1280 --out build/landscapes.smismodel
    python scripts/contact_sheets.py --landscapes build/landscapes.smismodel
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.document import shapes  # noqa: E402
from smis_desktop.document.palette import Palette  # noqa: E402
from smis_desktop.document.reduction import reduce_label_map  # noqa: E402
from smis_desktop.document.style import FIRST_SEED, Style  # noqa: E402
from smis_desktop.formats.exported_picture import contact_sheet  # noqa: E402
from smis_desktop.formats.image_file import write_picture  # noqa: E402
from smis_desktop.formats.registry import read_layout  # noqa: E402
from smis_desktop.generators.generator import seeded_z  # noqa: E402
from smis_desktop.generators.store import open_generator  # noqa: E402
from smis_desktop.inference.backend_selection import open_chosen_backend  # noqa: E402
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer  # noqa: E402
from smis_desktop.landscapes.rendering import class_map  # noqa: E402
from smis_desktop.personal_model.model import read_personal_model  # noqa: E402
from smis_desktop.resources import default_model_path, example_layout_path  # noqa: E402
from smis_desktop.workers.preview_thread import STEPS_AT_REST  # noqa: E402

PICTURES = CHECKOUT / "docs" / "images"
SIDE, CELL = 256, 176
STYLES = 6
LAYOUTS = 5
README_LAYOUT = 2
README_CLUMSY = (0, 4, 5)
FIRST_LANDSCAPE, LANDSCAPE_SIDE, NUM_LATENTS = 100, 128, 512

Shape = tuple[str, float, float, float, float]
"""Class, and the ellipse's left, top, right and bottom in hundredths of the side."""

HEAD: tuple[Shape, ...] = (
    ("background", -50, -50, 150, 150),
    ("clothes", 8, 82, 92, 140),
    ("hair", 20, 8, 80, 72),
    ("neck", 38, 66, 62, 96),
    ("skin", 28, 22, 72, 84),
)
EYES: tuple[Shape, ...] = (("eyes", 35, 42, 45, 48), ("eyes", 55, 42, 65, 48))
BROWS: tuple[Shape, ...] = (("brows", 33, 35, 46, 38), ("brows", 54, 35, 67, 38))
NOSE: tuple[Shape, ...] = (("nose", 45, 46, 55, 61),)
MOUTH: tuple[Shape, ...] = (("mouth", 41, 66, 59, 73),)
SLOPPY: dict[str, tuple[Shape, ...]] = {
    "all there": HEAD + BROWS + EYES + NOSE + MOUTH,
    "no brows, no nose": HEAD + EYES + MOUTH,
    "huge eyes": (*HEAD, ("eyes", 31, 38, 47, 52), ("eyes", 53, 38, 69, 52), *NOSE, *MOUTH),
    "crooked": (
        *HEAD, ("brows", 32, 32, 45, 36), ("eyes", 34, 40, 44, 46), ("eyes", 56, 46, 66, 52), ("nose", 43, 48, 56, 64),
        ("mouth", 44, 70, 64, 76),
    ),
    "long hair": (
        HEAD[0], ("hair", 12, 6, 88, 110), *HEAD[1:2], *HEAD[3:], *BROWS, *EYES, *NOSE, *MOUTH,
    ),
    "big mouth, no hair": (*HEAD[:2], *HEAD[3:], *EYES, *NOSE, ("mouth", 36, 63, 64, 77)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Named:
    """A layout with its name. label_map: uint8 [S, S], read-only."""

    name: str
    label_map: np.ndarray


def shipped() -> Iterator[Named]:
    """Return the example, and layouts of the shots that the default model was trained on."""
    folder = CHECKOUT / "resources" / "faces-shots" / "labels"
    for path in [example_layout_path(), *sorted(folder.glob("*.png"))]:
        label_map = read_layout(path).label_map
        label_map.setflags(write=False)
        yield Named("example" if path == example_layout_path() else path.stem, label_map)


def scribbled(palette: Palette) -> Iterator[Named]:
    """Return a layout as a child would draw a face: a few ellipses."""
    ids = {c.name: c.class_id for c in palette.classes}
    for name, ellipses in SLOPPY.items():
        label_map = np.full((SIDE, SIDE), ids["background"], np.uint8)
        for class_name, *corners in ellipses:
            left, top, right, bottom = (SIDE * corner / 100 for corner in corners)
            found = shapes.ellipse((left, top), (right, bottom), SIDE)
            if found is not None:
                rect, mask = found
                label_map[rect.slices][mask] = ids[class_name]
        label_map.setflags(write=False)
        yield Named(name, label_map)


def colored(layout: Named, palette: Palette) -> np.ndarray:
    """Return a layout in colours, uint8 [S, S, 3], as the canvas shows it."""
    small = layout.label_map if len(layout.label_map) <= SIDE else reduce_label_map(layout.label_map, SIDE)
    return np.ascontiguousarray(palette.color_table[small][..., :3])


def landscape_layouts(count: int, side: int) -> Iterator[Named]:
    """Return layouts of the renderer that are not among the shots."""
    for number in range(count):
        seed = FIRST_LANDSCAPE + number
        label_map = class_map(seeded_z(seed, NUM_LATENTS).numpy(), side)[0]
        label_map.setflags(write=False)
        yield Named(f"layout {number + 1}", label_map)


def painter(path: Path) -> tuple[Palette, Callable[[Named, int, int], np.ndarray]]:
    """Open a personal model. Returns its palette and a function (layout, seed, refinement steps) → uint8 [S, S, 3]."""
    model = read_personal_model(path)
    generator = open_generator(model.generator_name, lambda text, fraction: None)
    backend = open_chosen_backend(generator, torch.get_num_threads(), lambda text, fraction: None)
    synthesizer = Synthesizer(generator, model, backend)
    side = min(SIDE, generator.img_resolution)

    def made(layout: Named, seed: int, steps: int) -> np.ndarray:
        request = PictureRequest(layout.label_map, Style.of_seed(seed), side, refine_steps=steps)
        return synthesizer.render(request).picture

    return model.palette, made


def write_sheet(name: str, cells: Sequence[tuple[np.ndarray, str]], columns: int) -> None:
    """Write NAME.jpg to docs/images, with pictures and their captions."""
    pictures, captions = zip(*cells, strict=True)
    write_picture(PICTURES / f"{name}.jpg", contact_sheet(pictures, captions, columns, CELL))


def main() -> None:
    """Write the sheets of the gallery, and the pictures of the README."""
    parser = argparse.ArgumentParser(description="Make the contact sheets of the documents.")
    parser.add_argument("--landscapes", type=Path, metavar="FILE", help="a personal model of landscapes")
    landscapes = parser.parse_args().landscapes

    palette, made = painter(default_model_path())
    layouts = list(shipped())
    clumsy = list(scribbled(palette))
    seeds = range(FIRST_SEED, FIRST_SEED + STYLES)

    def in_styles(layout: Named) -> list[tuple[np.ndarray, str]]:
        styles = [(made(layout, seed, STEPS_AT_REST), f"seed {seed}") for seed in seeds]
        return [(colored(layout, palette), layout.name), *styles]

    rows = [in_styles(layout) for layout in layouts[:LAYOUTS]]
    write_sheet("sheet-styles", [cell for row in rows for cell in row], 1 + STYLES)
    write_sheet("styles-of-one-layout", rows[README_LAYOUT], 1 + STYLES)

    for name, chosen in (("refinement", layouts[:8]), ("sloppy", clumsy)):
        cells = []
        for number, layout in enumerate(chosen):
            seed = FIRST_SEED + number
            cells += [
                (colored(layout, palette), layout.name),
                (made(layout, seed, 0), "encoder alone"),
                (made(layout, seed, STEPS_AT_REST), f"{STEPS_AT_REST} steps of refinement"),
            ]
        write_sheet(f"sheet-{name}", cells, 6)
        if name == "sloppy":
            of_readme = [cells[3 * number + part] for number in README_CLUMSY for part in (0, 2)]
            write_sheet("sloppy-layouts", of_readme, len(of_readme))

    if landscapes is not None:
        palette, made = painter(landscapes)
        cells = []
        for number, layout in enumerate(landscape_layouts(4, LANDSCAPE_SIDE)):
            cells += [
                (colored(layout, palette), layout.name),
                (made(layout, FIRST_SEED + number, STEPS_AT_REST), f"seed {FIRST_SEED + number}"),
            ]
        write_sheet("own-classes", cells, 8)


if __name__ == "__main__":
    main()
