"""A second reading of pictures, from their pixels: which class each cell of a finished picture shows.

Refinement optimises what a personal model reads off the generator's features, so that reading is no judge of it. This
one never sees those features: a small convolutional head over a fixed perceptual network, which takes the picture
itself. It learns from random pictures of the generator, labelled by the model; so it shares the model's idea of the
classes, and nothing that an optimisation could have exploited.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator, from_rgb8, latents_of_seed
from smis_desktop.generators.layers import freeze
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.storage.wheel_download import Progress
from smis_desktop.training.perceptual import PerceptualDistance

SIDE = 64
"""Cells a side."""
NUM_PICTURES = 320
_INPUT_SIDE = 256
_MAP_CHANNELS = (64, 192, 384, 256, 256)
_CHANNELS = 64
_DILATIONS = (1, 2, 4, 8, 1)
_FIRST_SEED = 6_000
_HELD_OUT_SEED = 7_000
_TRUNCATION = 0.8
_BATCH = 4
_STEPS = 1_200
_LEARNING_RATE = 3e-3
_DECAY = 1e-2
_RARITY = 0.25
"""Classes weigh by their area to the power of minus this."""


class PictureReader(nn.Module):
    """Reads the classes off pictures, by way of a perceptual network's features."""

    def __init__(self, perceptual: PerceptualDistance, class_ids: Sequence[int]) -> None:
        super().__init__()
        self._perceptual = [perceptual]  # in a list: not one of this module's parameters
        self._ids = np.array(class_ids, np.uint8)
        self.narrow = nn.ModuleList(nn.Conv2d(width, _CHANNELS, 1) for width in _MAP_CHANNELS)
        self.position = nn.Parameter(torch.zeros(1, _CHANNELS, SIDE, SIDE))
        self.wide = nn.ModuleList(nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=d, dilation=d) for d in _DILATIONS)
        self.out = nn.Conv2d(_CHANNELS, len(class_ids), 1)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Compute the perceptual features of pictures [N, 3, _INPUT_SIDE, _INPUT_SIDE] in [-1, 1]."""
        with torch.no_grad():
            maps = self._perceptual[0].features(pictures)
            # Unit vectors become values of about 1; large maps are averaged, small ones enlarged after the first layer.
            return [F.adaptive_avg_pool2d(x, min(SIDE, x.shape[-1])) * x.shape[1] ** 0.5 for x in maps]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return class scores [N, C, SIDE, SIDE] of `features`."""
        own = [narrow(x) for narrow, x in zip(self.narrow, maps, strict=True)]
        size = (SIDE, SIDE)
        enlarged = [x if x.shape[-1] == SIDE else F.interpolate(x, size, mode="bilinear") for x in own]
        x = F.relu(torch.stack(enlarged).sum(0) + self.position)
        for convolution in self.wide:
            x = x + F.relu(convolution(x))
        scores: Tensor = self.out(x)
        return scores

    def read(self, picture: np.ndarray) -> np.ndarray:
        """Return the class ids, uint8 [SIDE, SIDE], of a picture, uint8 [S, S, 3]."""
        with torch.inference_mode():
            scores = self(self.features(from_rgb8(picture, _INPUT_SIDE).to(self.position.device)))
        read: np.ndarray = self._ids[scores[0].argmax(0).cpu().numpy()]
        return read


def learn_picture_reader(
    generator: Generator,
    model: PersonalModel,
    perceptual: PerceptualDistance,
    progress: Progress,
    pictures: int = NUM_PICTURES,
    steps: int = _STEPS,
) -> PictureReader:
    """Fit a reader to random pictures of the generator that the model labels. Deterministic."""
    classes = model.palette.num_classes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reader = PictureReader(perceptual, model.palette.class_ids).to(generator.device)
    maps: list[list[Tensor]] = []
    labels: list[Tensor] = []
    for number in range(pictures):
        progress("Making pictures for the second reading", number / pictures)
        picture, label = _labelled_picture(generator, model, _FIRST_SEED + number)
        maps.append([x.half() for x in reader.features(picture)])
        labels.append(label)
    counts = torch.bincount(torch.stack(labels).flatten(), minlength=classes).float()
    weights = counts.clamp_min(1) ** -_RARITY
    weights *= counts.sum() / (weights * counts).sum()
    adam = torch.optim.AdamW(reader.parameters(), lr=_LEARNING_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, _LEARNING_RATE, total_steps=steps)
    random = torch.Generator().manual_seed(0)
    for step in range(steps):
        progress("Learning the second reading", step / steps)
        chosen = torch.randint(pictures, (_BATCH,), generator=random).tolist()
        batch = [torch.cat([maps[i][level] for i in chosen]).float() for level in range(len(_MAP_CHANNELS))]
        loss = F.cross_entropy(reader(batch), torch.cat([labels[i] for i in chosen]), weights)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    progress("Learning the second reading", 1.0)
    return freeze(reader)


def agreement(reader: PictureReader, generator: Generator, model: PersonalModel, pictures: int = 48) -> Tensor:
    """Return how often the reader sees what the model sees in other random pictures: int64 [C, C], a row a class of the
    model's, a column one of the reader's."""
    classes = model.palette.num_classes
    counts = torch.zeros(classes * classes, dtype=torch.int64)
    for seed in range(_HELD_OUT_SEED, _HELD_OUT_SEED + pictures):
        picture, label = _labelled_picture(generator, model, seed)
        with torch.inference_mode():
            seen = reader(reader.features(picture)).argmax(1)
        counts += torch.bincount((label * classes + seen).flatten().cpu(), minlength=classes * classes)
    return counts.view(classes, classes)


def _labelled_picture(generator: Generator, model: PersonalModel, seed: int) -> tuple[Tensor, Tensor]:
    """Return a random picture [1, 3, _INPUT_SIDE, _INPUT_SIDE] in [-1, 1], and its labels int64 [1, SIDE, SIDE]."""
    with torch.inference_mode():
        ws = latents_of_seed(generator, seed, _TRUNCATION)[None]
        coarse = generator.coarse_features(ws)
        label = model.transfer.label(coarse.label_features)[:, None].float()
        label = F.interpolate(label, (SIDE, SIDE), mode="nearest-exact").long()[:, 0]
        picture = F.interpolate(
            generator.synthesize_fine(coarse, ws, _drawn_side(generator)).clamp(-1, 1), (_INPUT_SIDE, _INPUT_SIDE),
            mode="bilinear", antialias=True,
        )  # fmt: skip
    return picture.clone(), label.clone()


def _drawn_side(generator: Generator) -> int:
    return min(side for side in generator.draft_sizes if side >= min(_INPUT_SIDE, generator.img_resolution))
