"""Finds a photo in the generator, in a process of its own, and reads its layout."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smis_desktop.workers.process import Inbox, Send, WorkerProcess

_SECONDS_BETWEEN_PICTURES = 1.0


@dataclass(frozen=True, eq=False)
class Inverting:
    """Under way. `fraction` 0–1; `picture`: uint8 [256, 256, 3], the best reconstruction so far, now and then."""

    fraction: float
    picture: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Inverted:
    """Done: latents near real ones and those near the photo, float32 [num_ws, D], the second's reconstruction uint8
    [256, 256, 3], and how near it is.

    psnr in dB at 256²; perceptual: distance by a network's features, 0 for equal; below about 0.3 the same person is
    recognised.
    """

    ws: np.ndarray = field(repr=False)
    reconstruction_ws: np.ndarray = field(repr=False)
    picture: np.ndarray = field(repr=False)
    psnr: float
    perceptual: float


def photo_inversion(
    photo: np.ndarray, generator_name: str, deliver: Callable[[Any], None], start: int = 0, steps: int | None = None
) -> WorkerProcess:
    """Not started yet. photo: uint8 [S, S, 3]. start: another number, another place to begin from.

    deliver: `Inverting`, then `Inverted`, or `WorkFailed`; at last `WorkEnded`.
    """
    return WorkerProcess(invert_photo, (photo, generator_name, start, steps), deliver)


def invert_photo(
    send: Send, inbox: Inbox, photo: np.ndarray, generator_name: str, start: int, steps: int | None
) -> None:
    """The work itself. Raises UserError when the generator or the comparing network cannot be had."""
    import torch

    from smis_desktop.generators.device import best_device
    from smis_desktop.generators.generator import to_rgb8
    from smis_desktop.generators.store import open_generator
    from smis_desktop.training.inversion import Inversion, InversionProgress, InversionSettings, invert
    from smis_desktop.training.perceptual import open_perceptual_distance

    torch.set_num_threads(max(1, os.cpu_count() or 1))
    device = best_device()
    generator = open_generator(generator_name).to(device)
    perceptual = open_perceptual_distance(lambda words, fraction: None).to(device)
    shown = time.monotonic()

    def told(progress: InversionProgress, inversion: Inversion) -> None:
        nonlocal shown
        picture = None
        if time.monotonic() - shown > _SECONDS_BETWEEN_PICTURES:
            picture = to_rgb8(inversion.best_draft())
            shown = time.monotonic()
        send(Inverting(progress.step / progress.steps, picture))

    settings = InversionSettings(start=start) if steps is None else InversionSettings(steps=steps, start=start)
    result = invert(generator, perceptual, photo, settings, told)
    with torch.inference_mode():
        picture = to_rgb8(generator.draft(result.reconstruction_ws[None].to(device), 256)[0])
    send(Inverted(result.ws.numpy(), result.reconstruction_ws.numpy(), picture, result.psnr, result.perceptual))


LAYOUT_SIDE = 512


@dataclass(frozen=True, eq=False)
class PhotoLayout:
    """label_map: uint8 [512, 512] class ids. ws: float32 [num_ws, D], the photo's own latents."""

    label_map: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    psnr: float
    perceptual: float


def photo_layout(
    photo: np.ndarray, model: Path, deliver: Callable[[Any], None], steps: int | None = None
) -> WorkerProcess:
    """Not started yet. photo: uint8 [S, S, 3]. deliver: `Inverting`, then `PhotoLayout`, or `WorkFailed`."""
    return WorkerProcess(read_photo, (photo, model, steps), deliver)


def read_photo(send: Send, inbox: Inbox, photo: np.ndarray, model_path: Path, steps: int | None) -> None:
    """The work itself. Raises UserError when the model, its generator or the comparing network cannot be had."""
    import torch

    from smis_desktop.generators.store import open_generator
    from smis_desktop.personal_model.model import read_personal_model, segment_latents

    model = read_personal_model(model_path)
    found: list[Inverted] = []

    def pass_on(message: Any) -> None:
        if isinstance(message, Inverted):
            found.append(message)
        else:
            send(message)

    invert_photo(pass_on, inbox, photo, model.generator_name, 0, steps)
    inverted = found[0]
    generator = open_generator(model.generator_name)
    label_map = segment_latents(generator, model, torch.from_numpy(inverted.reconstruction_ws), LAYOUT_SIDE)
    send(PhotoLayout(label_map, inverted.reconstruction_ws, inverted.psnr, inverted.perceptual))
