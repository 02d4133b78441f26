"""The probe of the landscapes that ship with their exact labels."""

from __future__ import annotations

from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.fewshot.probe import LinearProbe, learn_probe
from smis_desktop.fewshot.transfer import LatentShot
from smis_desktop.gan.protocol import Generator
from smis_desktop.labels.shots import read_shots
from smis_desktop.resource_paths import resources_folder


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
