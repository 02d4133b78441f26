"""Ways from a layout to a picture compared: pictures, figures, diversity of styles, sheets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smis_desktop.cli.console import Console, counted
from smis_desktop.cli.files import GivenLayout
from smis_desktop.document.palette import EMPTY
from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.evaluation.metrics import confusion_matrix, mean_iou, picture_features
from smis_desktop.formats.exported_picture import contact_sheet
from smis_desktop.formats.image_file import write_picture
from smis_desktop.generators.generator import from_rgb8, latents_of_seed
from smis_desktop.inference.synthesizer import PictureRequest, Quality, Synthesizer
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.training.perceptual import PerceptualDistance

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


STYLES = 8
_LAYOUTS = 8
"""At most. Of three, which three they were decided more than the styles did."""


def measured_diversity(
    method: Method,
    judge: Synthesizer,
    layouts: Sequence[GivenLayout],
    seed: int,
    variety: float,
    perceptual: PerceptualDistance,
    console: Console,
) -> dict[str, Any]:
    """`ratio`: the mean perceptual distance between the styles of a layout over that between as many of the generator's
    own pictures. `mixed_mean_iou`, `unmixed_mean_iou`: obedience with those styles, and with none."""
    palette = method.synthesizer.palette
    mixed = np.zeros((palette.num_classes, palette.num_classes + 1), np.int64)
    unmixed = mixed.copy()
    distances = []
    chosen = layouts[:_LAYOUTS]
    for number, layout in enumerate(chosen):
        console.progress(f"Comparing styles ({method.name})", number / len(chosen))
        pictures = []
        for style in range(STYLES):
            result = method.synthesizer.render(
                method.request(layout, Style.of_seed(seed + style, variety=variety), "draft")
            )
            pictures.append(result.picture)
            mixed += judged(judge, method, layout, result.ws)
        distances.append(_mean_distance(pictures, perceptual))
        alone = method.synthesizer.render(method.request(layout, Style.of_seed(seed, 0.0), "draft"))
        unmixed += judged(judge, method, layout, alone.ws)
    console.progress(f"Comparing styles ({method.name})", 1.0)
    own = _mean_distance(_random_pictures(method.synthesizer), perceptual)
    return {
        "ratio": round(float(np.mean(distances)) / own, 4),
        "styles": STYLES,
        "mixed_mean_iou": round(mean_iou(mixed), 4),
        "unmixed_mean_iou": round(mean_iou(unmixed), 4),
    }


def _random_pictures(synthesizer: Synthesizer) -> list[np.ndarray]:
    nothing = np.full((64, 64), 255, np.uint8)
    found = []
    for seed in range(STYLES):
        ws = latents_of_seed(synthesizer.generator, seed, 1.0).cpu().numpy()
        found.append(synthesizer.render(PictureRequest(nothing, Style(), 256, "draft", exact_ws=ws)).picture)
    return found


def _mean_distance(pictures: Sequence[np.ndarray], perceptual: PerceptualDistance) -> float:
    with torch.inference_mode():
        device = next(perceptual.parameters()).device if any(True for _ in perceptual.parameters()) else "cpu"
        features = [perceptual.features(from_rgb8(picture, 256).to(device)) for picture in pictures]
        pairs = [perceptual(a, b).sum().item() for a, b in itertools.combinations(features, 2)]
    return float(np.mean(pairs))


_LAYOUTS_contact_sheets, _STYLES, _SIDE = 4, 5, 256


def write(
    folder: Path,
    synthesizer: Synthesizer,
    layouts: Sequence[GivenLayout],
    pictures: Mapping[str, Sequence[np.ndarray]],
    refine_steps: int,
    seed: int,
) -> None:
    """`methods.jpg`: layout and one column a method; `styles.jpg`: layouts × styles, refined."""
    cells, captions = [], []
    for number in range(len(next(iter(pictures.values())))):
        cells.append(_colored(layouts[number], synthesizer))
        captions.append(layouts[number].path.stem)
        for name, found in pictures.items():
            cells.append(found[number])
            captions.append(name)
    write_picture(folder / "methods.jpg", contact_sheet(cells, captions, columns=1 + len(pictures)))
    cells, captions = [], []
    for layout in layouts[:_LAYOUTS_contact_sheets]:
        cells.append(_colored(layout, synthesizer))
        captions.append(layout.path.stem)
        for style in range(seed, seed + _STYLES):
            request = PictureRequest(layout.label_map, Style.of_seed(style), _SIDE, refine_steps=refine_steps)
            cells.append(synthesizer.render(request).picture)
            captions.append(f"seed {style}")
    write_picture(folder / "styles.jpg", contact_sheet(cells, captions, columns=1 + _STYLES))


def _colored(layout: GivenLayout, synthesizer: Synthesizer) -> np.ndarray:
    small = reduce_label_map(layout.label_map, _SIDE) if len(layout.label_map) > _SIDE else layout.label_map
    colored: np.ndarray = synthesizer.palette.color_table[small][..., :3]
    return np.ascontiguousarray(colored)
