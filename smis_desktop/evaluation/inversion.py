"""Measures inversion: how long it takes and how well it finds photos, compared with plain gradient descent of equal
time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.evaluation.timing import figures
from smis_desktop.formats.exported_picture import contact_sheet
from smis_desktop.formats.image_file import middle_square, read_picture
from smis_desktop.generators.generator import Generator, from_rgb8, latents_of_seed
from smis_desktop.inference.synthesizer import render_ws
from smis_desktop.training.distributed import ThreadedRunner, split_evenly
from smis_desktop.training.inversion import Inversion, InversionSettings, InversionStep, run_inversions
from smis_desktop.training.perceptual import PerceptualDistance

_SIDE = 256
_LEVELS = 4
_LEARNING_RATE = 0.05
"""Adam's learning rate for `ws`, which are not whitened; not tuned."""


class PlainDescent:
    """Adam on the mean L1 distance at 256², 128², 64² and 32², starting at the mean latent in every slot."""

    def __init__(self, generator: Generator, photo: np.ndarray) -> None:
        """photo: uint8 [S, S, 3] sRGB, square."""
        self._generator = generator
        self._target = _pyramid(from_rgb8(photo, _SIDE).to(generator.device))
        self._ws = generator.broadcast(generator.w_avg[None]).detach().clone().requires_grad_()
        self._adam = torch.optim.Adam([self._ws], lr=_LEARNING_RATE, betas=(0.9, 0.99))

    @property
    def ws(self) -> Tensor:
        """The current latents, float32 [num_ws, 512]."""
        return self._ws.detach()[0]

    def step(self, done: float) -> float:
        """Take one step and return the loss.

        done: the fraction of the time that is over, 0–1; the learning rate falls over the last quarter.
        """
        for group in self._adam.param_groups:
            group["lr"] = _LEARNING_RATE * (0.5 - 0.5 * math.cos(math.pi * min(1.0, 4 * (1 - done))))
        picture = _pyramid(self._generator.draft(self._ws, _SIDE))
        loss = torch.stack([(a - b).abs().mean() for a, b in zip(picture, self._target, strict=True)]).mean()
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return float(loss.item())


def _pyramid(picture: Tensor) -> list[Tensor]:
    levels = [picture]
    while len(levels) < _LEVELS:
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


_SEEDS = (1, 2, 3)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo to invert. picture: uint8 [S, S, 3], square."""

    name: str
    picture: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class Found:
    """What one method found for a photo: the generator's picture uint8 [256, 256, 3] and its figures against the photo.

    latent_distance: root mean square of the whitened latents, about 1 for the generator's own."""

    picture: np.ndarray = field(repr=False)
    steps: int
    seconds: float
    psnr: float
    perceptual: float
    latent_distance: float

    def rounded(self) -> dict[str, float]:
        """Return the figures, rounded, for the answer."""
        return {
            "steps": self.steps,
            "seconds": round(self.seconds, 2),
            "psnr": round(self.psnr, 2),
            "perceptual": round(self.perceptual, 4),
            "latent_distance": round(self.latent_distance, 3),
        }


@dataclass(frozen=True, eq=False)
class Pair:
    """A photo inverted by both methods.

    step_ms: milliseconds of each step of the inversion; of photos inverted at once, each gets an equal share.
    """

    photo: Photo
    inversion: Found
    plain: Found
    step_ms: list[float] = field(repr=False)


def generated_photos(generator: Generator) -> list[Photo]:
    """Return three of the generator's own pictures as photos; their known latents are not used."""
    with torch.inference_mode():
        return [
            Photo(f"seed {seed}", render_ws(generator, latents_of_seed(generator, seed, 0.7)[None], _SIDE))
            for seed in _SEEDS
        ]


def read_photos(files: Iterable[Path]) -> list[Photo]:
    """Read the middle square of each photo. Raises UserError when one cannot be read."""
    photos = []
    for path in files:
        picture = read_picture(path)
        photos.append(Photo(path.stem, middle_square(picture.shape[1], picture.shape[0]).of(picture)))
    return photos


