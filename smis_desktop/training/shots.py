"""The shots of a training, and which of them are the generator's own pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind
from smis_desktop.formats.generated_pictures import GeneratedPicture, read_generated_pictures
from smis_desktop.formats.shots_folder import ShotsFolder
from smis_desktop.generators.generator import Generator, from_rgb8, latents_of_seed
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.training.inversion import latent_pair
from smis_desktop.training.inversion_init import has_spatial_labels
from smis_desktop.training.workspace import is_found_by_label, kept_latents

_SIDE = 64
_MAX_RMS = 0.1
"""Of a range of 2. Saving as JPEG at any usual quality and another size stay far below it, other faces far above."""


def is_picture_of(generator: Generator, ws: Tensor, picture: np.ndarray) -> bool:
    """Whether `picture` (uint8 [S, S, 3]) is what the generator makes of `ws` [num_ws, 512], scaling and the losses
    of a file format aside. Somebody may have put another picture under the name."""
    with torch.no_grad():
        made = F.interpolate(generator.synthesis(ws[None]).clamp(-1, 1), size=(_SIDE, _SIDE), mode="area")
    given = F.interpolate(from_rgb8(picture, len(picture)), size=(_SIDE, _SIDE), mode="area")
    error = made - given.to(made.device)
    return float(error.square().mean().sqrt()) <= _MAX_RMS


class KnownLatents:
    """Looks pictures up in the `generated.json` of their folder, or of the shots folder that holds `images/`."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._listed: dict[Path, dict[str, GeneratedPicture]] = {}

    def of(self, path: Path, picture: np.ndarray) -> Tensor | None:
        """`ws` [num_ws, 512] of a picture (uint8 [S, S, 3], read from `path`); None where it is not this generator's.

        Raises UserError when a `generated.json` cannot be read.
        """
        entry = self._list(path.parent).get(path.stem)
        if entry is None and path.parent.name == "images":
            entry = self._list(path.parent.parent).get(path.stem)
        if entry is None:
            return None
        ws = latents_of_seed(self._generator, entry.seed, entry.truncation)
        return ws if is_picture_of(self._generator, ws, picture) else None

    def _list(self, folder: Path) -> dict[str, GeneratedPicture]:
        if folder not in self._listed:
            found = read_generated_pictures(folder)
            own = found is not None and found.weights_sha256 == self._generator.weights_sha256
            self._listed[folder] = found.by_name() if found is not None and own else {}
        return self._listed[folder]


def training_shots(
    path: Path, folder: ShotsFolder, generator: Generator, label_kind: LabelKind = "dense"
) -> list[TrainingShot]:
    """The folder's shots, with their latents where they are pictures of this generator, or were found in it before.

    Found before they were labelled does not count where labels show a better place to begin at."""
    known = KnownLatents(generator)
    side = generator.feature_resolution
    layouts = [layout_channels(shot.label_map, folder.palette, label_kind, side) for shot in folder.shots]
    labelled = [layout for layout in layouts if bool((layout != UNKNOWN_CHANNEL).any())]
    is_helped = bool(generator.part_prior) and bool(labelled) and has_spatial_labels(label_kind, labelled)
    shots = []
    for shot in folder.shots:
        ws = known.of(path / "images" / f"{shot.name}.png", shot.picture)
        kept = kept_latents(path, shot.name) if ws is None else None
        if kept is not None and is_helped and not is_found_by_label(path, shot.name):
            kept = None
        if kept is not None and kept["ws"].shape != (generator.num_ws, generator.w_dim):
            kept = None
        found = None if kept is None else latent_pair(kept)
        shots.append(TrainingShot(shot.name, shot.label_map, shot.picture, ws, found))
    return shots
