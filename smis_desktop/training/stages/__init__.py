"""The stages of a training, each in a module of this package that registers itself.

To add a stage, add a module here with a class like this:

    @register_stage
    class Sharpening(Stage):
        name, position = "sharpening", 60
        milestone, milestone_text = "sharpened", "encoder sharpened"

        def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
            return 20.0

        def run(self, context: TrainingContext) -> None:
            for step in range(100):
                ...
                context.report(self, "Sharpening", step + 1, 100)

`smis train`, the window and `torchrun` then run it in its place, and their progress and remaining time include it.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

if TYPE_CHECKING:
    from smis_desktop.training.training import TrainingContext, TrainingSettings


class Stage(ABC):
    """One part of a training. It takes what it needs from the context and leaves its results there."""

    name: ClassVar[str]
    """Identifies the stage in progress events."""
    position: ClassVar[int]
    """Stages run in ascending order of their positions."""
    milestone: ClassVar[str]
    """Key under which `smis train --json` reports when the stage was finished."""
    milestone_text: ClassVar[str]
    """The same for people."""
    predicts_pace: ClassVar[bool] = True
    """Whether the speed of this stage predicts how fast the later ones will be."""

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        """Returns the duration on two ordinary cores, with that many photos to invert: the stage's weight in the
        progress bar.

        A stage that reports no progress has 0.
        """
        return 0.0

    def is_needed(self, context: TrainingContext) -> bool:
        """Returns whether the stage has anything to do in this training. All processes of a group get the same
        answer."""
        return True

    @abstractmethod
    def run(self, context: TrainingContext) -> None:
        """Does the work, or continues from what an interrupted run left in `context.store`, with the same result."""


AnyStage = TypeVar("AnyStage", bound=type[Stage])

STAGES: dict[str, Stage] = {}
"""The stages by name. `all_stages` returns them in order."""


def register_stage(stage: AnyStage) -> AnyStage:
    """Adds the stage to every training; a class decorator."""
    STAGES[stage.name] = stage()
    return stage


def all_stages() -> list[Stage]:
    """Returns the stages of all modules in this package, in the order in which they run."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(STAGES.values(), key=lambda stage: stage.position)
