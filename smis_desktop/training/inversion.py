"""Inversion: optimises latents `ws` until their picture is a given photo (Endo & Kanamori 2021, section 3.1).

The paper minimises L2 + 0.8 × LPIPS at 256². `Inversion` differs in three ways: it optimises the latents in whitened
coordinates, where a step is equally long along narrow and wide axes of `w`; it penalises their mean square, the
negative log-likelihood of a Gaussian fitted to real latents; and it compares pictures of half the side, in half the
time, since these steps place the head and not its pores.

The result lies near real latents and looks real, but shows a different person. A fine phase (`FineInversion`) then
optimises `ws` directly, on absolute differences, which keep their gradient where errors are small, and without a
penalty: the person is recognised, at some distance from real latents. Both latents are returned;
`smis_desktop.training.shots.training_latents` says what is learned from them. The perceptual distance takes a good part
of a fine step's time and its gradient changes little from one step to the next, so only every second fine step computes
it, and every third of those at the full side (docs/experiments/inversion.md).

`run_inversions` drives one or several inversions; all callers use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator, from_rgb8, to_rgb8
from smis_desktop.training.distributed import ThreadedRunner
from smis_desktop.training.perceptual import PerceptualDistance

_FULL_SIDE, _HALF_SIDE = 256, 128
_FINE_LEARNING_RATE = 0.14
_FINE_WARM_UP = 20
"""Fine steps until that rate is reached. Adam's first steps are equally long along all directions, also along those
that do not matter: at the full rate they destroyed the picture, which now and then never recovered."""
_DIVERGED = 1.5
"""A loss of this many times the best one means a step too far: the fine phase restarts at the best latents."""
_FINE_PERCEPTUAL_WEIGHT = 0.1
_FINE_PERCEPTUAL_EVERY = {_HALF_SIDE: 2, _FULL_SIDE: 3}
"""Side → how many fine steps share one perceptual distance; its weight makes up for the others."""
_RESTART_STD = 0.4
"""Standard deviations from the mean at which a repeated inversion starts."""


@dataclass(frozen=True)
class InversionSettings:
    """Everything that determines an inversion, given the photo and the generator."""

    steps: int = 80
    learning_rate: float = 0.1
    perceptual_weight: float = 0.8
    prior_weight: float = 0.02
    shared_steps: float = 0.5
    """The first part of the steps optimises one `w` for all slots; after that every slot has its own."""
    close_steps: float = 1.5
    """The number of fine steps, as a multiple of `steps`."""
    large_steps: float = 0.66
    """The last part of the fine steps compares pictures of 256², all other steps of 128²."""
    start: int = 0
    """0 starts at the mean latent; any other number is the seed of a place near it, for another attempt."""

    @classmethod
    def of(cls, steps: int | None = None, start: int = 0) -> InversionSettings:
        """Returns the default settings with these two; None leaves the number of steps as it is."""
        return cls(start=start) if steps is None else cls(steps=steps, start=start)

    @property
    def all_steps(self) -> int:
        """The number of steps, fine ones included."""
        return self.steps + math.floor(self.close_steps * self.steps)

    @property
    def small_steps(self) -> int:
        """The number of first steps that compare pictures of 128²."""
        return self.all_steps - math.ceil(self.large_steps * (self.all_steps - self.steps))


@dataclass(frozen=True)
class InversionProgress:
    """The state of one inversion after a step. `best_loss`: of the best latents so far; lower is better.

    Losses are comparable only within one phase and side, and in the fine phase only those with a perceptual distance
    count for the best."""

    step: int
    steps: int
    loss: float
    best_loss: float


@dataclass(frozen=True, eq=False)
class InversionResult:
    """`ws` near real latents and `reconstruction_ws` near the photo, float32 [num_ws, 512] on the CPU, with figures of
    the reconstruction's draft at 256². `loss` belongs to `ws`."""

    ws: Tensor
    reconstruction_ws: Tensor
    loss: float
    perceptual: float
    psnr: float
    latent_distance: float
    """Root mean square of the whitened coordinates: about 1 for the generator's own latents."""

    def tensors(self) -> dict[str, Tensor]:
        """Both latents under their names in files; `smis_desktop.training.shots.latent_pair` reads them."""
        return {"ws": self.ws, "close_ws": self.reconstruction_ws}


