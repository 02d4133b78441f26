"""Writes layouts of faces that no model was taught with, for `smis evaluate`:
`python scripts/make_unseen_layouts.py FOLDER [--count 16] [--shots SHOTS]`, a second a layout.

They are in CelebAMask-HQ's classes, for models that were trained on its labels, or with `--shipped` in those of the
model that ships. SHOTS: a shots folder with CelebAMask-HQ's labels, whose mirror images are added.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.document.palette import Palette, SemanticClass, default_color  # noqa: E402
from smis_desktop.evaluation.face_classes import CELEBAMASK_CLASSES  # noqa: E402
from smis_desktop.evaluation.unseen_layouts import as_celebamask, mirrored_celebamask, unseen_layouts  # noqa: E402
from smis_desktop.formats.image_file import encode_label_map  # noqa: E402
from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.store import open_generator  # noqa: E402
from smis_desktop.personal_model.model import read_personal_model  # noqa: E402
from smis_desktop.resources import default_model_path  # noqa: E402
from smis_desktop.storage.atomic import write_bytes  # noqa: E402


def main() -> None:
    """Write the layouts as index PNGs."""
    parser = argparse.ArgumentParser(description="Write layouts of faces that no model was taught with.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=16, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--shots", type=Path, metavar="SHOTS", help="add the mirror images of these labels")
    parser.add_argument("--shipped", action="store_true", help="in the classes of the model that ships")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    model = read_personal_model(default_model_path())
    palette = model.palette
    if not arguments.shipped:
        named = enumerate(CELEBAMASK_CLASSES)
        palette = Palette(tuple(SemanticClass(i, name, default_color(i)) for i, name in named))
    if arguments.shots is not None:
        for shot in read_shots(arguments.shots).shots:
            mirrored = mirrored_celebamask(shot.label_map)
            write_bytes(folder / f"mirrored-{shot.name}.png", encode_label_map(mirrored, palette))
    for name, layout in unseen_layouts(open_generator("faces"), model, arguments.count):
        own = layout if arguments.shipped else as_celebamask(layout)
        write_bytes(folder / f"{name}.png", encode_label_map(own, palette))
        print(folder / f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
