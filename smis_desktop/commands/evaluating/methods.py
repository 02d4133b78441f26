"""Ways from a layout to a picture that are compared, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from smis_desktop.commands.console import Console, counted
from smis_desktop.commands.layouts import GivenLayout
from smis_desktop.fewshot.metrics import confusion_matrix, picture_features
from smis_desktop.fewshot.perceptual import PerceptualDistance
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.gan.pixels import from_rgb8
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.style import Style
from smis_desktop.synthesis import PictureRequest, Quality, Synthesizer

SHOWN = 12
"""Pictures that are kept for the contact sheets."""


@dataclass(frozen=True)
class Method:
    """A model and how far its pictures are refined."""

    name: str
    synthesizer: Synthesizer
    refine_steps: int

    def request(self, layout: GivenLayout, style: Style, quality: Quality = "full") -> PictureRequest:
        """At 256²."""
        return PictureRequest(layout.label_map, style, 256, quality, refine_steps=self.refine_steps)


@dataclass
class Rendered:
    """The confusion matrix of all layouts, each picture's features for KID, and the first pictures."""

    matrix: np.ndarray
    features: list[Tensor] = field(default_factory=list)
    pictures: list[np.ndarray] = field(default_factory=list)


def rendered(
    method: Method,
    judge: Synthesizer,
    layouts: Sequence[GivenLayout],
    seed: int,
    mix: float,
    variety: float,
    perceptual: PerceptualDistance | None,
    console: Console,
) -> Rendered:
    """Every layout once, each in a style of its own. Without `perceptual`, no features and quicker pictures."""
    palette = method.synthesizer.palette
    found = Rendered(np.zeros((palette.num_classes, palette.num_classes + 1), np.int64))
    words = f"Rendering {counted(len(layouts), 'layout', 'layouts')} ({method.name})"
    quality: Quality = "draft" if perceptual is None else "full"  # the picture itself matters to KID alone
    for done, layout in enumerate(layouts):
        console.progress(words, done / len(layouts))
        result = method.synthesizer.render(method.request(layout, Style.of_seed(seed + done, mix, variety), quality))
        found.matrix += judged(judge, method, layout, result.ws)
        if done < SHOWN:
            found.pictures.append(result.picture)
        if perceptual is not None:
            found.features.append(features_of(perceptual, result.picture, method.synthesizer))
    console.progress(words, 1.0)
    return found


def judged(judge: Synthesizer, method: Method, layout: GivenLayout, ws: np.ndarray) -> np.ndarray:
    """The confusion matrix of one picture, by its latents."""
    model = method.synthesizer.model
    ids = np.array([*model.palette.class_ids, EMPTY], np.uint8)  # by channel; -1 (not said) reads the last entry
    seen = judge.segment(ws)
    wanted = layout_channels(layout.label_map, model.palette, model.label_kind, len(seen)).numpy()
    return confusion_matrix(ids[wanted], seen, model.palette)


def features_of(perceptual: PerceptualDistance, picture: np.ndarray, synthesizer: Synthesizer) -> Tensor:
    """As KID compares them, [1, D]."""
    with torch.inference_mode():
        return picture_features(perceptual, from_rgb8(picture, 256).to(synthesizer.generator.device))
