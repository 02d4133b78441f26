"""Probes with a part prior: the parts that a generator's pictures are known to have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from smis_desktop.errors import UserError
from smis_desktop.generators import catalog
from smis_desktop.generators.generator import FeatureKind
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import open_generator, shipped_part_bias, shipped_part_prior, write_part_prior
from smis_desktop.personal_model.label_transfer import LatentShot
from smis_desktop.personal_model.probe_learning import learn_probe
from tests.personal_model.labelled_faces import CLASSES, SKIN, labelled_faces
from tests.personal_model.test_transfer_on_faces import mean_iou

PARTS = 17


@pytest.fixture(scope="module")
def labelled(faces: MobileStyleGAN) -> list[LatentShot]:
    return labelled_faces(faces)


@pytest.fixture
def prior_of_six(
    faces: MobileStyleGAN, labelled: list[LatentShot], monkeypatch: pytest.MonkeyPatch
) -> tuple[LatentShot, list[LatentShot]]:
    """One shot and five to judge it on, none of which the part prior comes from."""
    probe = learn_probe(faces, labelled[::2], CLASSES)
    monkeypatch.setattr(faces, "part_prior", probe.weights)
    monkeypatch.setattr(faces, "part_bias", {"label": probe.bias})
    one, *others = labelled[1::2]
    return one, others


def test_a_part_prior_improves_a_probe_of_one_shot(
    faces: MobileStyleGAN, prior_of_six: tuple[LatentShot, list[LatentShot]]
) -> None:
    one, others = prior_of_six
    alone = mean_iou(faces, learn_probe(faces, [one], CLASSES), others, CLASSES)
    with_prior = mean_iou(faces, learn_probe(faces, [one], CLASSES, uses_part_prior=True), others, CLASSES)
    assert with_prior > alone + 0.02


def test_classes_that_are_not_in_the_prior_are_learned_too(
    faces: MobileStyleGAN, prior_of_six: tuple[LatentShot, list[LatentShot]]
) -> None:
    one, others = prior_of_six
    left = torch.arange(64)[None] < 32
    cheeks = [LatentShot(shot.name, shot.ws, ((shot.labels == SKIN) & left).long()) for shot in (one, *others)]
    alone = mean_iou(faces, learn_probe(faces, cheeks[:3], 2), cheeks[3:], 2)
    with_prior = mean_iou(faces, learn_probe(faces, cheeks[:3], 2, uses_part_prior=True), cheeks[3:], 2)
    assert with_prior > alone - 0.04
    assert with_prior > 0.75


def test_without_a_prior_the_probe_is_that_of_the_shots_alone(
    faces: MobileStyleGAN, labelled: list[LatentShot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "part_prior", {})
    alone, with_prior = (
        learn_probe(faces, labelled[:1], CLASSES, uses_part_prior) for uses_part_prior in (False, True)
    )
    for name, tensor in alone.state_dict().items():
        assert torch.equal(tensor, with_prior.state_dict()[name])


def test_a_prior_ships_for_faces_only(faces: MobileStyleGAN) -> None:
    kinds: dict[FeatureKind, tuple[int, ...]] = {"label": (8, 16, 32, 64), "fine": (8, 16, 32, 64, 128)}
    for kind, sides in kinds.items():
        shipped = shipped_part_prior(faces.weights_sha256, kind)
        features = faces.features_of_kind(faces.broadcast(faces.w_avg[None]), kind)
        assert {r: rows.shape[1] for r, rows in shipped.items()} == {r: features[r].shape[1] for r in sides}
        assert {len(rows) for rows in shipped.values()} == {PARTS}
        assert shipped_part_bias(faces.weights_sha256)[kind].shape == (PARTS,)
    assert open_generator("landscapes").part_prior == {}
    assert catalog.has_part_prior(faces.weights_sha256)
    assert not catalog.has_part_prior("")


def test_a_damaged_prior_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "models_folder", lambda: tmp_path)
    path = tmp_path / "faces-parts.safetensors"
    weights: dict[FeatureKind, dict[int, torch.Tensor]] = {
        "label": {8: torch.ones(2, 4)},
        "fine": {8: torch.zeros(2, 4)},
    }
    write_part_prior(path, "ab" * 32, weights, {"label": torch.tensor([1.0, 2.0])}, ["skin", "hair"])
    assert torch.equal(shipped_part_prior("ab" * 32)[8], torch.ones(2, 4))
    assert torch.equal(shipped_part_prior("ab" * 32, "fine")[8], torch.zeros(2, 4))
    assert {kind: bias.tolist() for kind, bias in shipped_part_bias("ab" * 32).items()} == {"label": [1.0, 2.0]}
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match=r"faces-parts.safetensors is damaged .*; install the program again\.$"):
        shipped_part_prior("ab" * 32)
