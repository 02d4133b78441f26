"""When a training reached each of its stages, in seconds since it was asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping

from smis_desktop.fewshot.events import (
    ClassesLearned,
    EncoderProgress,
    InvertingShots,
    LookingForStarts,
    ObedienceProgress,
    ShotInverted,
    TrainingEvent,
)

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
            case ObedienceProgress():
                if event.step == event.steps:
                    self.reach("obedience_trained")
            case LookingForStarts():
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
