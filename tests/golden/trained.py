"""The training that models of the golden files come of: small, and the same whenever it is begun or gone on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.sample_pool import FeatureCache
from smis_desktop.training.training import TrainingContext, TrainingFolder, TrainingSettings, describe, train
from tests.golden.subjects import PALETTE, shots

SETTINGS = TrainingSettings(
    samples=16, round_size=8, steps_per_round=40, batch_size=8, learning_rate=1e-2, encoder_width=8,
    consistency_steps=24, consistency_batch_size=2,
)  # fmt: skip
TRAIN_OPTIONS = (
    "--generator", "golden", "--samples", "16", "--inversion-steps", "24", "--transfer", "vectors",
)  # fmt: skip
"""Of `smis train`: over within seconds."""


def trained(
    generator: Generator,
    name: str,
    settings: TrainingSettings,
    stages: TrainingFolder,
    kind: str = "dense",
    on_event: Callable[[Any], None] = lambda event: None,
    kept: FeatureCache | None = None,
) -> PersonalModel:
    """From the two shots of that kind. Goes on from what `stages` holds, and refuses what is of another training."""
    given = shots(generator, kind)
    stages.open(describe(settings, [shot.name for shot in given]), resume=True)

    def no_photo() -> Any:
        raise AssertionError("there is no photo to invert")

    return train(
        TrainingContext(
            name, generator, given, PALETTE, settings, stages, on_event, no_photo,
            TorchBackend(generator, settings.precision), feature_cache=kept,
        )
    )  # fmt: skip
