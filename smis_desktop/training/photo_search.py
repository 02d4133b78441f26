"""The photos among a training's shots are looked for in the generator: several side by side, resumable exactly."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.device import is_out_of_memory
from smis_desktop.generators.generator import Generator
from smis_desktop.personal_model.label_transfer import TrainingShot
from smis_desktop.training.distributed import ProcessGroup
from smis_desktop.training.events import InvertingShots, ShotInverted
from smis_desktop.training.inversion import Inversion, InversionSettings, InversionStep, run_inversions
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.shots import latent_pair
from smis_desktop.training.store import TrainingStore
from smis_desktop.training.threaded_runner import ThreadedRunner, split_evenly

_CHECKPOINT_EVERY = 20
"""Steps between two checkpoints."""
_UNDER_WAY = "inverting"
"""Under this name the store has the searches under way, each shot's tensors under its number."""


class ShotInversion:
    """`latents()` gives those of all shots; what was found before is read from the store."""

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
        """open_perceptual: called only if a photo is to be inverted. starts: so too, by all processes if by one; for
        each shot the `w` [512] to begin at, None where the settings say where."""
        self._generator, self._open_perceptual = generator, open_perceptual
        self._shots, self._settings, self._store = shots, settings, store
        self._on_event, self._group = on_event, group
        self._perceptual: PerceptualDistance | None = None
        self._find_starts = starts
        self._starts: list[Tensor | None] = [None] * len(shots)

    def latents(self) -> list[Tensor]:
        """[1, num_ws, 512] of a picture that the generator made, else [2, num_ws, 512] as `latent_pair` gives them.

        Every process takes the next photo in turn, and all of them get all latents."""
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
                found |= self._find_in_memory(numbers)
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

    def _find_in_memory(self, group: list[int]) -> dict[int, dict[str, Tensor]]:
        """One after the other if memory is too small for all at once, the first from where it had come to."""
        try:
            return self._find(group)
        except (MemoryError, RuntimeError) as error:
            if len(group) == 1 or not is_out_of_memory(error):
                raise
        found: dict[int, dict[str, Tensor]] = {}
        for number in group:
            found |= self._find([number])
        return found

    def _find(self, group: list[int]) -> dict[int, dict[str, Tensor]]:
        """Of those in the group that are not found yet: a stop may have come when some of them were written."""
        numbers = [number for number in group if self._read(number) is None]
        inversions = {number: self._begun(number) for number in numbers}

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
        with ThreadedRunner(len(group)) as runner:
            results = run_inversions(list(inversions.values()), on_step, runner)
        seconds = (time.monotonic() - started) / max(1, len(inversions))
        found = {}
        for number, result in zip(inversions, results, strict=True):
            name = self._shots[number].name
            by_label = self._starts[number] is not None
            self._on_event(
                ShotInverted(
                    name,
                    result.perceptual,
                    result.psnr,
                    result.latent_distance,
                    seconds,
                    by_label,
                    result.ws.numpy(),
                    result.reconstruction_ws.numpy(),
                )
            )
            found[number] = result.tensors()
            self._store.write(f"inverted-{number}", found[number])
        return found

    def _begun(self, number: int) -> Inversion:
        """Where it was left, or from the beginning."""
        shot = self._shots[number]
        if shot.picture is None:
            raise ValueError(f"shot {shot.name} has neither a picture nor latents")
        self._perceptual = self._perceptual or self._open_perceptual()
        start = self._starts[number]
        inversion = Inversion(self._generator, self._perceptual, shot.picture, self._settings, start)
        prefix = f"{number}."
        kept = self._store.read(_UNDER_WAY) or {}
        state = {key.removeprefix(prefix): tensor for key, tensor in kept.items() if key.startswith(prefix)}
        if state:
            inversion.restore(state)
        return inversion

    def _write_checkpoint(self, inversions: dict[int, Inversion]) -> None:
        states = {number: inversion.state() for number, inversion in inversions.items()}
        self._store.write(
            _UNDER_WAY, {f"{number}.{key}": tensor for number, state in states.items() for key, tensor in state.items()}
        )
