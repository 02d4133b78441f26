"""Trainings of an encoder that is smaller than anybody would want: what it learns is tested elsewhere."""

from __future__ import annotations

import dataclasses

import pytest

from smis_desktop.training import run
from smis_desktop.training.events import TrainingRequest
from smis_desktop.training.training import TrainingSettings

SMALL = {
    "encoder_width": 8, "steps_per_round": 2, "batch_size": 4, "consistency_steps": 2, "consistency_batch_size": 2,
}  # fmt: skip


def small_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the monkeypatch is undone, all training runs have such an encoder."""
    settings_for = run.settings_for

    def small(request: TrainingRequest) -> TrainingSettings:
        return dataclasses.replace(settings_for(request), **SMALL)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "settings_for", small)
