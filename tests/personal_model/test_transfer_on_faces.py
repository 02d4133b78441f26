"""Label transfer on real features: learned from six of the hand-labelled faces, judged on the other six."""

from __future__ import annotations

import numpy as np
import torch

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.label_transfer import LabelTransfer, LatentShot, learn_vectors
from smis_desktop.personal_model.probe_learning import learn_probe
from tests.personal_model.labelled_faces import CLASSES, labelled_faces


def test_the_probe_transfers_labels_better_than_single_vectors(faces: MobileStyleGAN) -> None:
    labelled = labelled_faces(faces)
    learned, unseen = labelled[::2], labelled[1::2]
    probe = learn_probe(faces, learned, CLASSES)
    vectors = learn_vectors(faces, learned, CLASSES, "dense", top_k=3, threshold=0.5)
    figures = {kind: mean_iou(faces, transfer, unseen, CLASSES) for kind, transfer in [("p", probe), ("v", vectors)]}
    assert figures["p"] > figures["v"] + 0.05
    assert figures["p"] > 0.6


def mean_iou(generator: MobileStyleGAN, transfer: LabelTransfer, shots: list[LatentShot], num_classes: int) -> float:
    """Intersection over union, pooled over the pictures, averaged over the classes that they hold."""
    truth, found = [], []
    for shot in shots:
        with torch.inference_mode():
            labels = transfer.label(generator.label_features(shot.ws[None]))[0]
        truth.append(shot.labels.numpy()[shot.labels != UNKNOWN_CHANNEL])
        found.append(labels.numpy()[shot.labels != UNKNOWN_CHANNEL])
    a, b = np.concatenate(truth), np.concatenate(found)
    return float(
        np.mean(
            [((a == c) & (b == c)).sum() / ((a == c) | (b == c)).sum() for c in range(num_classes) if (a == c).any()]
        )
    )
