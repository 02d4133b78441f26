"""Compares methods that make pictures from layouts: layout fidelity, KID, diversity of styles, contact sheets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.composition import Composition
from smis_desktop.document.palette import EMPTY
from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.evaluation.judges import Judge, LandmarkJudge, fidelity, landmark_means, merged_fidelity
from smis_desktop.evaluation.metrics import KID_FEATURES, kid, mean_iou, picture_features
from smis_desktop.formats.exported_picture import contact_sheet
from smis_desktop.formats.image_file import write_picture
from smis_desktop.generators.generator import from_rgb8, latents_of_seed
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Quality, Synthesizer
from smis_desktop.storage.wheel_download import Progress
from smis_desktop.training.perceptual import PerceptualDistance

NUM_STYLES = 8

_SIDE = 256
_SHOWN_LAYOUTS = 12
_MAX_DIVERSITY_LAYOUTS = 8
"""With only three, the choice of layouts mattered more than the styles."""
_SHEET_LAYOUTS, _SHEET_STYLES = 4, 5
_FIRST_SAMPLE_SEED = 1_000_000
"""The generator's own pictures have seeds that are unlikely to be used for styles."""


@dataclass(frozen=True, eq=False)
class NamedLayout:
    """A layout with its name. label_map: uint8 [S, S] class ids, read-only."""

    name: str
    label_map: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Method:
    """A method to make pictures: a model with its generator, and a number of refinement steps."""

    name: str
    synthesizer: Synthesizer
    refine_steps: int

    def render(self, layout: NamedLayout, style: Style, quality: Quality) -> PictureResult:
        """Render a layout at 256²."""
        request = PictureRequest(layout.label_map, style, _SIDE, quality, refine_steps=self.refine_steps)
        return self.synthesizer.render(request)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Measures methods on the same layouts, in the same styles and by the same judges.

    judges: the first one's figures are the main ones. landmarks: None leaves these out. seed: style of the first
    layout; each next one takes the next. perceptual: None leaves out KID and diversity.
    """

    layouts: Sequence[NamedLayout]
    judges: Sequence[Judge]
    landmarks: LandmarkJudge | None
    seed: int
    mix: float
    variety: float
    perceptual: PerceptualDistance | None
    progress: Progress

    def measure(self, method: Method, generator_features: Tensor | None) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Return a method's figures, as in `methods` of `smis evaluate --json`, and its first pictures.

        generator_features: see `generator_features`.
        """
        matrices = [_empty_matrix(judge) for judge in self.judges]
        features: list[Tensor] = []
        pictures: list[np.ndarray] = []
        parts: list[dict[str, dict[str, float] | None]] = []
        words = f"Rendering {len(self.layouts):,} {'layout' if len(self.layouts) == 1 else 'layouts'} ({method.name})"
        for number, layout in enumerate(self.layouts):
            self.progress(words, number / len(self.layouts))
            style = Style.of_seed(self.seed + number, self.mix, self.variety)
            result = method.render(layout, style, "full")
            for judge, matrix in zip(self.judges, matrices, strict=True):
                matrix += judge.compare(layout.label_map, result)
            if self.landmarks is not None:
                parts.append(self.landmarks.compare(layout.label_map, result.picture))
            if number < _SHOWN_LAYOUTS:
                pictures.append(result.picture)
            if self.perceptual is not None:
                features.append(_features(self.perceptual, result.picture, method.synthesizer))
        self.progress(words, 1.0)
        kid_figures = None
        if generator_features is not None and len(self.layouts) >= 2:
            kid_figures = _kid_figures(torch.cat(features), generator_features)
        judged = [
            {"judge": judge.name, **fidelity(matrix, judge.palette), "merged": merged_fidelity(matrix, judge.palette)}
            for judge, matrix in zip(self.judges, matrices, strict=True)
        ]
        main = judged[0]
        facts = {
            "method": method.name,
            "refine": method.refine_steps,
            **{key: main[key] for key in ("pixel_accuracy", "mean_iou", "classes")},
            "judges": judged,
            "landmarks": None if self.landmarks is None else landmark_means(parts),
            "kid": kid_figures,
            "diversity": None if self.perceptual is None else self._diversity(method, self.perceptual),
        }
        return facts, pictures

    def _diversity(self, method: Method, perceptual: PerceptualDistance) -> dict[str, Any]:
        """Measure how different the styles of a layout look, and how they affect its fidelity.

        `ratio`: the mean perceptual distance between the styles of a layout, divided by that between as many of the
        generator's own pictures. `mixed_mean_iou`, `unmixed_mean_iou`: layout fidelity with those styles and with none.
        """
        judge = self.judges[0]
        mixed, unmixed = _empty_matrix(judge), _empty_matrix(judge)
        distances = []
        layouts = self.layouts[:_MAX_DIVERSITY_LAYOUTS]
        words = f"Comparing styles ({method.name})"
        for number, layout in enumerate(layouts):
            self.progress(words, number / len(layouts))
            pictures = []
            for style in range(NUM_STYLES):
                result = method.render(layout, Style.of_seed(self.seed + style, variety=self.variety), "draft")
                pictures.append(result.picture)
                mixed += judge.compare(layout.label_map, result)
            distances.append(_mean_distance(pictures, perceptual, method.synthesizer))
            plain = method.render(layout, Style.of_seed(self.seed, 0.0), "draft")
            unmixed += judge.compare(layout.label_map, plain)
        self.progress(words, 1.0)
        generated = [_generated_picture(method.synthesizer, seed, "draft") for seed in range(NUM_STYLES)]
        of_generator = _mean_distance(generated, perceptual, method.synthesizer)
        return {
            "ratio": round(float(np.mean(distances)) / of_generator, 4),
            "styles": NUM_STYLES,
            "mixed_mean_iou": round(mean_iou(mixed), 4),
            "unmixed_mean_iou": round(mean_iou(unmixed), 4),
        }


