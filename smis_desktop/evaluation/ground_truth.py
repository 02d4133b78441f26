"""Measures label transfer and layout fidelity on landscapes, whose exact classes the renderer knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import EMPTY, UNKNOWN_CHANNEL
from smis_desktop.document.style import Style
from smis_desktop.evaluation.landscape_segmenter import LandscapeSegmenter, train_segmenter
from smis_desktop.evaluation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy
from smis_desktop.generators.generator import Generator, latents_of_seed, seeded_z
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.landscapes.rendering import class_map, render
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import (
    LabelTransfer,
    LatentShot,
    TrainingShot,
    TransferKind,
    learn_vectors,
)
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.personal_model.probe_learning import learn_probe
from smis_desktop.storage.wheel_download import Progress
from smis_desktop.training.events import StageProgress, TrainingEvent
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.training import TrainingContext, TrainingSettings, train
from smis_desktop.workers.preview_thread import STEPS_AT_REST

TRANSFERS: tuple[TransferKind, ...] = ("vectors", "probe")
METHODS = (("encoder alone", 0.0, 0), ("encoder, style-mixed", 1.0, 0), ("refined, style-mixed", 1.0, STEPS_AT_REST))
"""Name, strength of style mixing, refinement steps."""
NUM_SHOTS = 5
TOP_K, THRESHOLDS = (1, 3, 10), (0.5, 0.8, 0.9)

_NUM_DRAWS = 3
_FIRST_TEST_SEED, _FIRST_CEILING_SEED = 20_000, 30_000
"""Seeds of the test pictures, and of those that the ceiling is learned from. Shots take the seeds from 0 on."""
_NUM_CEILING_SHOTS = 60
_STROKE_LENGTH = 10
"""Length of a scribble, in cells of the feature map."""
_CLASS_IDS = np.array([*PALETTE.class_ids, EMPTY], np.uint8)  # by channel; -1 (unknown) reads the last entry


@dataclass(frozen=True)
class Extent:
    """How much is measured: pictures for label transfer, layouts for fidelity, and samples to train on."""

    pictures: int
    layouts: int
    samples: int
    consistency_steps: int
    segmenter_pictures: int


@dataclass(frozen=True, eq=False)
class ExactPicture:
    """A seed's picture whose classes are known exactly.

    ws: float32 [num_ws, D]. label_map: uint8 [R, R] class ids, R = the generator's side. labels: int64 [r, r], the
    same as channels, at the side that labels are read at.
    """

    seed: int
    ws: Tensor
    label_map: np.ndarray
    labels: Tensor


def measure_ground_truth(generator: Generator, extent: Extent, progress: Progress) -> dict[str, Any]:
    """Measure label transfer and layout fidelity; `smis ground-truth --json` prints these figures."""
    test = [exact_picture(generator, _FIRST_TEST_SEED + i) for i in range(max(extent.pictures, extent.layouts))]
    pictures, layouts = test[: extent.pictures], test[: extent.layouts]
    draws = [[exact_picture(generator, NUM_SHOTS * draw + i) for i in range(NUM_SHOTS)] for draw in range(_NUM_DRAWS)]
    dense = _dense_transfers(generator, draws, pictures, progress)
    sparse = _sparse_transfers(generator, draws[0], pictures, progress)
    steps = max(1, extent.segmenter_pictures // 3)
    segmenter = train_segmenter(extent.segmenter_pictures, steps, 0, partial(progress, "Training the judge"))
    fidelity = _fidelities(generator, segmenter, draws[0], layouts, extent, progress)
    return {
        "likeness_db": renderer_psnr(generator, range(_FIRST_TEST_SEED, _FIRST_TEST_SEED + extent.pictures)),
        "dense": dense,
        "sparse": sparse,
        "judge_on_renderings": _on_renderings(generator, segmenter, layouts),
        "judge_on_own_pictures": _on_generated_pictures(generator, segmenter, layouts),
        "obedience": fidelity,
    }


def exact_picture(generator: Generator, seed: int) -> ExactPicture:
    """Return a seed's picture, without truncation: latents pulled to the mean would no longer describe the scene."""
    z = seeded_z(seed, generator.w_dim).numpy()
    label_map = class_map(z, generator.img_resolution)[0]
    labels = layout_channels(label_map, PALETTE, "dense", generator.feature_resolution)
    return ExactPicture(seed, latents_of_seed(generator, seed, 1.0), label_map, labels)


def rendered_picture(generator: Generator, seed: int) -> Tensor:
    """Render what the generator should synthesize for the seed: [1, 3, R, R] in [-1, 1]."""
    picture = render(seeded_z(seed, generator.w_dim).numpy(), generator.img_resolution)
    return torch.from_numpy(picture).permute(0, 3, 1, 2) * 2 - 1


