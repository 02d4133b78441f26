"""Measures label transfer from scribbles and landmarks, for docs/results.md.

`python scripts/measure_scribbles.py`, some minutes on two cores.

Each of the faces that ship labelled by hand is the one shot in turn and is judged on all others, at 64², on ten classes
(glasses count as skin, hats as clothes). Scribbles are thinned out of its dense label at 256².
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.thinned_labels import scribbled  # noqa: E402
from smis_desktop.document.palette import UNKNOWN_CHANNEL, Palette  # noqa: E402
from smis_desktop.document.reduction import reduce_label_map  # noqa: E402
from smis_desktop.evaluation.metrics import class_iou, confusion_matrix, mean_iou  # noqa: E402
from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.generator import Generator, latents_of_seed  # noqa: E402
from smis_desktop.generators.store import open_generator  # noqa: E402
from smis_desktop.personal_model.encoder import layout_channels  # noqa: E402
from smis_desktop.personal_model.label_transfer import LatentShot, RepresentativeVectors, cosine_scores, learn_vectors  # noqa: E402
from smis_desktop.personal_model.probe_learning import learn_probe  # noqa: E402
from smis_desktop.personal_model.scribbles import ScribbleTransfer  # noqa: E402
from smis_desktop.resources import resources_folder  # noqa: E402
from smis_desktop.training.shots import read_generated_pictures  # noqa: E402

SHOTS = resources_folder() / "faces-shots"
MERGED = {"glasses": "skin", "hat": "clothes"}
SCRIBBLE_SIDE, SIDE = 256, 64
POINTS = (1, 2, 4, 8, 16)
THRESHOLD = 0.5
BACKGROUND = 0

Rule = Callable[[dict[int, Tensor]], Tensor]
"""Label features of one picture → int64 [r, r] in channels, UNKNOWN_CHANNEL where it says nothing."""


@dataclass(frozen=True, eq=False)
class Face:
    """A labelled face. dense, sparse: int64 [64, 64] in channels, fine: dense ones [128, 128]. features: the label
    features."""

    name: str
    ws: Tensor = field(repr=False)
    dense: Tensor = field(repr=False)
    sparse: Tensor = field(repr=False)
    fine: Tensor = field(repr=False)
    features: dict[int, Tensor] = field(repr=False)

    def shot(self, labels: Tensor) -> LatentShot:
        return LatentShot(self.name, self.ws, labels)


def faces(generator: Generator) -> tuple[list[Face], Palette]:
    """Return all shipped faces, and the ten classes."""
    folder, generated = read_shots(SHOTS), read_generated_pictures(SHOTS)
    assert generated is not None, "the shipped shots come with their seeds"
    by_name = {c.name: c.class_id for c in folder.palette.classes}
    palette = Palette(tuple(c for c in folder.palette.classes if c.name not in MERGED))
    found = []
    for shot in folder.shots:
        label = shot.label_map.copy()
        for gone, into in MERGED.items():
            label[label == by_name[gone]] = by_name[into]
        made = generated.by_name()[shot.name]
        ws = latents_of_seed(generator, made.seed, made.truncation)
        strokes = scribbled(reduce_label_map(label, SCRIBBLE_SIDE))
        with torch.inference_mode():
            features = generator.label_features(ws[None])
        found.append(
            Face(
                shot.name,
                ws,
                layout_channels(label, palette, "dense", SIDE),
                layout_channels(strokes, palette, "sparse", SIDE),
                layout_channels(label, palette, "dense", 2 * SIDE),
                features,
            )
        )
    return found, palette


def nearest(vectors: RepresentativeVectors) -> Rule:
    """Give every pixel the class of the most similar labelled one."""
    return lambda features: vectors.channels[cosine_scores(vectors.vectors, features[SIDE])[0].argmax(0)]


def judged(
    rules: Sequence[Rule], all_faces: Sequence[Face], palette: Palette, unknown_is: int = UNKNOWN_CHANNEL
) -> np.ndarray:
    """Return the IoU of each class, averaged over the shots; rule i was learned from face i. The last entry is the mean
    IoU."""
    rows = []
    ids = np.array([*palette.class_ids, 255], np.uint8)
    for own, rule in enumerate(rules):
        matrix = np.zeros((palette.num_classes, palette.num_classes + 1), np.int64)
        for number, face in enumerate(all_faces):
            if number != own:
                with torch.inference_mode():
                    labels = rule(face.features)
                labels = labels.where(labels != UNKNOWN_CHANNEL, unknown_is)
                matrix += confusion_matrix(ids[face.dense.numpy()], ids[labels.numpy()], palette)
        rows.append([*class_iou(matrix), mean_iou(matrix)])
    return np.mean(rows, 0)


def few(labels: Tensor, count: int, seed: int) -> Tensor:
    """Keep that many labelled cells of each class."""
    draws, found = torch.Generator().manual_seed(seed), torch.full_like(labels, UNKNOWN_CHANNEL)
    for channel in labels[labels != UNKNOWN_CHANNEL].unique():
        cells = (labels == channel).nonzero()
        rows, columns = cells[torch.randperm(len(cells), generator=draws)[:count]].T
        found[rows, columns] = channel
    return found


def main() -> None:
    """Print the tables."""
    generator = open_generator("faces")
    all_faces, palette = faces(generator)
    classes = palette.num_classes
    unsaid = [face.sparse.where(face.sparse != BACKGROUND, UNKNOWN_CHANNEL) for face in all_faces]

    def learned(labels: Sequence[Tensor], top_k: int = 3) -> dict[str, list[Rule]]:
        found: dict[str, list[Rule]] = {}
        for face, own in zip(all_faces, labels, strict=True):
            shots = [face.shot(own)]
            probe = learn_probe(generator, shots, classes)
            vectors = learn_vectors(generator, shots, classes, "sparse", top_k, THRESHOLD)
            scribbles = ScribbleTransfer(probe, vectors)
            found.setdefault("vectors, k = 3, t = 0.5 (the paper)", []).append(lambda f, v=vectors: v.label(f)[0])
            found.setdefault("the nearest labelled pixel", []).append(nearest(vectors))
            found.setdefault("probe", []).append(lambda f, p=probe: p.label(f)[0])
            found.setdefault("probe, unknown below t = 0.5", []).append(lambda f, s=scribbles: s.label(f)[0])
        return found

    names = " | ".join(c.name for c in palette.classes)
    print(f"| labels | rule | mIoU | {names} |")
    print("| --- " * (3 + classes) + "|")
    dense: list[Rule] = []
    for face in all_faces:
        probe = learn_probe(generator, [face.shot(face.dense)], classes)
        dense.append(lambda f, p=probe: p.label(f)[0])
    _row("areas", "probe", judged(dense, all_faces, palette))
    for name, rules in learned([face.sparse for face in all_faces]).items():
        _row("scribbles", name, judged(rules, all_faces, palette))
    for name, rules in learned(unsaid).items():
        _row("scribbles, none on the background", name, judged(rules, all_faces, palette, BACKGROUND))
    for count in POINTS:
        labels = [few(face.sparse, count, seed) for seed, face in enumerate(all_faces)]
        for name, rules in learned(labels).items():
            _row(f"{count} cells a class", name, judged(rules, all_faces, palette))


def _row(labels: str, rule: str, figures: np.ndarray) -> None:
    cells = " | ".join(f"{value:.2f}" for value in figures[:-1])
    print(f"| {labels} | {rule} | {figures[-1]:.3f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
