"""Scribbles are told from landmarks, and their label transfer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.thinned_labels import scribbled, skeleton
from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.reduction import SCRIBBLE_CELLS, reduce_label_map
from smis_desktop.formats.shots_folder import read_shots
from smis_desktop.generators.generator import latents_of_seed
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import LatentShot, LinearProbe, RepresentativeVectors, learn_vectors
from smis_desktop.personal_model.probe_learning import learn_probe
from smis_desktop.personal_model.scribbles import ScribbleTransfer, are_scribbles
from smis_desktop.resources import resources_folder
from smis_desktop.training.shots import read_generated_pictures
from tests.personal_model.test_transfer_on_faces import mean_iou


def test_a_scribble_has_eight_cells_in_the_median() -> None:
    def cells(*counts: int) -> torch.Tensor:
        labels = torch.full((16, 16), UNKNOWN_CHANNEL)
        for channel, count in enumerate(counts):
            labels[channel, :count] = channel
        return labels

    many, few = SCRIBBLE_CELLS, SCRIBBLE_CELLS - 1
    assert are_scribbles([cells(many)])
    assert not are_scribbles([cells(few)])
    assert are_scribbles([cells(1, many, many)])
    assert not are_scribbles([cells(1, 1), cells(many)])
    assert are_scribbles([cells(1), cells(0, many, 15)])


@given(st.integers(0, 1000), st.sampled_from([-1.1, -0.2, 0.3, 0.9, 1.1]))
@settings(max_examples=25, deadline=None)
def test_only_similar_pixels_are_labelled(seed: int, threshold: float) -> None:
    draws = torch.Generator().manual_seed(seed)
    features = {8: torch.randn(2, 4, 8, 8, generator=draws)}
    vectors = torch.nn.functional.normalize(torch.randn(5, 4, generator=draws), dim=1)
    probe = LinearProbe({8: torch.randn(3, 4, generator=draws)}, torch.zeros(3))
    known = RepresentativeVectors(vectors, torch.tensor([0, 1, 2, 2, 0]), 3, 8, "sparse", 3, threshold)
    found = ScribbleTransfer(probe, known).label(features)
    for n, y, x in np.ndindex(*found.shape):
        pixel = features[8][n, :, y, x].double()
        best = max(float(vector.double() @ pixel / pixel.norm()) for vector in vectors)
        if abs(best - threshold) > 1e-5:
            assert found[n, y, x] == (probe.label(features)[n, y, x] if best > threshold else UNKNOWN_CHANNEL)


@pytest.mark.parametrize("count", [3, 64, 65, 5000])
def test_exemplars_are_all_of_a_small_class_and_some_of_a_large_one(count: int) -> None:
    draws = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn(count + 2, 8, generator=draws), dim=1)
    channels = torch.zeros(count + 2, dtype=torch.int64)
    channels[[0, -1]] = 1
    known = RepresentativeVectors(vectors, channels, 2, 1, "sparse", 3, 0.5)
    transfer = ScribbleTransfer(LinearProbe({1: torch.zeros(2, 8)}, torch.zeros(2)), known)
    own = transfer.similarity({1: vectors[:, :, None, None]})[:, 0, 0]
    torch.testing.assert_close(own[[0, -1]], torch.ones(2))
    assert int((own > 0.9999).sum()) - 2 == min(count, -(-count // -(-count // 64)))


def test_thinning_keeps_lines_and_every_part() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:16, 4:50] = mask[25:36, 10:30] = True
    lines = skeleton(mask)
    assert not (lines & ~mask).any()
    assert lines[:20].any(0).sum() > 30
    assert lines[20:].any()
    assert lines.sum() < 0.12 * mask.sum()
    assert (lines[:20].sum(0) <= 3).all()


def test_scribbles_on_one_face_are_nearly_as_good_as_areas(faces: MobileStyleGAN) -> None:
    folder = resources_folder() / "faces-shots"
    shots, generated = read_shots(folder), read_generated_pictures(folder)
    assert generated is not None
    made = generated.by_name()
    classes = shots.palette.num_classes
    dense = []
    for shot in shots.shots[5:9]:
        ws = latents_of_seed(faces, made[shot.name].seed, made[shot.name].truncation)
        dense.append(LatentShot(shot.name, ws, layout_channels(shot.label_map, shots.palette, "dense", 64)))
    strokes = scribbled(reduce_label_map(shots.shots[5].label_map, 256))
    sparse = LatentShot(dense[0].name, dense[0].ws, layout_channels(strokes, shots.palette, "sparse", 64))
    assert are_scribbles([sparse.labels])
    vectors = learn_vectors(faces, [sparse], classes, "sparse", 3, 0.5)
    scribbles = ScribbleTransfer(learn_probe(faces, [sparse], classes), vectors)
    areas = learn_probe(faces, [dense[0]], classes)
    figures = [mean_iou(faces, rule, dense[1:], classes) for rule in (areas, scribbles, vectors)]
    assert figures[1] > figures[0] - 0.1
    assert figures[1] > figures[2] + 0.1
