"""Measures what a probe gains from the part prior, for docs/results.md:
`python scripts/measure_known_parts.py SHOTS TRAINING`, half an hour on two cores.

SHOTS: labelled photos with CelebAMask's classes. TRAINING: the folder `FILE.training` of a training on them that was
interrupted after its inversions. The judges are the shipped faces that were labelled by hand. The parts are learned
with their help, so one half of them has a say in the parts and the other half judges, and then the other way round.
All at 64², by the cheap probe; at 128² by the fine one, lines that begin with `fine`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.fit_face_parts import known_parts  # noqa: E402
from scripts.measure_scribbles import Face, faces  # noqa: E402
from smis_desktop.document.palette import Palette  # noqa: E402
from smis_desktop.evaluation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy  # noqa: E402
from smis_desktop.formats.shots_folder import read_shots  # noqa: E402
from smis_desktop.generators.generator import FeatureKind, Generator  # noqa: E402
from smis_desktop.generators.store import open_generator  # noqa: E402
from smis_desktop.personal_model.encoder import layout_channels  # noqa: E402
from smis_desktop.personal_model.label_transfer import LabelTransfer, LatentShot, learn_vectors  # noqa: E402
from smis_desktop.personal_model.probe_learning import learn_probe  # noqa: E402
from smis_desktop.personal_model.scribbles import ScribbleTransfer  # noqa: E402
from smis_desktop.training.shots import latent_pair, training_latents  # noqa: E402
from smis_desktop.training.stages.label_transfer import aligned_to_ws  # noqa: E402
from smis_desktop.training.training import TrainingFolder  # noqa: E402

TEN = {
    0: 0, 1: 1, 2: 2, 3: 1, 4: 3, 5: 3, 6: 4, 7: 4, 8: 5, 9: 5, 10: 6, 11: 6, 12: 6, 13: 7, 14: 9, 15: 5, 16: 8, 17: 8,
    18: 9,
}  # fmt: skip
"""CelebAMask's classes as channels of the judges' ten: glasses are skin there, hats clothes."""
BACKGROUND = 0


def main() -> None:
    """Print the tables."""
    shots_folder, training = Path(sys.argv[1]), TrainingFolder(Path(sys.argv[2]))
    generator = open_generator("faces")
    judges, ten = faces(generator)
    folder = read_shots(shots_folder)
    merged = np.array([TEN[class_id] for class_id in folder.palette.class_ids])
    located = [(shot, latent_pair(stored(training, number))) for number, shot in enumerate(folder.shots)]
    sides: dict[FeatureKind, int] = {"label": generator.feature_resolution, "fine": generator.fine_feature_resolution}
    views: dict[FeatureKind, dict[str, list[LatentShot]]] = {"label": {}, "fine": {}}
    for shot, latents in located:
        for ws in training_latents(latents):
            label_map = aligned_to_ws(generator, ws, shot.label_map, shot.picture)
            for kind, side in sides.items():
                labels = layout_channels(label_map, folder.palette, "dense", side)
                views[kind].setdefault(shot.name, []).append(LatentShot(shot.name, ws, labels))
    halves = [(judges[0::2], judges[1::2]), (judges[1::2], judges[0::2])]
    know = [known_parts(generator, [face.name for face in judging]) for _, judging in halves]

    def knows(number: int) -> None:
        weights, generator.part_bias = know[number]
        generator.part_prior, generator.fine_part_prior = weights["label"], weights["fine"]

    names = " | ".join(c.name for c in ten.classes)
    print(f"| shots | probe | mIoU | accuracy | {names} |\n{'| --- ' * (4 + ten.num_classes)}|")
    for kind, of_kind in views.items():
        everything = [view for of_shot in of_kind.values() for view in of_shot]
        for has_prior in (False, True):
            for label, shots in (("all", everything), *of_kind.items()):
                matrix = np.zeros((ten.num_classes, ten.num_classes + 1), np.int64)
                for number, (_, judging) in enumerate(halves):
                    knows(number)
                    probe = learn_probe(generator, shots, folder.palette.num_classes, has_prior, kind)
                    matrix += judged(generator, probe, judging, ten, merged, kind)
                row(label if kind == "label" else f"fine, {label}", has_prior, matrix)
    own = np.arange(ten.num_classes)
    for what in ("areas", "scribbles", "scribbles, none on the background"):
        for has_prior in (False, True):
            matrix = np.zeros((ten.num_classes, ten.num_classes + 1), np.int64)
            for number, (_, judging) in enumerate(halves):
                knows(number)
                for shot in judging:
                    rule = learned(generator, shot, what, ten, has_prior)
                    others = [face for face in judging if face is not shot]
                    matrix += judged(generator, rule, others, ten, own)
            row(what, has_prior, matrix)


def learned(generator: Generator, face: Face, what: str, palette: Palette, has_prior: bool) -> LabelTransfer:
    """Learn a probe from one face's labels of that kind."""
    classes = palette.num_classes
    if what == "areas":
        return learn_probe(generator, [face.shot(face.dense)], classes, has_prior)
    labels = face.sparse if what == "scribbles" else face.sparse.where(face.sparse != BACKGROUND, -1)
    shots = [face.shot(labels)]
    vectors = learn_vectors(generator, shots, classes, "sparse", 3, 0.5)
    return ScribbleTransfer(learn_probe(generator, shots, classes, has_prior), vectors)


def stored(training: TrainingFolder, number: int) -> dict[str, Tensor]:
    found = training.read(f"inverted-{number}")
    assert found is not None, f"{training.path} has not found photo {number} yet"
    return found


def judged(
    generator: Generator,
    rule: LabelTransfer,
    judging: Sequence[Face],
    ten: Palette,
    channels: np.ndarray,
    kind: FeatureKind = "label",
) -> np.ndarray:
    """Return the confusion matrix; channels: which of the ten each class of the rule is. Unknown counts as
    background."""
    ids = np.array(ten.class_ids, np.uint8)
    matrix = np.zeros((ten.num_classes, ten.num_classes + 1), np.int64)
    for face in judging:
        with torch.inference_mode():
            features = face.features if kind == "label" else generator.features_of_kind(face.ws[None], kind)
            said = rule.label(features)[0].clamp_min(BACKGROUND)
        dense = face.dense if kind == "label" else face.fine
        matrix += confusion_matrix(ids[dense.numpy()], ids[channels[said.numpy()]], ten)
    return matrix


def row(what: str, has_prior: bool, matrix: np.ndarray) -> None:
    """Return one line of the table."""
    cells = " | ".join(f"{value:.2f}" for value in class_iou(matrix))
    rule = "with the part prior" if has_prior else "shots alone"
    print(f"| {what} | {rule} | {mean_iou(matrix):.3f} | {pixel_accuracy(matrix):.3f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