def renderer_psnr(generator: Generator, seeds: Iterable[int]) -> float:
    """Return the mean PSNR of the generator's pictures against the renderer's, in dB."""
    values = []
    with torch.inference_mode():
        for seed in seeds:
            generated = generator.synthesis(latents_of_seed(generator, seed, 1.0)[None]).clamp(-1, 1).cpu()
            values.append(10 * torch.log10(4 / (generated - rendered_picture(generator, seed)).square().mean()))
    return float(torch.stack(values).mean())


def _dense_transfers(
    generator: Generator, draws: Sequence[Sequence[ExactPicture]], test: Sequence[ExactPicture], progress: Progress
) -> list[dict[str, Any]]:
    """Measure both kinds of label transfer from one shot and from five, and the probe from many: the ceiling."""
    first_shots = [[shots[0]] for shots in draws]
    ceiling = [exact_picture(generator, _FIRST_CEILING_SEED + i) for i in range(min(_NUM_CEILING_SHOTS, len(test)))]
    tasks = [(kind, shots) for kind in TRANSFERS for shots in (first_shots, draws)]
    rows: list[dict[str, Any]] = []
    for kind, of_draws in [*tasks, ("probe", [ceiling])]:
        progress("Label transfer from dense labels", len(rows) / (len(tasks) + 1))
        rows.append(_dense_transfer(generator, kind, of_draws, test))
    progress("Label transfer from dense labels", 1.0)
    return rows


def _dense_transfer(
    generator: Generator, kind: TransferKind, draws: Sequence[Sequence[ExactPicture]], test: Sequence[ExactPicture]
) -> dict[str, Any]:
    """Return mIoU and accuracy on `test`, averaged over draws of shots; a class that no shot holds counts as 0."""
    matrices = []
    for pictures in draws:
        shots = [LatentShot(str(picture.seed), picture.ws, picture.labels) for picture in pictures]
        transfer: LabelTransfer
        if kind == "probe":
            transfer = learn_probe(generator, shots, PALETTE.num_classes)
        else:
            transfer = learn_vectors(generator, shots, PALETTE.num_classes, "dense", 3, 0.5)
        matrices.append(_confusion([picture.labels for picture in test], _labels_by(transfer, generator, test)))
    ious = np.mean([class_iou(matrix) for matrix in matrices], 0)  # NaN where no test picture holds the class
    return {
        "shots": len(draws[0]),
        "transfer": kind,
        "mean_iou": float(np.mean([mean_iou(matrix) for matrix in matrices])),
        "pixel_accuracy": float(np.mean([pixel_accuracy(matrix) for matrix in matrices])),
        "classes": {
            c.name: None if np.isnan(iou) else float(iou) for c, iou in zip(PALETTE.classes, ious, strict=True)
        },
    }


def _sparse_transfers(
    generator: Generator, shots: Sequence[ExactPicture], test: Sequence[ExactPicture], progress: Progress
) -> list[dict[str, Any]]:
    """Measure label transfer from scribbles in one shot and in all of them, for every k and threshold."""
    settings = [
        (num_shots, top_k, threshold) for num_shots in (1, len(shots)) for top_k in TOP_K for threshold in THRESHOLDS
    ]
    rows: list[dict[str, Any]] = []
    for num_shots, top_k, threshold in settings:
        progress("Label transfer from scribbles", len(rows) / len(settings))
        rows.append(_sparse_transfer(generator, shots[:num_shots], test, top_k, threshold))
    progress("Label transfer from scribbles", 1.0)
    return rows


def _sparse_transfer(
    generator: Generator, pictures: Sequence[ExactPicture], test: Sequence[ExactPicture], top_k: int, threshold: float
) -> dict[str, Any]:
    """Return how many of the cells get a class from scribbles, and how many of those get the right one.

    `class_accuracy` is the mean over the classes that any cell got, `classes_claimed` their number.
    """
    shots = [LatentShot(str(p.seed), p.ws, scribble(p.labels)) for p in pictures]
    transfer = learn_vectors(generator, shots, PALETTE.num_classes, "sparse", top_k, threshold)
    target = [picture.labels for picture in test]
    matrix = _confusion(target, _labels_by(transfer, generator, test))[:, :-1]
    claims, hits = matrix.sum(0), matrix.diagonal()
    return {
        "shots": len(pictures),
        "top_k": top_k,
        "threshold": threshold,
        "claimed": float(claims.sum() / sum(labels.numel() for labels in target)),
        "accuracy": float(hits.sum() / max(1, claims.sum())),
        "class_accuracy": float((hits[claims > 0] / claims[claims > 0]).mean()) if claims.any() else 0.0,
        "classes_claimed": int((claims > 0).sum()),
    }


def scribble(labels: Tensor) -> Tensor:
    """Reduce labels to one short stroke per class, along the row of its innermost cell; the rest becomes unknown.

    labels: channels, int64 [r, r], as is the result.
    """
    strokes = torch.full_like(labels, UNKNOWN_CHANNEL)
    for channel in labels.unique().tolist():
        mask = (labels == channel).numpy().astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        left = right = int(column)
        while right - left + 1 < _STROKE_LENGTH:
            grown = False
            if left > 0 and mask[row, left - 1]:
                left, grown = left - 1, True
            if right - left + 1 < _STROKE_LENGTH and right + 1 < mask.shape[1] and mask[row, right + 1]:
                right, grown = right + 1, True
            if not grown:
                break
        strokes[int(row), left : right + 1] = channel
    return strokes