class Inversion:
    """One photo's inversion in progress. `step()` until `done`; `state()` and `restore()` make it resumable exactly."""

    def __init__(
        self,
        generator: Generator,
        perceptual: PerceptualDistance,
        photo: np.ndarray,
        settings: InversionSettings,
        start: Tensor | None = None,
    ) -> None:
        """photo: uint8 [S, S, 3] sRGB, square. start: `w` [512] to start at instead of what the settings say."""
        self.generator, self.perceptual, self.settings = generator, perceptual, settings
        self._photo = photo
        self._target = self._target_at(0)
        begin = torch.zeros(1, generator.w_dim)
        if start is not None:
            begin = generator.latents.whiten(start[None].to(generator.device))
        elif settings.start:
            begin = _RESTART_STD * torch.randn(begin.shape, generator=torch.Generator().manual_seed(settings.start))
        self._coordinates = begin.repeat(generator.num_ws, 1).to(generator.device).requires_grad_()
        self._adam = torch.optim.Adam([self._coordinates], lr=settings.learning_rate, betas=(0.9, 0.99))
        self._step = 0
        self._best_loss = math.inf
        self._best = self._coordinates.detach().clone()
        self._fine: FineInversion | None = None

    @property
    def done(self) -> bool:
        return self._step >= self.settings.all_steps

    @property
    def in_domain_ws(self) -> Tensor:
        """The best in-domain latents so far, [num_ws, 512]."""
        return self.generator.latents.color(self._best)

    @property
    def best_ws(self) -> Tensor:
        """The latents closest to the photo so far, [num_ws, 512]."""
        return self.in_domain_ws if self._fine is None else self._fine.best

    def best_draft(self) -> np.ndarray:
        """The picture of the best latents so far, uint8 [256, 256, 3]."""
        with torch.no_grad():
            return to_rgb8(self.generator.draft(self.best_ws[None], _FULL_SIDE)[0])

    def step(self) -> InversionProgress:
        """Takes one Adam step, and keeps the latents if they are the best so far."""
        if self._step < self.settings.steps:
            return self._coarse_step()
        if self._fine is None:
            self._fine = FineInversion(self.in_domain_ws)
        if self._step == self.settings.small_steps:  # losses of two sides cannot be compared
            self._target, self._fine.best_loss = self._target_at(self._step), math.inf
        coarse, small = self.settings.steps, self.settings.small_steps
        every = _FINE_PERCEPTUAL_EVERY[self._target.side]
        steps_at_side = self._step - (coarse if self._step < small else small)
        weight = 0.0 if steps_at_side % every else every * _FINE_PERCEPTUAL_WEIGHT
        done = (self._step - coarse) / (self.settings.all_steps - coarse)
        loss = self._fine.step(done, lambda ws: self._fine_loss(ws, weight), counts=weight > 0)
        self._step += 1
        return InversionProgress(self._step, self.settings.all_steps, loss, self._fine.best_loss)

    def _coarse_step(self) -> InversionProgress:
        settings = self.settings
        shared = self._step < settings.shared_steps * settings.steps
        for group in self._adam.param_groups:
            group["lr"] = settings.learning_rate * _schedule(self._step / settings.steps)
        coordinates = (
            self._coordinates.mean(0, keepdim=True).expand_as(self._coordinates) if shared else self._coordinates
        )
        loss = self._coarse_loss(coordinates)
        if loss.item() < self._best_loss:
            self._best_loss, self._best = loss.item(), coordinates.detach().clone()
        self._adam.zero_grad()
        loss.backward()
        if shared and self._coordinates.grad is not None:
            # The mean's gradient is a num_ws-th of each slot's. Adam's step does not depend on that, but its epsilon.
            self._coordinates.grad *= len(self._coordinates)
        self._adam.step()
        self._step += 1
        return InversionProgress(self._step, settings.all_steps, loss.item(), self._best_loss)

    def result(self) -> InversionResult:
        """Returns the best latents so far, with their figures."""
        with torch.no_grad():
            target = self._target_at(self.settings.all_steps)
            picture = self.generator.draft(self.best_ws[None], _FULL_SIDE)
            perceptual = self.perceptual(self.perceptual.features(picture), target.features).item()
            error = (picture.clamp(-1, 1) - target.pyramid[0]).square().mean().item()
        return InversionResult(
            ws=self.in_domain_ws.detach().cpu(),
            reconstruction_ws=self.best_ws.detach().cpu(),
            loss=self._best_loss,
            perceptual=perceptual,
            psnr=10 * math.log10(4 / max(error, 1e-10)),
            latent_distance=self.generator.latents.whiten(self.best_ws).square().mean().sqrt().item(),
        )

    def state(self) -> dict[str, Tensor]:
        """Returns everything that the next step depends on, as CPU tensors."""
        moments = self._adam.state_dict()["state"].get(0, {}) if self._fine is None else {}
        return {
            **({} if self._fine is None else self._fine.state()),
            "coordinates": self._coordinates.detach().cpu().clone(),
            "best": self._best.cpu().clone(),
            "best_loss": torch.tensor(self._best_loss, dtype=torch.float64),
            "step": torch.tensor(self._step),
            **{f"adam.{key}": value.cpu().clone() for key, value in moments.items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continues where `state()` was taken. Raises KeyError when the state is not one."""
        device = self._coordinates.device
        with torch.no_grad():
            self._coordinates.copy_(state["coordinates"])
        self._best = state["best"].to(device)
        self._best_loss = state["best_loss"].item()
        self._step = int(state["step"].item())
        # The step that changes to the full side sets that target itself.
        self._target = self._target_at(self._step - 1)
        if "close.ws" in state:
            self._fine = FineInversion(self.in_domain_ws)
            self._fine.restore(state)
        moments = {key.removeprefix("adam."): value for key, value in state.items() if key.startswith("adam.")}
        if moments:
            template = self._adam.state_dict()
            template["state"] = {0: moments}
            self._adam.load_state_dict(template)

    def _coarse_loss(self, coordinates: Tensor) -> Tensor:
        target = self._target
        picture = self.generator.draft(self.generator.latents.color(coordinates)[None], target.side)
        reconstruction = torch.stack(
            [(a - b).square().mean() for a, b in zip(_pyramid(picture), target.pyramid, strict=True)]
        ).mean()
        perceptual = self.perceptual(self.perceptual.features(picture), target.features).sum()
        prior = coordinates.square().mean()
        loss: Tensor = (
            reconstruction + self.settings.perceptual_weight * perceptual + self.settings.prior_weight * prior
        )
        return loss

    def _fine_loss(self, ws: Tensor, perceptual_weight: float) -> Tensor:
        target = self._target
        picture = self.generator.draft(ws[None], target.side)
        pairs = zip(_pyramid(picture), target.pyramid, strict=True)
        difference = torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()
        if not perceptual_weight:
            return difference
        perceptual = self.perceptual(self.perceptual.features(picture), target.features).sum()
        loss: Tensor = difference + perceptual_weight * perceptual
        return loss

    def _target_at(self, step: int) -> _Target:
        """Returns what the picture of that step is compared with."""
        side = _HALF_SIDE if step < self.settings.small_steps else _FULL_SIDE
        picture = from_rgb8(self._photo, side).to(self.generator.device)
        with torch.no_grad():
            return _Target(side, _pyramid(picture), self.perceptual.features(picture))


class FineInversion:
    """The second phase of an inversion: Adam on `ws` themselves, [num_ws, 512]."""

    def __init__(self, begin: Tensor, learning_rate: float = _FINE_LEARNING_RATE, warm_up: int = _FINE_WARM_UP) -> None:
        """warm_up: the number of steps in which the learning rate rises, after each start."""
        self._learning_rate, self._warm_up = learning_rate, warm_up
        self.best, self.best_loss = begin.detach().clone(), math.inf
        self._restart_at_best()

    def _restart_at_best(self) -> None:
        self._ws = self.best.clone().requires_grad_()
        self._adam = torch.optim.Adam([self._ws], lr=self._learning_rate, betas=(0.9, 0.99))

    def step(self, done: float, loss_of: Callable[[Tensor], Tensor], counts: bool) -> float:
        """Takes one step and returns the loss before it.

        Args:
            done: The fraction of the fine steps taken, 0–1; the learning rate falls in the second half.
            loss_of: `ws` [num_ws, 512] → loss.
            counts: Whether this loss is comparable with others, to find the best latents and detect divergence.
        """
        loss = loss_of(self._ws)
        if counts and loss.item() < self.best_loss:
            self.best, self.best_loss = self._ws.detach().clone(), loss.item()
        if counts and not loss.item() <= _DIVERGED * self.best_loss:
            self._restart_at_best()
            return loss.item()
        for group in self._adam.param_groups:
            group["lr"] = self._learning_rate * min(1.0, 2 * (1 - done), (self._steps_taken + 1) / self._warm_up)
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return loss.item()

    @property
    def _steps_taken(self) -> int:
        """The number of steps since the last start."""
        return int(self._moments().get("step", torch.tensor(0)).item())

    def _moments(self) -> dict[str, Tensor]:
        moments: dict[str, Tensor] = self._adam.state_dict()["state"].get(0, {})
        return moments

    def state(self) -> dict[str, Tensor]:
        """Returns the state, like `Inversion.state`."""
        return {
            "close.ws": self._ws.detach().cpu().clone(),
            "close.best": self.best.cpu().clone(),
            "close.best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
            **{f"close.adam.{key}": value.cpu().clone() for key, value in self._moments().items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continues where `state()` was taken."""
        with torch.no_grad():
            self._ws.copy_(state["close.ws"])
        self.best, self.best_loss = state["close.best"].to(self._ws.device), state["close.best_loss"].item()
        prefix = "close.adam."
        moments = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if moments:
            self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: moments}})


