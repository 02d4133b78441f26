"""Inversion: the `ws` whose picture is a given photo, by optimisation (Endo & Kanamori 2021, section 3.1).

The paper minimises L2 + 0.8 × LPIPS at 256². Three things are ours: the latents are optimised in whitened coordinates
(a step is as long along a narrow axis of `w` as along a wide one, in its own standard deviations); their mean
square is penalised, which is the negative log-likelihood of a Gaussian fitted to real latents; and these steps, which
place the head and not its pores, look at half the side, at half the time.

What comes of that lies near real latents and looks real, but is somebody else. From there more steps go on in `ws`
itself, on absolute differences, which do not let go of small errors, and by nothing held back: the person is
recognised, at some distance from real latents. Both are given; see `fewshot.photo_latents` for what is learned from
them. The perceptual distance is a good part of such a step and points the same way from one to the next: only every
second one looks at it, and every third of the last, which look at the whole side (docs/experiments/inversion.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator, from_rgb8
from smis_desktop.training.perceptual import PerceptualDistance

_WAY = 0.25
"""How far labels are learned from, of the way from real latents to the photo."""


def latent_pair(found: Mapping[str, Tensor]) -> Tensor:
    """[2, num_ws, 512]: those near real latents and those near the photo, as `InversionResult` has them; twice the
    first where an earlier version of this program found no others."""
    return torch.stack((found["ws"], found.get("close_ws", found["ws"])))


def training_latents(pair: Tensor) -> Tensor:
    """[2, num_ws, 512] as `latent_pair` gives them → the two that labels are learned from, the better one first.

    Those near the photo place every outline, but its features are no face's: labels learned from a quarter of the
    way there carry further, and furthest together with those near real latents (docs/experiments/inversion.md).
    """
    near, close = pair
    return torch.stack((torch.lerp(near, close, _WAY), near))


_SIDE = 256
_FIRST_SIDE = 128
_CLOSE_LEARNING_RATE = 0.14
_WARM_UP = 20
"""Steps in which that rate is reached. Adam's first steps are as long along directions that matter to nothing as along
those that matter: begun at once, they threw the picture away, and now and then it never came back."""
_ASTRAY = 1.5
"""A loss of so many times the best is a step too far: back to the best, and a new beginning."""
_CLOSE_PERCEPTUAL_WEIGHT = 0.1
_PERCEPTUAL_EVERY = {_FIRST_SIDE: 2, _SIDE: 3}
"""Of the steps closer to the photo, by the side they look at; the weight makes up for the others."""
_NEAR = 0.4
"""Standard deviations from the mean at which another try begins."""


@dataclass(frozen=True)
class InversionSettings:
    """What decides an inversion, besides the photo and the generator."""

    steps: int = 80
    learning_rate: float = 0.1
    perceptual_weight: float = 0.8
    prior_weight: float = 0.02
    shared_steps: float = 0.5
    """The first part of the steps moves one `w` for all slots; then every slot has its own."""
    close_steps: float = 1.5
    """As many steps more, of `steps`, go closer to the photo and leave real latents for it."""
    large_steps: float = 0.66
    """The last part of the steps closer compares pictures of 256², all others of 128²."""
    start: int = 0
    """0 begins at the mean; any other number is the seed of a place near it, for another try."""

    @property
    def all_steps(self) -> int:
        """Those that go closer included."""
        return self.steps + math.floor(self.close_steps * self.steps)

    @property
    def small_steps(self) -> int:
        """How many of them, from the first on, compare pictures of 128²."""
        return self.all_steps - math.ceil(self.large_steps * (self.all_steps - self.steps))


@dataclass(frozen=True)
class InversionProgress:
    """After a step: how far, and how good the best one so far is (`loss`, lower is better; only losses of one stage and
    side can be compared, and closer to the photo only those with a perceptual distance tell the best)."""

    step: int
    steps: int
    loss: float
    best_loss: float


@dataclass(frozen=True, eq=False)
class InversionResult:
    """`ws` near real latents and `reconstruction_ws` near the photo, float32 [num_ws, 512] on the CPU, and
    figures of the second's reconstruction at 256² (draft picture). `loss` is the first's."""

    ws: Tensor
    reconstruction_ws: Tensor
    loss: float
    perceptual: float
    psnr: float
    latent_distance: float
    """Root mean square of the whitened coordinates: about 1 for the generator's own latents."""


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
        """photo: uint8 [S, S, 3] sRGB, square. start: `w` [512] to begin at instead of what the settings say."""
        self.generator, self.perceptual, self.settings = generator, perceptual, settings
        self._photo = photo
        self._target = self._at(0)
        begin = torch.zeros(1, generator.w_dim)
        if start is not None:
            begin = generator.latents.whiten(start[None].to(generator.device))
        elif settings.start:
            begin = _NEAR * torch.randn(begin.shape, generator=torch.Generator().manual_seed(settings.start))
        self._coordinates = begin.repeat(generator.num_ws, 1).to(generator.device).requires_grad_()
        self._adam = torch.optim.Adam([self._coordinates], lr=settings.learning_rate, betas=(0.9, 0.99))
        self._step = 0
        self._best_loss = math.inf
        self._best = self._coordinates.detach().clone()
        self._close: _FineInversion | None = None

    @property
    def done(self) -> bool:
        return self._step >= self.settings.all_steps

    @property
    def in_domain_ws(self) -> Tensor:
        """The best latents near real ones so far, [num_ws, 512]."""
        return self.generator.latents.color(self._best)

    @property
    def best_ws(self) -> Tensor:
        """The latents nearest to the photo so far, [num_ws, 512]."""
        return self.in_domain_ws if self._close is None else self._close.best

    def best_draft(self) -> Tensor:
        """The picture of the best latents so far, [3, 256, 256]."""
        with torch.no_grad():
            return self.generator.draft(self.best_ws[None], _SIDE)[0]

    def step(self) -> InversionProgress:
        """One Adam step; keeps the best latents seen."""
        if self._step < self.settings.steps:
            return self._approach()
        if self._close is None:
            self._close = _FineInversion(self.in_domain_ws)
        if self._step == self.settings.small_steps:  # losses of two sides cannot be compared
            self._target, self._close.best_loss = self._at(self._step), math.inf
        near, small = self.settings.steps, self.settings.small_steps
        every = _PERCEPTUAL_EVERY[self._target.side]
        at = self._step - (near if self._step < small else small)
        weight = 0.0 if at % every else every * _CLOSE_PERCEPTUAL_WEIGHT
        done = (self._step - near) / (self.settings.all_steps - near)
        loss = self._close.step(done, lambda ws: self._close_loss(ws, weight), counts=weight > 0)
        self._step += 1
        return InversionProgress(self._step, self.settings.all_steps, loss, self._close.best_loss)

    def _approach(self) -> InversionProgress:
        settings = self.settings
        shared = self._step < settings.shared_steps * settings.steps
        for group in self._adam.param_groups:
            group["lr"] = settings.learning_rate * _schedule(self._step / settings.steps)
        coordinates = (
            self._coordinates.mean(0, keepdim=True).expand_as(self._coordinates) if shared else self._coordinates
        )
        loss = self._loss(coordinates)
        if loss.item() < self._best_loss:
            self._best_loss, self._best = loss.item(), coordinates.detach().clone()
        self._adam.zero_grad()
        loss.backward()
        if shared and self._coordinates.grad is not None:
            # The mean's gradient is a num_ws-th of each slot's; Adam's step does not care, but its epsilon does.
            self._coordinates.grad *= len(self._coordinates)
        self._adam.step()
        self._step += 1
        return InversionProgress(self._step, settings.all_steps, loss.item(), self._best_loss)

    def result(self) -> InversionResult:
        """Figures of the best latents so far."""
        with torch.no_grad():
            target = self._at(self.settings.all_steps)
            picture = self.generator.draft(self.best_ws[None], _SIDE)
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
        """Everything that the next step depends on, as CPU tensors."""
        moments = self._adam.state_dict()["state"].get(0, {}) if self._close is None else {}
        return {
            **({} if self._close is None else self._close.state()),
            "coordinates": self._coordinates.detach().cpu().clone(),
            "best": self._best.cpu().clone(),
            "best_loss": torch.tensor(self._best_loss, dtype=torch.float64),
            "step": torch.tensor(self._step),
            **{f"adam.{key}": value.cpu().clone() for key, value in moments.items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on where `state()` was taken. Raises KeyError when the state is not one."""
        device = self._coordinates.device
        with torch.no_grad():
            self._coordinates.copy_(state["coordinates"])
        self._best = state["best"].to(device)
        self._best_loss = state["best_loss"].item()
        self._step = int(state["step"].item())
        # The step that changes sides does so itself.
        self._target = self._at(self._step - 1)
        if "close.ws" in state:
            self._close = _FineInversion(self.in_domain_ws)
            self._close.restore(state)
        moments = {key.removeprefix("adam."): value for key, value in state.items() if key.startswith("adam.")}
        if moments:
            template = self._adam.state_dict()
            template["state"] = {0: moments}
            self._adam.load_state_dict(template)

    def _loss(self, coordinates: Tensor) -> Tensor:
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

    def _close_loss(self, ws: Tensor, perceptual_weight: float) -> Tensor:
        target = self._target
        picture = self.generator.draft(ws[None], target.side)
        pairs = zip(_pyramid(picture), target.pyramid, strict=True)
        difference = torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()
        if not perceptual_weight:
            return difference
        perceptual = self.perceptual(self.perceptual.features(picture), target.features).sum()
        loss: Tensor = difference + perceptual_weight * perceptual
        return loss

    def _at(self, step: int) -> _Target:
        """What that step's picture is compared with."""
        side = _FIRST_SIDE if step < self.settings.small_steps else _SIDE
        picture = from_rgb8(self._photo, side).to(self.generator.device)
        with torch.no_grad():
            return _Target(side, _pyramid(picture), self.perceptual.features(picture))


class _FineInversion:
    """The last part of an inversion: Adam on `ws` as they are, [num_ws, 512]."""

    def __init__(self, begin: Tensor) -> None:
        self.best, self.best_loss = begin.detach().clone(), math.inf
        self._begin_at_best()

    def _begin_at_best(self) -> None:
        self._ws = self.best.clone().requires_grad_()
        self._adam = torch.optim.Adam([self._ws], lr=_CLOSE_LEARNING_RATE, betas=(0.9, 0.99))

    def step(self, done: float, loss_of: Callable[[Tensor], Tensor], counts: bool) -> float:
        """done: 0–1; from the middle on the steps become shorter. counts: whether losses of such steps tell the best.
        Returns the loss."""
        loss = loss_of(self._ws)
        if counts and loss.item() < self.best_loss:
            self.best, self.best_loss = self._ws.detach().clone(), loss.item()
        if counts and not loss.item() <= _ASTRAY * self.best_loss:
            self._begin_at_best()
            return loss.item()
        for group in self._adam.param_groups:
            group["lr"] = _CLOSE_LEARNING_RATE * min(1.0, 2 * (1 - done), (self._taken + 1) / _WARM_UP)
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return loss.item()

    @property
    def _taken(self) -> int:
        """Steps since it began, or began anew."""
        return int(self._moments().get("step", torch.tensor(0)).item())

    def _moments(self) -> dict[str, Tensor]:
        moments: dict[str, Tensor] = self._adam.state_dict()["state"].get(0, {})
        return moments

    def state(self) -> dict[str, Tensor]:
        """As `Inversion.state`."""
        return {
            "close.ws": self._ws.detach().cpu().clone(),
            "close.best": self.best.cpu().clone(),
            "close.best_loss": torch.tensor(self.best_loss, dtype=torch.float64),
            **{f"close.adam.{key}": value.cpu().clone() for key, value in self._moments().items()},
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on where `state()` was taken."""
        with torch.no_grad():
            self._ws.copy_(state["close.ws"])
        self.best, self.best_loss = state["close.best"].to(self._ws.device), state["close.best_loss"].item()
        prefix = "close.adam."
        moments = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if moments:
            self._adam.load_state_dict({**self._adam.state_dict(), "state": {0: moments}})


@dataclass(frozen=True, eq=False)
class _Target:
    """The photo at a side."""

    side: int
    pyramid: list[Tensor]
    features: list[Tensor]


def invert(
    generator: Generator,
    perceptual: PerceptualDistance,
    photo: np.ndarray,
    settings: InversionSettings,
    on_progress: Callable[[InversionProgress, Inversion], None] | None = None,
    start: Tensor | None = None,
) -> InversionResult:
    """Inverts `photo` (uint8 [S, S, 3]). An exception raised by `on_progress` cancels it and passes through. start: as
    for `Inversion`."""
    inversion = Inversion(generator, perceptual, photo, settings, start)
    while not inversion.done:
        progress = inversion.step()
        if on_progress is not None:
            on_progress(progress, inversion)
    return inversion.result()


def _pyramid(picture: Tensor) -> list[Tensor]:
    """The picture and its halves down to an eighth: coarse levels see a misplaced face before fine ones do."""
    levels = [picture]
    for _ in range(3):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def _schedule(t: float) -> float:
    """Learning-rate factor: short ramp up, cosine ramp down over the last quarter (StyleGAN2, appendix D)."""
    ramp_up, ramp_down = min(1.0, t / 0.05 + 0.1), min(1.0, (1 - t) / 0.25)
    return ramp_up * (0.5 - 0.5 * math.cos(ramp_down * math.pi))
