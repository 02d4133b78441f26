"""The first two stages: where the inversion of each photo starts, and the latents of the photos.

An optimisation ends near where it began. From the mean face a man with a cap became a bald one, whose labels then
made bald heads count as caps. But a labelled photo shows where its classes are, and the generator's part prior shows
where parts are in its random pictures. Nobody says which part a class is. So an inversion begins at the picture whose
parts have the highest mutual information with the classes, over all shots together (Viola & Wells 1997 align pictures
of different kinds so). Together, because in a single shot hair would pass for a cap, but not where another shot shows
hair too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.device import is_out_of_memory
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.label_transfer import LinearProbe, TrainingShot
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner, split_evenly
from smis_desktop.training.events import ShotInverted
from smis_desktop.training.inversion import Inversion, InversionSettings, InversionStep, run_inversions
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.sample_pool import FeatureStore, SamplePool
from smis_desktop.training.shots import has_spatial_labels, latent_pair
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.training import TrainingContext, TrainingSettings, TrainingStore

_CANDIDATES_SECONDS, _PHOTO_SECONDS = 14.0, 34.0
_SMALL_STEP = 1 / 3
"""Duration of an inversion step at half the side, relative to one at the full side."""
_CHECKPOINT_EVERY = 20
"""Steps between two checkpoints."""
_UNFINISHED = "inverting"
"""The store's name for inversions in progress; each shot's tensors are prefixed with its number."""
NUM_CANDIDATES = 1216
"""How many random pictures are enough: among so many, each of five faces, one with a cap, had its like."""
_SWEEPS = 8
"""Over all shots; the choice no longer changes after two or three."""


@register_stage
class InitialLatentsStage(Stage):
    """Finds the random picture whose classes are most like each photo's labels, where its inversion starts."""

    name, position = "starts", 10
    milestone, milestone_text = "starts_found", "initial latents found"
    predicts_pace = False  # a cache may hold the features of these pictures

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _CANDIDATES_SECONDS if num_photos else 0.0

    def is_needed(self, context: TrainingContext) -> bool:
        """Returns whether the generator has a part prior, labels are spatial, and any process has a photo to invert."""
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
    """Returns the fraction of an inversion's work that its first `steps` steps do."""
    small = settings.small_steps

    def work(steps: int) -> float:
        return _SMALL_STEP * min(steps, small) + max(0, steps - small)

    return work(steps) / work(settings.all_steps)