def generator_features(
    synthesizer: Synthesizer, perceptual: PerceptualDistance, count: int, progress: Progress
) -> Tensor:
    """Return features of the generator's own pictures for KID, [count, D]."""
    words = f"Making {count} pictures of the generator's own to compare with"
    features = []
    for number in range(count):
        progress(words, number / count)
        picture = _generated_picture(synthesizer, _FIRST_SAMPLE_SEED + number, "full")
        features.append(_features(perceptual, picture, synthesizer))
    progress(words, 1.0)
    return torch.cat(features)


def write_contact_sheets(
    folder: Path,
    synthesizer: Synthesizer,
    layouts: Sequence[NamedLayout],
    pictures: Mapping[str, Sequence[np.ndarray]],
    refine_steps: int,
    seed: int,
) -> None:
    """Write `methods.jpg`, a row for each layout and a column for each method, and `styles.jpg`, layouts × styles."""
    cells, captions = [], []
    for number in range(len(next(iter(pictures.values())))):
        cells.append(_colored(layouts[number], synthesizer))
        captions.append(layouts[number].name)
        for name, of_method in pictures.items():
            cells.append(of_method[number])
            captions.append(name)
    write_picture(folder / "methods.jpg", contact_sheet(cells, captions, columns=1 + len(pictures)))
    refined = Method("refined", synthesizer, refine_steps)
    cells, captions = [], []
    for layout in layouts[:_SHEET_LAYOUTS]:
        cells.append(_colored(layout, synthesizer))
        captions.append(layout.name)
        for style in range(seed, seed + _SHEET_STYLES):
            cells.append(refined.render(layout, Style.of_seed(style), "full").picture)
            captions.append(f"seed {style}")
    write_picture(folder / "styles.jpg", contact_sheet(cells, captions, columns=1 + _SHEET_STYLES))


def _empty_matrix(judge: Judge) -> np.ndarray:
    num_classes = judge.palette.num_classes
    return np.zeros((num_classes, num_classes + 1), np.int64)


def _kid_figures(features: Tensor, of_generator: Tensor) -> dict[str, Any]:
    """Return KID × 1000 between the rendered pictures and the generator's own, and what it was measured on."""
    return {
        "times_1000": round(1000 * kid(features, of_generator), 4),
        "rendered": len(features),
        "own": len(of_generator),
        "features": KID_FEATURES,
    }


def _features(perceptual: PerceptualDistance, picture: np.ndarray, synthesizer: Synthesizer) -> Tensor:
    """Return a picture's features for KID, [1, D]."""
    with torch.inference_mode():
        return picture_features(perceptual, from_rgb8(picture, _SIDE).to(synthesizer.generator.device))


def _generated_picture(synthesizer: Synthesizer, seed: int, quality: Quality) -> np.ndarray:
    """Return one of the generator's own pictures, without truncation, at 256²."""
    empty = np.full((64, 64), EMPTY, np.uint8)
    exact = Composition(latents_of_seed(synthesizer.generator, seed, 1.0).cpu().numpy())
    return synthesizer.render(PictureRequest(empty, Style(mix=0), _SIDE, quality, composition=exact)).picture


def _mean_distance(pictures: Sequence[np.ndarray], perceptual: PerceptualDistance, synthesizer: Synthesizer) -> float:
    """Return the mean perceptual distance between all pairs of the pictures."""
    with torch.inference_mode():
        device = synthesizer.generator.device
        features = [perceptual.features(from_rgb8(picture, _SIDE).to(device)) for picture in pictures]
        pairs = [perceptual(a, b).sum().item() for a, b in itertools.combinations(features, 2)]
    return float(np.mean(pairs))


def _colored(layout: NamedLayout, synthesizer: Synthesizer) -> np.ndarray:
    """Return the layout in its classes' colours, uint8 [S, S, 3], S ≤ 256."""
    label_map = layout.label_map
    small = reduce_label_map(label_map, _SIDE) if len(label_map) > _SIDE else label_map
    colored: np.ndarray = synthesizer.palette.color_table[small][..., :3]
    return np.ascontiguousarray(colored)