def _labels_by(transfer: LabelTransfer, generator: Generator, pictures: Sequence[ExactPicture]) -> list[Tensor]:
    with torch.inference_mode():
        return [transfer.label(generator.label_features(picture.ws[None]))[0].cpu() for picture in pictures]


def train_briefly(
    generator: Generator,
    pictures: Sequence[ExactPicture],
    transfer: TransferKind,
    samples: int,
    consistency_steps: int,
    progress: Callable[[float], None],
) -> PersonalModel:
    """Train a personal model from exact shots on `samples` pseudo-labelled samples.

    progress: receives the fraction done.
    """
    shots = [TrainingShot(str(p.seed), p.label_map, ws=p.ws) for p in pictures]
    settings = TrainingSettings(
        transfer=transfer, samples=samples, round_size=min(64, samples), consistency_steps=consistency_steps
    )

    def on_event(event: TrainingEvent) -> None:
        if isinstance(event, StageProgress):
            progress(event.overall)

    backend = TorchBackend(generator, settings.precision)
    return train(
        TrainingContext("landscapes", generator, shots, PALETTE, settings, _MemoryStore(), on_event, _no_photo, backend)
    )


def _fidelities(
    generator: Generator,
    segmenter: LandscapeSegmenter,
    shots: Sequence[ExactPicture],
    layouts: Sequence[ExactPicture],
    extent: Extent,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Measure layout fidelity for every kind of label transfer and every one of `METHODS`."""
    rows: list[dict[str, Any]] = []
    for kind in TRANSFERS:
        training = partial(progress, f"Training an encoder ({kind})")
        model = train_briefly(generator, shots, kind, extent.samples, extent.consistency_steps, training)
        for name, mix, refine_steps in METHODS:
            progress(f"Layout fidelity ({kind})", len(rows) / (len(TRANSFERS) * len(METHODS)))
            figures = _fidelity(Synthesizer(generator, model), segmenter, layouts, mix, refine_steps)
            rows.append({"transfer": kind, "method": name, "mix": mix, "refine": refine_steps, **figures})
    return rows


def _fidelity(
    synthesizer: Synthesizer,
    segmenter: LandscapeSegmenter,
    layouts: Sequence[ExactPicture],
    mix: float,
    refine_steps: int,
) -> dict[str, float]:
    """Compare the layouts with what the segmenter finds in their pictures, each in a style of its own."""
    side = synthesizer.generator.img_resolution
    labels = []
    for number, layout in enumerate(layouts):
        request = PictureRequest(layout.label_map, Style.of_seed(number, mix), side, refine_steps=refine_steps)
        picture = torch.from_numpy(synthesizer.render(request).picture).permute(2, 0, 1)[None] / 127.5 - 1
        labels.append(segmenter.labels(picture)[0])
    return _figures(layouts, labels)


def _on_renderings(
    generator: Generator, segmenter: LandscapeSegmenter, pictures: Sequence[ExactPicture]
) -> dict[str, float]:
    """Measure the segmenter itself, on renderings, whose classes are exact."""
    return _figures(pictures, [segmenter.labels(rendered_picture(generator, p.seed))[0] for p in pictures])


def _on_generated_pictures(
    generator: Generator, segmenter: LandscapeSegmenter, pictures: Sequence[ExactPicture]
) -> dict[str, float]:
    """Measure how far the generator's pictures show what their latents say, as the segmenter sees it."""
    with torch.inference_mode():
        return _figures(pictures, [segmenter.labels(generator.synthesis(p.ws[None]).cpu())[0] for p in pictures])


def _figures(pictures: Sequence[ExactPicture], labels: Sequence[Tensor]) -> dict[str, float]:
    matrix = _confusion([picture.labels for picture in pictures], labels)
    return {"mean_iou": mean_iou(matrix), "pixel_accuracy": pixel_accuracy(matrix)}


def _confusion(target: Sequence[Tensor], found: Sequence[Tensor]) -> np.ndarray:
    """Return the confusion matrix (see `metrics`) of label maps in channels, int64 [r, r] each; -1 is unknown."""
    total = np.zeros((PALETTE.num_classes, PALETTE.num_classes + 1), np.int64)
    for one, other in zip(target, found, strict=True):
        total += confusion_matrix(_CLASS_IDS[one.numpy()], _CLASS_IDS[other.numpy()], PALETTE)
    return total


def _no_photo() -> PerceptualDistance:
    raise AssertionError("pictures of known latents need no inversion")


class _MemoryStore:
    """Keeps the stages of a training in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Tensor]] = {}

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._kept.get(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        self._kept[name] = tensors
