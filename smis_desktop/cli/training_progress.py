"""Shows a training's events on the terminal: progress, notes, and when each stage finished."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from smis_desktop.cli.console import Console
from smis_desktop.training import stages
from smis_desktop.training.events import (
    ClassesLearned,
    FallsBackToCpu,
    RunOpened,
    SamplesChosen,
    ShotInverted,
    ShotsOpened,
    SmallerBatch,
    StageFinished,
    StageProgress,
    TrainingEvent,
    TrainingRequest,
)
from smis_desktop.training.training import TrainingFolder


class StageTimes:
    """The times at which a training reached its milestones, in seconds since this object was made.

    A resumed training reaches its earlier milestones again, within moments.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._reached: dict[str, float] = {}
        self._texts: dict[str, str] = {}

    @property
    def reached(self) -> Mapping[str, float]:
        """{milestone: seconds}, in the order in which they were reached."""
        return {milestone: round(seconds, 1) for milestone, seconds in self._reached.items()}

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def reach(self, milestone: str, text: str) -> None:
        """Record that the milestone is reached now; the last call for a milestone counts. text: its name for people."""
        self._reached[milestone] = self.seconds
        self._texts[milestone] = text

    def table(self, inversions: Mapping[str, float]) -> list[str]:
        """Return one line a milestone: when it was reached, and how long it took. inversions: {photo: seconds}."""
        lines, before = [f"{'seconds':<40}{'reached at':>12}{'took':>9}"], 0.0
        for milestone, at in self._reached.items():
            lines.append(f"{self._texts[milestone]:<40}{at:>12.1f}{at - before:>9.1f}")
            before = at
            if milestone == "photos_inverted":
                lines += [f"{f'  {name}':<52}{seconds:>9.1f}" for name, seconds in inversions.items()]
        return lines


class TrainingProgress:
    """Shows a training's events: pass `show` to a run as `on_event`. Holds the run's figures afterwards.

    inversions: {shot name: psnr, perceptual, latent_distance, seconds}. missing: classes that no shot holds.
    """

    def __init__(self, console: Console, request: TrainingRequest) -> None:
        self._console, self._request = console, request
        self._folder: TrainingFolder | None = None
        self.times = StageTimes()
        self.inversions: dict[str, dict[str, float]] = {}
        self.missing: tuple[str, ...] = ()

    @property
    def has_begun(self) -> bool:
        """Whether there is an unfinished training that can be resumed."""
        return self._folder is not None

    def show(self, event: TrainingEvent) -> None:
        """Show one event."""
        match event:
            case StageProgress():
                self._show_progress(event)
            case StageFinished():
                stage = stages.STAGES[event.stage]
                self.times.reach(stage.milestone, stage.milestone_text)
            case ShotsOpened():
                for note in event.notes:
                    self._console.note(note)
                if event.known:
                    self._console.note(
                        f"{event.known} of {event.count} pictures are known in the generator: they need no inversion."
                    )
            case SamplesChosen():
                self._console.note(f"About {event.minutes:g} minutes are enough for {event.samples:,} samples.")
            case RunOpened():
                self._show_opened(event)
            case ShotInverted():
                self._show_inverted(event)
            case ClassesLearned():
                self.missing = event.missing
                if event.missing:
                    self._console.warn(f"No shot holds {', '.join(event.missing)}: the model cannot learn it.")
            case SmallerBatch():
                self._console.warn(f"There is too little memory; it goes on in batches of {event.batch_size}.")
            case FallsBackToCpu():
                self._console.warn("The graphics card has too little memory; the processor goes on.")

    def _show_progress(self, event: StageProgress) -> None:
        self._console.progress(event.label, event.fraction)
        if event.shot_names:
            for number, picture in zip(event.shot_numbers, event.pictures, strict=False):
                self._write_picture(f"inverted-{number}.png", picture)
        elif event.pictures:
            if "first_usable_encoder" not in self.times.reached:
                self.times.reach("first_usable_encoder", "first encoder that can be painted with")
            self._write_picture("preview.png", np.concatenate(event.pictures, axis=1))

    def _show_opened(self, event: RunOpened) -> None:
        if self._request.on_unfinished == "resume" and not event.is_resumed:
            self._console.note(f"There is no unfinished training of {self._request.out} to go on with; it begins anew.")
        self._console.if_interrupted = "the same command with --resume goes on from here"
        self._console.note(f"Pictures of its progress are in {event.folder}.")
        self._folder = TrainingFolder(event.folder)
        self.times.reach("opened", "everything opened")

    def _show_inverted(self, event: ShotInverted) -> None:
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

    def _write_picture(self, name: str, picture: np.ndarray) -> None:
        assert self._folder is not None
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        self._folder.write_picture(name, buffer.getvalue())
