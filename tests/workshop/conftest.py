"""A small generator in a data folder of its own, and a workshop with two shots of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.gan.pixels import to_rgb8
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.storage.workshop import Workshop, WorkshopFacts
from tests.commands.conftest import small, small_data

__all__ = ["small", "small_data"]

CLASSES = Palette((SemanticClass(1, "ground", (60, 60, 90)), SemanticClass(2, "thing", (240, 170, 90))))


@pytest.fixture
def workshop(tmp_path: Path, small: MobileStyleGAN) -> Workshop:
    """Two generated shots, labelled: bright where the first feature is strong."""
    made = Workshop.create(tmp_path / "workshops", WorkshopFacts("Things", "small", small.weights_sha256), CLASSES)
    for seed in (1, 2):
        picture, label = picture_and_label(small, seed)
        made.set_label(made.add_generated(picture, seed, 1.0), label)
    return made


def picture_and_label(generator: MobileStyleGAN, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What the generator makes of a seed, and labels that its features follow."""
    ws = latents_of_seed(generator, seed, 1.0)[None]
    with torch.inference_mode():
        picture = to_rgb8(generator.synthesis(ws)[0])
        feature = generator.label_features(ws)[64][0, 0]
        others = generator.label_features(latents_of_seed(generator, 0, 1.0)[None])[64][0, 0]
    label = np.where((feature > others.median()).numpy(), 2, 1).astype(np.uint8)
    return picture, label
