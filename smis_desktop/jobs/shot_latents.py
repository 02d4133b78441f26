"""Which of the given pictures are the generator's own, by the `generated.json` beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from smis_desktop.fewshot.known_latents import is_picture_of, latents_of_seed
from smis_desktop.fewshot.layout_starts import say_where
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.fewshot.photo_latents import kept_pair
from smis_desktop.fewshot.pseudo_labels import UNKNOWN
from smis_desktop.fewshot.training_shot import TrainingShot
from smis_desktop.gan.protocol import Generator
from smis_desktop.labels.shots import LabelKind, ShotsFolder
from smis_desktop.storage.generated_pictures import GeneratedPicture, read_generated_pictures
from smis_desktop.storage.workshop import is_found_by_label, kept_latents


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
    labelled = [layout for layout in layouts if bool((layout != UNKNOWN).any())]
    is_helped = bool(generator.known_parts) and bool(labelled) and say_where(label_kind, labelled)
    shots = []
    for shot in folder.shots:
        ws = known.of(path / "images" / f"{shot.name}.png", shot.picture)
        kept = kept_latents(path, shot.name) if ws is None else None
        if kept is not None and is_helped and not is_found_by_label(path, shot.name):
            kept = None
        if kept is not None and kept["ws"].shape != (generator.num_ws, generator.w_dim):
            kept = None
        found = None if kept is None else kept_pair(kept)
        shots.append(TrainingShot(shot.name, shot.label_map, shot.picture, ws, found))
    return shots