@dataclass(frozen=True, eq=False)
class InvertingShots:
    """A step of the inversion of several photos at once.

    numbers: their places among the `count` shots, from 1. best_loss: their mean. pictures: uint8 [256, 256, 3] each,
    with some of the steps.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    count: int
    step: int
    steps: int
    best_loss: float
    pictures: tuple[np.ndarray, ...] = field(default=(), repr=False)


class ShotInversion:
    """Inverts the photos among the shots: `latents()` gives the latents of all shots. Resumes from the store."""

    def __init__(
        self,
        generator: Generator,
        open_perceptual: Callable[[], PerceptualDistance],
        shots: Sequence[TrainingShot],
        settings: InversionSettings,
        store: TrainingStore,
        on_event: Callable[[InvertingShots | ShotInverted], None],
        group: ProcessGroup,
        starts: Callable[[], Sequence[Tensor | None]],
    ) -> None:
        """open_perceptual: called only if a photo has to be inverted. starts: likewise, by all processes or none; gives
        for each shot the `w` [512] to begin at, or None to begin where the settings say."""
        self._generator, self._open_perceptual = generator, open_perceptual
        self._shots, self._settings, self._store = shots, settings, store
        self._on_event, self._group = on_event, group
        self._perceptual: PerceptualDistance | None = None
        self._find_starts = starts
        self._starts: list[Tensor | None] = [None] * len(shots)

    def latents(self) -> list[Tensor]:
        """Returns for each shot [1, num_ws, 512] if the generator made it, else [2, num_ws, 512] (see `latent_pair`).

        The processes of the group take turns with the photos, and each gets all latents.
        """
        group = self._group
        unknown = [number for number, shot in enumerate(self._shots) if not shot.is_known]
        own = [number for number in unknown if number % group.size == group.rank]
        found = {number: before for number in unknown if (before := self._read(number)) is not None}
        missing = torch.tensor(float(sum(number not in found for number in own)))
        group.all_reduce(missing)
        if missing:
            self._starts = list(self._find_starts())
        for numbers in split_evenly(own, self._generator.device):
            if any(number not in found for number in numbers):
                found |= self._invert_in_memory(numbers)
        latents = []
        for number, shot in enumerate(self._shots):
            if shot.ws is not None:
                of_shot = shot.ws[None]
            elif shot.found is not None:
                of_shot = shot.found
            elif number in found:
                of_shot = latent_pair(found[number])
            else:
                of_shot = torch.empty(2, self._generator.num_ws, self._generator.w_dim)
            latents.append(group.broadcast(of_shot.cpu(), number % group.size))
        for number in unknown:
            if number % group.size:
                near, close = latents[number]
                self._store.write(f"inverted-{number}", {"ws": near, "close_ws": close})
        return latents

    def _read(self, number: int) -> dict[str, Tensor] | None:
        return self._store.read(f"inverted-{number}")

    def _invert_in_memory(self, numbers: list[int]) -> dict[int, dict[str, Tensor]]:
        """Inverts the shots at once, or one by one if there is too little memory for that."""
        try:
            return self._invert(numbers)
        except (MemoryError, RuntimeError) as error:
            if len(numbers) == 1 or not is_out_of_memory(error):
                raise
        found: dict[int, dict[str, Tensor]] = {}
        for number in numbers:
            found |= self._invert([number])
        return found

    def _invert(self, numbers: list[int]) -> dict[int, dict[str, Tensor]]:
        """Inverts the shots that are not in the store yet: an earlier run may have stopped in between."""
        inversions = {number: self._open(number) for number in numbers if self._read(number) is None}

        def on_step(step: InversionStep) -> None:
            running = [number for number, inversion in inversions.items() if inversion in step.inversions]
            pictures: tuple[np.ndarray, ...] = ()
            if step.step % _CHECKPOINT_EVERY == 0:
                self._write_checkpoint(inversions)
                pictures = tuple(inversion.best_draft() for inversion in step.inversions)
            self._on_event(
                InvertingShots(
                    names=tuple(self._shots[number].name for number in running),
                    numbers=tuple(number + 1 for number in running),
                    count=len(self._shots),
                    step=step.step,
                    steps=self._settings.all_steps,
                    best_loss=step.best_loss,
                    pictures=pictures,
                )
            )

        started = time.monotonic()
        with ThreadedRunner(len(numbers)) as runner:
            results = run_inversions(list(inversions.values()), on_step, runner)
        seconds = (time.monotonic() - started) / max(1, len(inversions))
        found = {}
        for number, result in zip(inversions, results, strict=True):
            name = self._shots[number].name
            by_label = self._starts[number] is not None
            figures = result.perceptual, result.psnr, result.latent_distance
            latents = result.ws.numpy(), result.reconstruction_ws.numpy()
            self._on_event(ShotInverted(name, *figures, seconds, by_label, *latents))
            found[number] = result.tensors()
            self._store.write(f"inverted-{number}", found[number])
        return found

    def _open(self, number: int) -> Inversion:
        """Opens the inversion of a shot, from its stored state or from the beginning."""
        shot = self._shots[number]
        if shot.picture is None:
            raise ValueError(f"shot {shot.name} has neither a picture nor latents")
        self._perceptual = self._perceptual or self._open_perceptual()
        start = self._starts[number]
        inversion = Inversion(self._generator, self._perceptual, shot.picture, self._settings, start)
        prefix = f"{number}."
        kept = self._store.read(_UNFINISHED) or {}
        state = {key.removeprefix(prefix): tensor for key, tensor in kept.items() if key.startswith(prefix)}
        if state:
            inversion.restore(state)
        return inversion

    def _write_checkpoint(self, inversions: dict[int, Inversion]) -> None:
        tensors: dict[str, Tensor] = {}
        for number, inversion in inversions.items():
            tensors |= {f"{number}.{key}": tensor for key, tensor in inversion.state().items()}
        self._store.write(_UNFINISHED, tensors)


class InversionInit:
    """Finds initial latents among random pictures, which it labels on the first call.

    The pictures are the first of those that an encoder is trained with (`SamplePool`): with a feature cache, they cost
    nothing.
    """

    def __init__(
        self,
        generator: Generator,
        pictures: SynthesisBackend,
        seed: int,
        round_size: int,
        count: int,
        on_pictures: Callable[[int], None],
        group: ProcessGroup = SINGLE_PROCESS,
        kept: FeatureStore | None = None,
    ) -> None:
        """seed, round_size, pictures, kept: a pool's seed, round size, backend and feature cache. count: the number of
        candidates, in whole rounds. on_pictures: receives how many are labelled so far.

        A generator without a part prior offers no initial latents.
        """
        self._generator, self._pictures, self._kept, self._group = generator, pictures, kept, group
        self._seed, self._round_size, self._count, self._on_pictures = seed, round_size, count, on_pictures
        weights = {r: found.to(generator.device) for r, found in generator.part_prior.items()}
        self._num_parts = max((len(found) for found in weights.values()), default=0)
        bias = generator.part_bias.get("label", torch.zeros(self._num_parts))
        self._parts = LinearProbe(weights, bias.to(generator.device))
        self._pool: SamplePool | None = None

    def of(
        self, layouts: Sequence[Tensor], located: Sequence[Tensor | None], num_classes: int, place: int = 0
    ) -> list[Tensor | None]:
        """Returns for each shot without latents the `w` [D] to start at; else None.

        Args:
            layouts: int64 [r, r] in channels, -1 where unknown.
            located: `ws` [num_ws, D] of the shots whose latents are known.
            place: 0 takes the best picture, 1 the second best, and so on.

        All processes of a group call it with the same arguments.
        """
        if not self._num_parts or all(ws is not None for ws in located):
            return [None] * len(layouts)
        pool = self._candidates()
        parts = pool.labels.long()
        seen = [parts if ws is None else self._parts_of(ws) for ws in located]
        tables = [
            _shares(layout.cpu(), of, num_classes, self._num_parts) for layout, of in zip(layouts, seen, strict=True)
        ]
        orders = _by_information(tables)
        place = min(place, len(pool) - 1)
        return [
            pool.w[order[place]] if ws is None and bool(table.any()) else None
            for ws, order, table in zip(located, orders, tables, strict=True)
        ]

    def _candidates(self) -> SamplePool:
        if self._pool is None:  # not before: a pool begins by computing a feature basis
            self._pool = SamplePool(
                self._generator, self._parts, self._seed, self._round_size, self._num_parts,
                self._pictures, self._group, self._kept,
            )  # fmt: skip
        while len(self._pool) < self._count:
            self._pool.grow()
            self._on_pictures(min(len(self._pool), self._count))
        return self._pool

    @torch.no_grad()
    def _parts_of(self, ws: Tensor) -> Tensor:
        ws = ws[None].to(self._generator.device)
        return self._parts.label(self._generator.label_features(ws)).cpu()


def _shares(layout: Tensor, parts: Tensor, num_classes: int, num_parts: int) -> Tensor:
    """Returns the fraction of the labelled area in each pair of class and part: float64 [N, num_classes, num_parts].

    `parts` int64 [N, r, r]. Fractions of a picture add up to 1, or to 0 where nothing is labelled.
    """
    labelled = layout != UNKNOWN_CHANNEL
    cells = layout[labelled] * num_parts + parts[:, labelled]
    table = torch.zeros(len(parts), num_classes * num_parts, dtype=torch.float64)
    table.scatter_add_(1, cells, table.new_ones(()).expand(cells.shape))
    return table.view(-1, num_classes, num_parts) / max(1, int(labelled.sum()))


def _by_information(tables: Sequence[Tensor]) -> list[Tensor]:
    """Returns for each shot the indices of its pictures, int64 [N_i], the most informative first given the others'
    best.

    tables: `_shares` of each shot. Shots are sorted again one after the other until no best picture changes.
    """
    orders = [_information(table).argsort(descending=True, stable=True) for table in tables]
    for _ in range(_SWEEPS):
        before = [int(order[0]) for order in orders]
        for number, table in enumerate(tables):
            others = [t[orders[n][0]] for n, t in enumerate(tables) if n != number]
            together = table + torch.stack(others).sum(0) if others else table
            orders[number] = _information(together).argsort(descending=True, stable=True)
        if before == [int(order[0]) for order in orders]:
            break
    return orders


def _information(tables: Tensor) -> Tensor:
    """Returns the mutual information of classes and parts, [N], in nats per share: `tables` [N, C, K] need not add up
    to 1."""

    def entropy(shares: Tensor) -> Tensor:
        return -torch.xlogy(shares, shares).flatten(1).sum(1)

    tables = tables / tables.sum((1, 2), keepdim=True).clamp_min(1e-12)
    return entropy(tables.sum(1)) + entropy(tables.sum(2)) - entropy(tables)
