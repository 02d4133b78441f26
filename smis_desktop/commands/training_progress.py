"""What a training tells, brought to the terminal; its pictures go into the folder of its stages."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.commands.console import Console
from smis_desktop.commands.stage_times import StageTimes
from smis_desktop.fewshot.events import (
    ClassesLearned,
    EncoderProgress,
    InvertingShots,
    LookingForStarts,
    ObedienceProgress,
    ShotInverted,
    TrainingEvent,
)
from smis_desktop.storage.training_folder import TrainingFolder

_ENCODER = "Training the encoder"
_OBEDIENCE = "Teaching it to obey"


class TrainingProgress:
    """Give `tell` to `fewshot.training.train`; afterwards the figures of the inversions are here.

    inversions: {shot name: psnr, perceptual, latent_distance, seconds}. missing: classes that no shot holds.
    """

    def __init__(self, console: Console, stages: TrainingFolder, times: StageTimes) -> None:
        self._console, self._stages, self._times = console, stages, times
        self.inversions: dict[str, dict[str, float]] = {}
        self.missing: tuple[str, ...] = ()

    def tell(self, event: TrainingEvent) -> None:
        """Show one event."""
        self._times.tell(event)
        if isinstance(event, LookingForStarts):
            self._console.progress("Looking for pictures to search from", event.pictures / event.count)
        elif isinstance(event, InvertingShots):
            numbers = "–".join(str(number) for number in sorted({event.numbers[0], event.numbers[-1]}))
            words = f"Inverting {' and '.join(event.names)} ({numbers} of {event.count})"
            self._console.progress(words, event.step / event.steps)
            for number, picture in zip(event.numbers, event.pictures, strict=False):
                self._keep(f"inverted-{number}.png", picture)
        elif isinstance(event, ShotInverted):
            figures: dict[str, Any] = {
                "psnr": round(event.psnr, 2),
                "perceptual": round(event.perceptual, 4),
                "latent_distance": round(event.latent_distance, 3),
                "seconds": round(event.seconds, 1),
            }
            self.inversions[event.name] = figures
            self._console.note(
                f"{event.name}: found again at {event.psnr:.1f} dB (perceptual distance {event.perceptual:.3f}) "
                f"in {event.seconds:.0f} s."
            )
        elif isinstance(event, ClassesLearned):
            self.missing = event.missing
            if event.missing:
                self._console.warn(f"No shot holds {', '.join(event.missing)}: the model cannot learn it.")
            self._console.progress(_ENCODER, 0.0)
        else:
            self._tell_encoder(event)

    def _tell_encoder(self, event: EncoderProgress | ObedienceProgress) -> None:
        if isinstance(event, EncoderProgress):
            self._console.progress(_ENCODER, event.samples / event.total_samples)
        else:
            self._console.progress(_OBEDIENCE, event.step / event.steps)
        if event.previews:
            self._keep("preview.png", np.concatenate(event.previews, axis=1))

    def _keep(self, name: str, picture: np.ndarray) -> None:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        self._stages.write_picture(name, buffer.getvalue())