@dataclass(frozen=True, eq=False)
class _Target:
    """The photo at one size."""

    side: int
    pyramid: list[Tensor]
    features: list[Tensor]


@dataclass(frozen=True, eq=False)
class InversionStep:
    """The inversions that took a step together, and the progress of each."""

    inversions: tuple[Inversion, ...]
    progress: tuple[InversionProgress, ...]

    @property
    def step(self) -> int:
        """The number of steps taken by the inversion that is farthest."""
        return max(progress.step for progress in self.progress)

    @property
    def fraction(self) -> float:
        """The fraction of all steps that is done, 0–1."""
        return self.step / self.progress[0].steps

    @property
    def best_loss(self) -> float:
        """The mean of the inversions' best losses."""
        return sum(progress.best_loss for progress in self.progress) / len(self.progress)


def run_inversions(
    inversions: Sequence[Inversion],
    on_step: Callable[[InversionStep], None] | None = None,
    runner: ThreadedRunner | None = None,
) -> list[InversionResult]:
    """Runs all inversions to their end in parallel, and returns their results in the same order.

    Args:
        inversions: Begun or restored.
        on_step: Called after each step. An exception that it raises cancels the inversions and passes through.
        runner: The threads to run on, where the caller shares them; by default one for each inversion.
    """
    with ThreadedRunner(len(inversions)) if runner is None else nullcontext(runner) as threads:
        while unfinished := [inversion for inversion in inversions if not inversion.done]:
            progress = threads.map([inversion.step for inversion in unfinished])
            if on_step is not None:
                on_step(InversionStep(tuple(unfinished), tuple(progress)))
        return threads.map([inversion.result for inversion in inversions])


def _pyramid(picture: Tensor) -> list[Tensor]:
    """Returns the picture and its halves down to an eighth: coarse levels show a misplaced face before fine ones do."""
    levels = [picture]
    for _ in range(3):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def _schedule(t: float) -> float:
    """Returns the learning-rate factor: short ramp up, cosine down over the last quarter (StyleGAN2, appendix D)."""
    ramp_up, ramp_down = min(1.0, t / 0.05 + 0.1), min(1.0, (1 - t) / 0.25)
    return ramp_up * (0.5 - 0.5 * math.cos(ramp_down * math.pi))
