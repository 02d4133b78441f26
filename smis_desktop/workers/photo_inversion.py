"""Inverts a photo in a process of its own, and reads its layout with a personal model."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from smis_desktop.workers.process import Inbox, Send, WorkerProcess

if TYPE_CHECKING:
    from torch import Tensor

    from smis_desktop.generators.generator import Generator
    from smis_desktop.training.inversion import InversionResult, InversionSettings, InversionStep

LAYOUT_SIDE = 512
_SECONDS_BETWEEN_PICTURES = 1.0


@dataclass(frozen=True, eq=False)
class Inverting:
    """Progress of an inversion, 0–1; about once a second with the best reconstruction so far, uint8 [256, 256, 3]."""

    fraction: float
    picture: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Inverted:
    """The photo is inverted: latents near real ones and those near the photo, float32 [num_ws, D], and the latter's
    reconstruction, uint8 [256, 256, 3].

    psnr: dB at 256². perceptual: distance by a network's features, 0 for equal pictures; below about 0.3 the same
    person is recognised.
    """

    ws: np.ndarray = field(repr=False)
    reconstruction_ws: np.ndarray = field(repr=False)
    picture: np.ndarray = field(repr=False)
    psnr: float
    perceptual: float


@dataclass(frozen=True, eq=False)
class PhotoLayout:
    """The photo's layout, uint8 [512, 512] class ids, and its own latents `ws`, float32 [num_ws, D]."""

    label_map: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    psnr: float
    perceptual: float


def photo_inversion(
    photo: np.ndarray, generator_name: str, deliver: Callable[[Any], None], start: int = 0, steps: int | None = None
) -> WorkerProcess:
    """Returns a process that inverts `photo`, uint8 [S, S, 3]; not started yet.

    start: another number gives another attempt. deliver: receives `Inverting`, then `Inverted` or `WorkFailed`, and at
    last `WorkEnded`.
    """
    return WorkerProcess(invert_photo, (photo, generator_name, start, steps), deliver)


def photo_layout(
    photo: np.ndarray, model: Path, deliver: Callable[[Any], None], steps: int | None = None
) -> WorkerProcess:
    """Returns a process that reads the layout of `photo`, uint8 [S, S, 3]; not started yet.

    deliver: receives `Inverting`, then `PhotoLayout` or `WorkFailed`, and at last `WorkEnded`.
    """
    return WorkerProcess(read_photo, (photo, model, steps), deliver)


def invert_photo(
    send: Send, inbox: Inbox, photo: np.ndarray, generator_name: str, start: int, steps: int | None
) -> None:
    """Sends `Inverting` and `Inverted`. Raises UserError when the generator or the perceptual network cannot be
    opened."""
    _, inverted = _invert(send, photo, generator_name, start, steps)
    send(inverted)


def read_photo(send: Send, inbox: Inbox, photo: np.ndarray, model_path: Path, steps: int | None) -> None:
    """Sends `Inverting` and `PhotoLayout`. Raises UserError when the model, its generator or the perceptual network
    cannot be opened."""
    import torch

    from smis_desktop.personal_model.model import read_personal_model, segment_latents

    model = read_personal_model(model_path)
    generator, inverted = _invert(send, photo, model.generator_name, 0, steps)
    ws = torch.from_numpy(inverted.reconstruction_ws)
    label_map = segment_latents(generator.to("cpu"), model, ws, LAYOUT_SIDE)  # the model is there too
    send(PhotoLayout(label_map, inverted.reconstruction_ws, inverted.psnr, inverted.perceptual))


def _invert(
    send: Send, photo: np.ndarray, generator_name: str, start: int, steps: int | None
) -> tuple[Generator, Inverted]:
    import torch

    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.generator import to_rgb8
    from smis_desktop.generators.store import open_generator
    from smis_desktop.training.inversion import InversionSettings

    torch.set_num_threads(max(1, os.cpu_count() or 1))
    generator = open_generator(generator_name).to(best_device())
    result = invert_with_previews(
        generator, photo, InversionSettings.of(steps, start), lambda *progress: send(Inverting(*progress))
    )
    with torch.inference_mode():
        picture = to_rgb8(generator.draft(result.reconstruction_ws[None].to(generator.device), 256)[0])
    latents = result.ws.numpy(), result.reconstruction_ws.numpy()
    return generator, Inverted(*latents, picture, result.psnr, result.perceptual)


def invert_with_previews(
    generator: Generator,
    photo: np.ndarray,
    settings: InversionSettings,
    on_progress: Callable[[float, np.ndarray | None], None],
    start: Tensor | None = None,
) -> InversionResult:
    """Inverts one photo, and shows how far it is.

    Args:
        generator: On the device to compute on.
        photo: uint8 [S, S, 3].
        settings: Of the inversion.
        on_progress: Called after each step with the fraction done, 0–1, and about once a second with the reconstruction
            so far, uint8 [256, 256, 3]. An exception that it raises cancels the inversion and passes through.
        start: `w` [D] to start at instead of what the settings say.

    Raises:
        UserError: The perceptual network cannot be opened.
    """
    from smis_desktop.training.inversion import Inversion, run_inversions
    from smis_desktop.training.perceptual import open_perceptual_distance

    perceptual = open_perceptual_distance(lambda words, fraction: None).to(generator.device)
    shown = time.monotonic()

    def on_step(step: InversionStep) -> None:
        nonlocal shown
        picture = None
        if time.monotonic() - shown > _SECONDS_BETWEEN_PICTURES:
            picture, shown = inversion.best_draft(), time.monotonic()
        on_progress(step.fraction, picture)

    inversion = Inversion(generator, perceptual, photo, settings, start)
    (result,) = run_inversions([inversion], on_step)
    return result
