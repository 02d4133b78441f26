"""The probe of the landscapes that ship with their exact labels."""

from __future__ import annotations

from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import LatentShot, LinearProbe
from smis_desktop.personal_model.probe_learning import learn_probe
from smis_desktop.resources import resources_folder


def landscapes_probe(generator: Generator) -> LinearProbe:
    """generator: `landscapes`."""
    folder = read_shots(resources_folder() / "landscapes-shots", "dense")
    shots = [
        LatentShot(
            shot.name,
            latents_of_seed(generator, int(shot.name.removeprefix("seed-")), 1.0),
            layout_channels(shot.label_map, folder.palette, "dense", generator.feature_resolution),
        )
        for shot in folder.shots
    ]
    return learn_probe(generator, shots, folder.palette.num_classes)
