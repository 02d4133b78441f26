"""Makes resources/landscapes-shots: pictures of the generator `landscapes` with the classes that its renderer knows.

Run after scripts/train_landscapes.py: python scripts/make_landscape_shots.py
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from smis_desktop.evaluation.ground_truth import exact_picture
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.generators.generator import to_rgb8
from smis_desktop.generators.store import open_generator
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.resources import resources_folder
from smis_desktop.training.shots import GeneratedPicture, GeneratedPictures, write_generated_pictures

SEEDS = (0, 1, 2, 3, 4)


def main() -> None:
    generator = open_generator("landscapes")
    folder = resources_folder() / "landscapes-shots"
    listed = []
    for seed in SEEDS:
        name = f"seed-{seed:04}"
        exact = exact_picture(generator, seed)
        listed.append(GeneratedPicture(name, seed, 1.0))
        _made(folder / "labels" / f"{name}.png").write_bytes(encode_label_map(exact.label_map, PALETTE))
        picture = to_rgb8(generator.synthesis(exact.ws[None])[0])
        Image.fromarray(picture).save(_made(folder / "images" / f"{name}.png"), optimize=True)
    classes = [{"id": c.class_id, "name": c.name, "color": "#" + bytes(c.color).hex()} for c in PALETTE.classes]
    (folder / "classes.json").write_text(json.dumps({"classes": classes}, indent=1) + "\n", encoding="utf-8")
    write_generated_pictures(folder, GeneratedPictures(generator.name, generator.weights_sha256, tuple(listed)))


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()
