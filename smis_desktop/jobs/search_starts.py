"""Where the search for a workshop's photo begins, once somebody has labelled it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from smis_desktop.fewshot.layout_starts import LOOKED_AT, LayoutStarts, say_where
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.fewshot.training import TrainingSettings
from smis_desktop.gan.pictures import Pictures
from smis_desktop.gan.protocol import Generator
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.shots import UNKNOWN
from smis_desktop.storage.kept_features import KeptFeatures
from smis_desktop.storage.workshop import Workshop


class SearchStarts:
    """Looks at random pictures when it is first needed, the same ones that a training looks at."""

    def __init__(self, generator: Generator, pictures: Pictures, on_pictures: Callable[[int], None]) -> None:
        """on_pictures: told how many so far. What it raises stops the look, which goes on from there next time."""
        settings = TrainingSettings(precision=pictures.precision)
        kept = KeptFeatures.of(generator, settings)
        self._generator = generator
        self._starts = LayoutStarts(
            generator, pictures, settings.seed, settings.round_size, LOOKED_AT, on_pictures, kept=kept
        )

    def of(self, workshop: Workshop, name: str, place: int) -> Tensor | None:
        """`w` [512] for that photo, by what is labelled in all shots so far; None while nothing is labelled in it, or
        only a few points are. place: see `LayoutStarts.of`."""
        facts, palette, side = workshop.facts, workshop.palette, self._generator.feature_resolution
        names, layouts = [], []
        for shot in workshop.shots():
            label = workshop.label(shot.name)
            if label is None:
                continue
            if facts.label_kind == "sparse":
                label = np.where(label == UNKNOWN, np.uint8(EMPTY), label)  # as training reads it
            layout = layout_channels(label, palette, facts.label_kind, side)
            if bool((layout >= 0).any()):
                names.append(shot.name)
                layouts.append(layout)
        if name not in names or not say_where(facts.label_kind, layouts):
            return None
        return self._starts.of(layouts, [None] * len(layouts), palette.num_classes, place)[names.index(name)]
