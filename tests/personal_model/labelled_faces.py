"""The faces that ship labelled by hand."""

from __future__ import annotations

from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import LatentShot
from smis_desktop.resources import resources_folder
from smis_desktop.training.shots import read_generated_pictures

CLASSES, SKIN = 12, 1
THIN = (3, 4)
"""Eyes and brows."""


def labelled_faces(generator: Generator, side: int = 64) -> list[LatentShot]:
    """generator: `faces`. side: of the labels."""
    folder = resources_folder() / "faces-shots"
    shots, generated = read_shots(folder), read_generated_pictures(folder)
    assert generated is not None
    assert shots.palette.num_classes == CLASSES
    made = generated.by_name()
    return [
        LatentShot(
            shot.name,
            latents_of_seed(generator, made[shot.name].seed, made[shot.name].truncation),
            layout_channels(shot.label_map, shots.palette, "dense", side),
        )
        for shot in shots.shots
    ]
