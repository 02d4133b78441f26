"""Pictures of the generator `landscapes` together with the classes that the renderer gives to the same latents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.fewshot.metrics import confusion_matrix
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.protocol import Generator
from smis_desktop.landscapes.classes import PALETTE
from smis_desktop.landscapes.rendering import class_map, render

_IDS = np.array([*PALETTE.class_ids, 255], np.uint8)  # by channel; -1 (unknown) reads the last entry


@dataclass(frozen=True, eq=False)
class ExactPicture:
    """A seed's picture. `ws` float32 [num_ws, D]; `label_map` uint8 [R, R] class ids, R = the generator's side;
    `labels` int64 [r, r], the same in channels at the side that labels are read at."""

    seed: int
    ws: Tensor
    label_map: np.ndarray
    labels: Tensor


def exact_picture(generator: Generator, seed: int) -> ExactPicture:
    """From the seed's `z`, without truncation: pulled to the mean, latents would say nothing of a scene."""
    z = seeded_z(seed, generator.w_dim).numpy()
    label_map = class_map(z, generator.img_resolution)[0]
    labels = layout_channels(label_map, PALETTE, "dense", generator.feature_resolution)
    return ExactPicture(seed, latents_of_seed(generator, seed, 1.0), label_map, labels)


def rendered_picture(generator: Generator, seed: int) -> Tensor:
    """What the generator should make of the seed: [1, 3, R, R] in [-1, 1]."""
    picture = render(seeded_z(seed, generator.w_dim).numpy(), generator.img_resolution)
    return torch.from_numpy(picture).permute(0, 3, 1, 2) * 2 - 1


def likeness(generator: Generator, seeds: Iterable[int]) -> float:
    """Mean PSNR of the generator's pictures against the renderer's, in dB."""
    found = []
    with torch.inference_mode():
        for seed in seeds:
            made = generator.synthesis(latents_of_seed(generator, seed, 1.0)[None]).clamp(-1, 1).cpu()
            found.append(10 * torch.log10(4 / (made - rendered_picture(generator, seed)).square().mean()))
    return float(torch.stack(found).mean())


def compared(wanted: Sequence[Tensor], found: Sequence[Tensor]) -> np.ndarray:
    """The confusion matrix (see `fewshot.metrics`) of label maps in channels, int64 [r, r] each; -1 = unknown."""
    total = np.zeros((PALETTE.num_classes, PALETTE.num_classes + 1), np.int64)
    for one, other in zip(wanted, found, strict=True):
        total += confusion_matrix(_IDS[one.numpy()], _IDS[other.numpy()], PALETTE)
    return total
