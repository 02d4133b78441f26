"""When a training's memory runs out: how that is told from other faults, and what may be tried instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smis_desktop.personal_model.model import PersonalModel
    from smis_desktop.training.training import TrainingSettings

_SMALLEST_BATCH = 2


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory, a graphics card's or the processor's, was too small. torch names it in words alone, sometimes."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def retry_with_smaller_batches(
    train: Callable[[TrainingSettings], PersonalModel],
    settings: TrainingSettings,
    told: Callable[[TrainingSettings], None],
) -> PersonalModel:
    """`train(settings)`, in half as large batches as often as memory is too small for them, `told` of each time.

    Raises what `train` raises, for want of memory only where batches are as small as they may be.
    """
    while True:
        try:
            return train(settings)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or settings.batch_size <= _SMALLEST_BATCH:
                raise
            settings = dataclasses.replace(
                settings,
                batch_size=max(_SMALLEST_BATCH, settings.batch_size // 2),
                obedience_batch_size=max(_SMALLEST_BATCH, settings.obedience_batch_size // 2),
            )
            told(settings)
