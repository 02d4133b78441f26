"""Where the search for a workspace's photo begins, once somebody has labelled it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from smis_desktop.document.palette import EMPTY, UNLABELLED_SPARSE_ID
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.training.feature_cache import FeatureCache
from smis_desktop.training.inversion_init import NUM_CANDIDATES, InversionInit, has_spatial_labels
from smis_desktop.training.training import TrainingSettings
from smis_desktop.training.workspace import Workspace


class SearchStarts:
    """Looks at random pictures when it is first needed, the same ones that a training looks at."""

    def __init__(self, generator: Generator, pictures: SynthesisBackend, on_pictures: Callable[[int], None]) -> None:
        """on_pictures: told how many so far. What it raises stops the look, which goes on from there next time."""
        settings = TrainingSettings(precision=pictures.precision)
        kept = FeatureCache.of(generator, settings)
        self._generator = generator
        self._starts = InversionInit(
            generator, pictures, settings.seed, settings.round_size, NUM_CANDIDATES, on_pictures, kept=kept
        )

    def of(self, workspace: Workspace, name: str, place: int) -> Tensor | None:
        """`w` [512] for that photo, by what is labelled in all shots so far; None while nothing is labelled in it, or
        only a few points are. place: see `InversionInit.of`."""
        facts, palette, side = workspace.facts, workspace.palette, self._generator.feature_resolution
        names, layouts = [], []
        for shot in workspace.shots():
            label = workspace.label(shot.name)
            if label is None:
                continue
            if facts.label_kind == "sparse":
                label = np.where(label == UNLABELLED_SPARSE_ID, np.uint8(EMPTY), label)  # as training reads it
            layout = layout_channels(label, palette, facts.label_kind, side)
            if bool((layout >= 0).any()):
                names.append(shot.name)
                layouts.append(layout)
        if name not in names or not has_spatial_labels(facts.label_kind, layouts):
            return None
        return self._starts.of(layouts, [None] * len(layouts), palette.num_classes, place)[names.index(name)]
