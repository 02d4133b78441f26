"""What a training tells, on the terminal: progress, stage times."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.cli.console import Console
from smis_desktop.training.events import (
    ClassesLearned,
    EncoderProgress,
    InvertingShots,
    LayoutConsistencyProgress,
    SearchingInitialLatents,
    ShotInverted,
    TrainingEvent,
)
from smis_desktop.training.store import TrainingFolder

_WORDS = {
    "opened": "everything opened",
    "starts_found": "pictures found to search from",
    "photos_inverted": "photos inverted",
    "labels_learned": "labels learned",
    "first_usable_encoder": "first encoder that can be painted with",
    "encoder_trained": "encoder trained",
    "obedience_trained": "encoder trained for obedience",
    "written": "model written",
}


class StageTimes:
    """Make it when the training is asked for, give `tell` its events, and call `reach` for what is no event.

    What a resumed training had reached before is reached again when it gets there, which takes moments.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._reached: dict[str, float] = {}

    @property
    def reached(self) -> Mapping[str, float]:
        """{stage: seconds}, in the order in which they were reached; without the stages that there were not."""
        return {stage: round(seconds, 1) for stage, seconds in self._reached.items()}

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def reach(self, stage: str) -> None:
        """Now. Of a stage that is reached several times, as each photo does, the last time counts."""
        self._reached[stage] = self.seconds

    def tell(self, event: TrainingEvent) -> None:
        """Look at one event of the training."""
        match event:
            case ShotInverted():
                self.reach("photos_inverted")
            case ClassesLearned():
                self.reach("labels_learned")
            case EncoderProgress():
                if event.previews and "first_usable_encoder" not in self._reached:
                    self.reach("first_usable_encoder")
                if event.samples == event.total_samples:
                    self.reach("encoder_trained")
            case LayoutConsistencyProgress():
                if event.step == event.steps:
                    self.reach("obedience_trained")
            case SearchingInitialLatents():
                self.reach("starts_found")
            case InvertingShots():
                pass

    def table(self, inversions: Mapping[str, float]) -> list[str]:
        """A line a stage: when it was reached, and how long it took. inversions: {photo: seconds}."""
        lines, before = [f"{'seconds':<40}{'reached at':>12}{'took':>9}"], 0.0
        for stage, at in self._reached.items():
            lines.append(f"{_WORDS[stage]:<40}{at:>12.1f}{at - before:>9.1f}")
            before = at
            if stage == "photos_inverted":
                lines += [f"{f'  {name}':<52}{seconds:>9.1f}" for name, seconds in inversions.items()]
        return lines


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
        if isinstance(event, SearchingInitialLatents):
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

    def _tell_encoder(self, event: EncoderProgress | LayoutConsistencyProgress) -> None:
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
