"""The first two stages: where the search for each photo begins, and the latents of the photo."""

from __future__ import annotations

import torch

from smis_desktop.training.events import InvertingShots, ShotInverted
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.inversion_init import NUM_CANDIDATES, InversionInit
from smis_desktop.training.photo_search import ShotInversion
from smis_desktop.training.shots import has_spatial_labels
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.training import TrainingContext, TrainingSettings

_CANDIDATES_SECONDS, _PHOTO_SECONDS = 14.0, 34.0
_SMALL_STEP = 1 / 3
"""Duration of an inversion step at half the side, relative to one at the full side."""


@register_stage
class InitialLatentsStage(Stage):
    """Finds the random picture most like each photo's labels: there the photo's inversion begins."""

    name, position = "starts", 10
    milestone, milestone_text = "starts_found", "initial latents found"
    predicts_pace = False  # a cache may hold the features of these pictures

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _CANDIDATES_SECONDS if num_photos else 0.0

    def is_needed(self, context: TrainingContext) -> bool:
        """Only where the generator knows parts, labels have an extent, and a photo of any process is not inverted."""
        if not context.generator.part_prior or not has_spatial_labels(context.settings.label_kind, context.layouts):
            return False
        numbers = [number for number, shot in enumerate(context.shots) if not shot.is_known]
        missing = torch.tensor(float(sum(context.store.read(f"inverted-{number}") is None for number in numbers)))
        context.group.all_reduce(missing)
        return bool(missing)

    def run(self, context: TrainingContext) -> None:
        settings = context.settings
        count = min(NUM_CANDIDATES, settings.samples)
        candidates = InversionInit(
            context.generator, context.backend, settings.seed, settings.round_size, count,
            lambda done: context.report(self, "Searching for initial latents", done, count),
            context.group, context.feature_cache,
        )  # fmt: skip
        located = [shot.ws if shot.found is None else shot.found[0] for shot in context.shots]
        context.initial_latents = candidates.of(context.layouts, located, context.palette.num_classes)


@register_stage
class InversionStage(Stage):
    """Inverts the photos among the shots."""

    name, position = "inverting", 20
    milestone, milestone_text = "photos_inverted", "photos inverted"

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _PHOTO_SECONDS * num_photos

    def is_needed(self, context: TrainingContext) -> bool:
        return not all(shot.is_known for shot in context.shots)

    def run(self, context: TrainingContext) -> None:
        photos = sum(not shot.is_known for shot in context.shots)
        inverted = 0

        def on_event(event: InvertingShots | ShotInverted) -> None:
            nonlocal inverted
            if isinstance(event, ShotInverted):
                inverted += 1
                context.send(event)
                return
            numbers = "–".join(str(number) for number in sorted({event.numbers[0], event.numbers[-1]}))
            done = inverted + len(event.names) * _work_share(event.step, context.settings.inversion)
            context.report(
                self,
                f"Inverting {' and '.join(event.names)} ({numbers} of {event.count})",
                event.step,
                event.steps,
                stage_done=min(1.0, done / photos),
                loss=event.best_loss,
                shot_names=event.names,
                shot_numbers=event.numbers,
                pictures=event.pictures,
            )

        search = ShotInversion(
            context.generator, context.open_perceptual, context.shots, context.settings.inversion, context.store,
            on_event, context.group, lambda: context.initial_latents,
        )  # fmt: skip
        context.shot_latents = list(search.latents())


def _work_share(steps: int, settings: InversionSettings) -> float:
    """The fraction of an inversion's work that its first `steps` steps are."""
    small = settings.small_steps

    def work(steps: int) -> float:
        return _SMALL_STEP * min(steps, small) + max(0, steps - small)

    return work(steps) / work(settings.all_steps)
