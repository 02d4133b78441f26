"""Probes that lean on the known parts of a generator's pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from smis_desktop.errors import UserError
from smis_desktop.generators import part_prior as known_parts
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import open_generator
from smis_desktop.personal_model.label_transfer import LatentShot
from smis_desktop.personal_model.probe import learn_probe
from tests.personal_model.labelled_faces import CLASSES, SKIN, labelled_faces
from tests.personal_model.test_transfer_on_faces import mean_iou


@pytest.fixture(scope="module")
def labelled(faces: MobileStyleGAN) -> list[LatentShot]:
    return labelled_faces(faces)


@pytest.fixture
def told_by_six(
    faces: MobileStyleGAN, labelled: list[LatentShot], monkeypatch: pytest.MonkeyPatch
) -> tuple[LatentShot, list[LatentShot]]:
    """One shot and five to judge it on, none of which the known parts come from."""
    monkeypatch.setattr(faces, "known_parts", learn_probe(faces, labelled[::2], CLASSES).rows)
    one, *others = labelled[1::2]
    return one, others


def test_one_shot_teaches_more_where_parts_are_known(
    faces: MobileStyleGAN, told_by_six: tuple[LatentShot, list[LatentShot]]
) -> None:
    one, others = told_by_six
    alone = mean_iou(faces, learn_probe(faces, [one], CLASSES), others, CLASSES)
    informed = mean_iou(faces, learn_probe(faces, [one], CLASSES, is_informed=True), others, CLASSES)
    assert informed > alone + 0.02


def test_classes_that_are_no_known_part_are_learned_all_the_same(
    faces: MobileStyleGAN, told_by_six: tuple[LatentShot, list[LatentShot]]
) -> None:
    one, others = told_by_six
    left = torch.arange(64)[None] < 32
    cheeks = [LatentShot(shot.name, shot.ws, ((shot.labels == SKIN) & left).long()) for shot in (one, *others)]
    alone = mean_iou(faces, learn_probe(faces, cheeks[:3], 2), cheeks[3:], 2)
    informed = mean_iou(faces, learn_probe(faces, cheeks[:3], 2, is_informed=True), cheeks[3:], 2)
    assert informed > alone - 0.04
    assert informed > 0.75


def test_where_nothing_is_known_an_informed_probe_is_one_of_the_shots_alone(
    faces: MobileStyleGAN, labelled: list[LatentShot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "known_parts", {})
    alone, informed = (learn_probe(faces, labelled[:1], CLASSES, is_informed) for is_informed in (False, True))
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, informed.state_dict()[name])


def test_parts_ship_with_faces_alone(faces: MobileStyleGAN) -> None:
    shipped = known_parts.shipped_parts(faces.weights_sha256)
    assert {r: tuple(rows.shape) for r, rows in shipped.items()} == {
        r: (CLASSES, faces.feature_channels(r)) for r in (8, 16, 32, 64)
    }
    assert open_generator("landscapes").known_parts == {}
    assert known_parts.are_parts_known(faces.weights_sha256)
    assert not known_parts.are_parts_known("")


def test_a_damaged_file_of_parts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_parts, "models_folder", lambda: tmp_path)
    path = tmp_path / "faces-parts.safetensors"
    known_parts.write_parts(path, "ab" * 32, {8: torch.ones(2, 4)}, ["skin", "hair"])
    assert torch.equal(known_parts.shipped_parts("ab" * 32)[8], torch.ones(2, 4))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=r"faces-parts.safetensors is damaged .*; install the program anew\.$"):
        known_parts.shipped_parts("ab" * 32)
