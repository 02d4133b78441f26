"""From a photo to a layout: found in the generator, then read with the model's own eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from smis_desktop.jobs.inverting import Inverted, invert_photo
from smis_desktop.jobs.spawned import Inbox, Send, Spawned

LAYOUT_SIDE = 512


@dataclass(frozen=True, eq=False)
class PhotoLayout:
    """label_map: uint8 [512, 512] class ids. ws: float32 [num_ws, D], the photo's own latents."""

    label_map: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    psnr: float
    perceptual: float


def photo_layout(photo: np.ndarray, model: Path, deliver: Callable[[Any], None], steps: int | None = None) -> Spawned:
    """Not started yet. photo: uint8 [S, S, 3]. deliver: `Inverting`, then `PhotoLayout`, or `WorkFailed`."""
    return Spawned(read_photo, (photo, model, steps), deliver)


def read_photo(send: Send, inbox: Inbox, photo: np.ndarray, model_path: Path, steps: int | None) -> None:
    """The work itself. Raises UserError when the model, its generator or the comparing network cannot be had."""
    import torch

    from smis_desktop.fewshot.segmentation import segment_latents
    from smis_desktop.storage.generator_store import open_generator
    from smis_desktop.storage.personal_model_file import read_personal_model

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
    label_map = segment_latents(generator, model, torch.from_numpy(inverted.close_ws), LAYOUT_SIDE)
    send(PhotoLayout(label_map, inverted.close_ws, inverted.psnr, inverted.perceptual))
