"""Trust in classes: high where shots that were left out are read rightly, low where they are not."""

from __future__ import annotations

import pytest

from smis_desktop.generators.generator import FeatureKind
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.label_transfer import LatentShot
from smis_desktop.personal_model.probe_learning import held_out_iou, learn_probe
from smis_desktop.personal_model.trust import class_trust
from tests.personal_model.labelled_faces import CLASSES, SKIN, labelled_faces

NOISE = CLASSES
"""A class in addition to the faces' own: a square that lies somewhere else in each shot."""


@pytest.fixture(scope="module")
def shots(faces: MobileStyleGAN) -> list[LatentShot]:
    """Three labelled faces with a class that no feature tells."""
    found = []
    for shot, (y, x) in zip(labelled_faces(faces), ((4, 6), (44, 12), (28, 34)), strict=False):
        labels = shot.labels.clone()
        labels[y : y + 12, x : x + 12] = NOISE
        found.append(LatentShot(shot.name, shot.ws, labels))
    return found


def test_what_cannot_be_told_is_not_trusted(faces: MobileStyleGAN, shots: list[LatentShot]) -> None:
    iou = held_out_iou(faces, shots, CLASSES + 2)
    assert iou[SKIN] > 0.6
    assert iou[NOISE] < 0.2
    assert iou[CLASSES + 1].isnan(), "no shot holds it"
    label, fine = (learn_probe(faces, _of_side(shots, side), CLASSES + 2, kind=kind) for kind, side in _KINDS)
    trust = class_trust(faces, shots, label, fine, CLASSES + 2, uses_part_prior=False)
    assert trust.shape == (CLASSES + 2,)
    assert bool(((trust > 0) & (trust <= 1)).all())
    assert trust[SKIN] == 1
    assert trust[NOISE] < 0.35


def test_one_shot_is_judged_by_two_probes(faces: MobileStyleGAN, shots: list[LatentShot]) -> None:
    one = shots[:1]
    assert bool(held_out_iou(faces, one, CLASSES + 1).isnan().all())
    label, fine = (learn_probe(faces, _of_side(one, side), CLASSES + 1, kind=kind) for kind, side in _KINDS)
    trust = class_trust(faces, one, label, fine, CLASSES + 1, uses_part_prior=False)
    assert trust[SKIN] > 0.8
    assert trust[SKIN] > trust[NOISE] + 0.3


_KINDS: tuple[tuple[FeatureKind, int], ...] = (("label", 64), ("fine", 128))


def _of_side(shots: list[LatentShot], side: int) -> list[LatentShot]:
    factor = side // 64
    return [
        LatentShot(shot.name, shot.ws, shot.labels.repeat_interleave(factor, 0).repeat_interleave(factor, 1))
        for shot in shots
    ]
