"""Label transfer on real features: learned from six of the hand-labelled faces, judged on the other six."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import FeatureKind
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.label_transfer import LabelTransfer, LatentShot, LinearProbe, learn_vectors
from smis_desktop.personal_model.probe_learning import learn_probe
from tests.personal_model.labelled_faces import CLASSES, THIN, labelled_faces


def test_the_probe_transfers_labels_better_than_single_vectors(faces: MobileStyleGAN) -> None:
    labelled = labelled_faces(faces)
    learned, unseen = labelled[::2], labelled[1::2]
    probe = learn_probe(faces, learned, CLASSES)
    vectors = learn_vectors(faces, learned, CLASSES, "dense", top_k=3, threshold=0.5)
    figures = {kind: mean_iou(faces, transfer, unseen, CLASSES) for kind, transfer in [("p", probe), ("v", vectors)]}
    assert figures["p"] > figures["v"] + 0.05
    assert figures["p"] > 0.6


def test_the_fine_probe_reads_thin_classes_better(faces: MobileStyleGAN) -> None:
    sides: dict[FeatureKind, int] = {"label": 64, "fine": 128}
    figures = {}
    for kind, side in sides.items():
        labelled = labelled_faces(faces, side)
        probe = learn_probe(faces, labelled[::2], CLASSES, kind=kind)
        figures[kind] = _iou_of_thin(faces, probe, kind, labelled_faces(faces, 128)[1::2])
    assert figures["fine"] > figures["label"] + 0.02


def _iou_of_thin(generator: MobileStyleGAN, probe: LinearProbe, kind: FeatureKind, unseen: list[LatentShot]) -> float:
    """Mean intersection over union of eyes and brows at 128²."""
    both, either = torch.zeros(len(THIN)), torch.zeros(len(THIN))
    for shot in unseen:
        with torch.inference_mode():
            said = probe.label(generator.features_of_kind(shot.ws[None], kind))[:, None].float()
            said = F.interpolate(said, size=shot.labels.shape, mode="nearest-exact")[0, 0]
        for i, channel in enumerate(THIN):
            a, b = said == channel, shot.labels == channel
            both[i] += (a & b).sum()
            either[i] += (a | b).sum()
    return float((both / either).mean())


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
