"""A small generator in a data folder of its own, and a workspace with two shots of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.generators.generator import latents_of_seed, to_rgb8
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from tests.cli.conftest import small, small_data, small_model

__all__ = ["small", "small_data", "small_model"]

CLASSES = Palette((SemanticClass(1, "ground", (60, 60, 90)), SemanticClass(2, "thing", (240, 170, 90))))


@pytest.fixture
def workspace(tmp_path: Path, small: MobileStyleGAN) -> Workspace:
    """Two generated shots, labelled as its features vary most."""
    made = Workspace.create(tmp_path / "workshops", WorkspaceSettings("Things", "small", small.weights_sha256), CLASSES)
    for seed in (1, 2):
        picture, label = picture_and_label(small, seed)
        made.set_label(made.add_generated(picture, seed, 1.0), label)
    return made


def picture_and_label(generator: MobileStyleGAN, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What the generator makes of a seed, and labels that its features follow: the sign along the direction in which
    its 8² features vary most."""
    ws = latents_of_seed(generator, seed, 1.0)[None]
    with torch.inference_mode():
        picture = to_rgb8(generator.synthesis(ws)[0])
        mean, std, direction = _widest_direction(generator)
        standardised = (generator.label_features(ws)[8] - mean[:, None, None]) / std[:, None, None]
        along = torch.einsum("c,nchw->nhw", direction, standardised)[:, None]
        side = generator.feature_resolution
        along = F.interpolate(along, size=(side, side), mode="bilinear")[0, 0]
    return picture, np.where((along > 0).numpy(), 2, 1).astype(np.uint8)


def _widest_direction(generator: MobileStyleGAN) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    maps = [generator.label_features(latents_of_seed(generator, seed, 1.0)[None])[8][0] for seed in range(20)]
    features = torch.cat([found.flatten(1) for found in maps], 1)
    mean, std = features.mean(1), features.std(1)
    standardised = (features - mean[:, None]) / std[:, None]
    return mean, std, torch.linalg.svd(standardised @ standardised.T)[0][:, 0]