def invert_both_ways(
    generator: Generator,
    perceptual: PerceptualDistance,
    photos: Sequence[Photo],
    settings: InversionSettings,
    progress: Callable[[float], None],
) -> list[Pair]:
    """Invert the photos, and find each by plain gradient descent in the same time.

    As many photos at once as in a training. The two ways take turns, so that a machine that slows down does it to both:
    after each step of the inversion, the plain descent steps until it has used as much time.

    progress: receives the fraction done, 0–1.
    """
    pairs: list[Pair] = []
    for group in split_evenly(photos, generator.device):

        def report(done: float, before: int = len(pairs), of_group: int = len(group)) -> None:
            progress((before + done * of_group) / len(photos))

        with ThreadedRunner(len(group)) as runner:
            pairs += _inverted_both_ways(generator, perceptual, group, settings, runner, report)
    return pairs


def _inverted_both_ways(
    generator: Generator,
    perceptual: PerceptualDistance,
    photos: Sequence[Photo],
    settings: InversionSettings,
    runner: ThreadedRunner,
    progress: Callable[[float], None],
) -> list[Pair]:
    inversions = [Inversion(generator, perceptual, photo.picture, settings) for photo in photos]
    plain = [PlainDescent(generator, photo.picture) for photo in photos]
    times: list[float] = []
    plain_seconds, plain_steps = 0.0, 0
    started = time.perf_counter()

    def on_step(step: InversionStep) -> None:
        nonlocal started, plain_seconds, plain_steps
        times.append((time.perf_counter() - started) / len(photos))
        while plain_seconds < sum(times):
            started = time.perf_counter()
            runner.map([partial(descent.step, step.fraction) for descent in plain])
            plain_seconds += (time.perf_counter() - started) / len(photos)
            plain_steps += 1
        progress(step.fraction)
        started = time.perf_counter()

    results = run_inversions(inversions, on_step, runner)
    return [
        Pair(
            photo,
            _found(generator, perceptual, photo, result.reconstruction_ws, len(times), sum(times)),
            _found(generator, perceptual, photo, descent.ws, plain_steps, plain_seconds),
            [1000 * seconds for seconds in times],
        )
        for photo, result, descent in zip(photos, results, plain, strict=True)
    ]


def inversion_figures(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return `step` (ms), `photos` (name, figures of `inversion` and `plain`) and `mean` of both over the photos."""
    pairs = list(pairs)
    photos: list[dict[str, Any]] = [
        {"name": pair.photo.name, "inversion": pair.inversion.rounded(), "plain": pair.plain.rounded()}
        for pair in pairs
    ]
    mean = {
        way: {name: round(float(np.mean([photo[way][name] for photo in photos])), 4) for name in ("psnr", "perceptual")}
        for way in ("inversion", "plain")
    }
    return {"step": figures([ms for pair in pairs for ms in pair.step_ms]), "photos": photos, "mean": mean}


def inversion_sheet(pairs: Iterable[Pair]) -> np.ndarray:
    """Return a sheet with a row for each photo: itself, found by inversion, found by the plain descent."""
    pictures, captions = [], []
    for pair in pairs:
        pictures.append(pair.photo.picture)
        captions.append(pair.photo.name)
        for words, found in (("inversion", pair.inversion), ("plain L1", pair.plain)):
            pictures.append(found.picture)
            captions.append(f"{words}: {found.perceptual:.3f}, {found.psnr:.1f} dB")
    return contact_sheet(pictures, captions, columns=3)


def _found(
    generator: Generator, perceptual: PerceptualDistance, photo: Photo, ws: Tensor, steps: int, seconds: float
) -> Found:
    """Measure the latents on the generator's full picture, even if the search compared smaller ones."""
    target = from_rgb8(photo.picture, _SIDE).to(generator.device)
    with torch.inference_mode():
        ws = ws.to(generator.device)
        picture = render_ws(generator, ws[None], _SIDE)
        made = from_rgb8(picture, _SIDE).to(generator.device)
        distance = perceptual(perceptual.features(made), perceptual.features(target)).item()
        error = (made - target).square().mean().item()
        latent_distance = generator.latents.whiten(ws).square().mean().sqrt().item()
    return Found(picture, steps, seconds, 10 * math.log10(4 / max(error, 1e-10)), distance, latent_distance)
