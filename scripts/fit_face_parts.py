"""Makes models/faces-parts.safetensors: the part prior of faces, learned from the twelve shipped pictures that were
labelled by hand (see `personal_model.label_transfer.learn_probe`).

`python scripts/fit_face_parts.py`, a minute on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.generator import FeatureKind, latents_of_seed  # noqa: E402
from smis_desktop.generators.store import (  # noqa: E402
    open_generator,
    write_part_prior,
)
from smis_desktop.personal_model.encoder import layout_channels  # noqa: E402
from smis_desktop.personal_model.label_transfer import LatentShot  # noqa: E402
from smis_desktop.personal_model.probe_learning import learn_probe  # noqa: E402
from smis_desktop.resources import models_folder, resources_folder  # noqa: E402
from smis_desktop.training.shots import read_generated_pictures  # noqa: E402


def main() -> None:
    """Write the file."""
    shots_folder = resources_folder() / "faces-shots"
    generator, folder = open_generator("faces"), read_shots(shots_folder)
    generated = read_generated_pictures(shots_folder)
    assert generated is not None, "the shipped shots come with their seeds"
    sides: dict[FeatureKind, int] = {
        "label": generator.feature_resolution,
        "fine": generator.fine_feature_resolution,
    }
    shots: dict[FeatureKind, list[LatentShot]] = {kind: [] for kind in sides}
    for shot in folder.shots:
        made = generated.by_name()[shot.name]
        ws = latents_of_seed(generator, made.seed, made.truncation)
        for kind, side in sides.items():
            shots[kind].append(
                LatentShot(shot.name, ws, layout_channels(shot.label_map, folder.palette, "dense", side))
            )
    weights = {
        kind: learn_probe(generator, of_kind, folder.palette.num_classes, kind=kind).weights
        for kind, of_kind in shots.items()
    }
    path = models_folder() / "faces-parts.safetensors"
    write_part_prior(path, generator.weights_sha256, weights, [c.name for c in folder.palette.classes])
    print(f"{path}: {folder.palette.num_classes} parts, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
