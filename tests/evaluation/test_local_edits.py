"""Local edits: what is painted, how the change is measured, and the second reading of pictures."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from smis_desktop.document.composition import Repaint, repainted_region
from smis_desktop.evaluation.edit_measures import EditRenderer, averages, measure, ways
from smis_desktop.evaluation.local_edits import (
    EDITS,
    edited,
    example_layout,
    fringe,
    raised_brows,
    recorded_edits,
    shorter_hair,
    ten_edits,
    thin_glasses,
    wider_eyes,
)
from smis_desktop.evaluation.picture_reader import SIDE, agreement, learn_picture_reader
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.personal_model.model import PersonalModel, read_personal_model
from smis_desktop.resources import default_model_path
from smis_desktop.training.perceptual import PerceptualDistance


@pytest.fixture(scope="module")
def model() -> PersonalModel:
    return read_personal_model(default_model_path())


def ids(model: PersonalModel, *names: str) -> list[int]:
    return [next(c.class_id for c in model.palette.classes if c.name == name) for name in names]


def test_a_fringe_is_hair_over_the_forehead_and_nothing_else(model: PersonalModel) -> None:
    before = example_layout()
    after = edited(before, fringe, model.palette)
    assert after is not None
    hair, skin, background = ids(model, "hair", "skin", "background")
    changed = before != after
    assert changed.mean() > 0.02
    assert set(np.unique(after[changed])) == {hair}
    assert set(np.unique(before[changed])) <= {skin, background}


def test_brows_move_up_and_leave_skin_behind(model: PersonalModel) -> None:
    before = example_layout()
    after = edited(before, raised_brows, model.palette)
    assert after is not None
    brows, skin, hair = ids(model, "brows", "skin", "hair")
    rows_before, rows_after = (np.nonzero(layout == brows)[0] for layout in (before, after))
    assert len(rows_before) == len(rows_after)
    assert rows_after.mean() < rows_before.mean() - 5
    assert set(np.unique(after[(before == brows) & (after != brows)])) <= {skin, hair}


def test_what_is_no_edit_of_a_face_is_left_out(model: PersonalModel) -> None:
    background = np.zeros((512, 512), np.uint8)
    assert edited(background, thin_glasses, model.palette) is None
    short = edited(example_layout(), shorter_hair, model.palette)
    assert short is not None
    assert edited(short, shorter_hair, model.palette) is None, "it is short already"


def test_ten_edits_follow_each_other(model: PersonalModel) -> None:
    steps = list(ten_edits(example_layout(), model.palette))
    assert len(steps) == 10
    layouts = [example_layout(), *(layout for _, layout in steps)]
    assert all((one != other).any() for one, other in pairwise(layouts))


@pytest.mark.network
def test_forty_edits_of_eleven_faces(faces: Generator, model: PersonalModel) -> None:
    edits = recorded_edits(faces, model)
    assert len(edits) == 40
    assert len({edit.face for edit in edits}) == 11
    assert {edit.name for edit in edits} == {kind.__name__.replace("_", " ") for kind in EDITS}
    assert all((edit.before != edit.after).mean() >= 0.002 for edit in edits)
    again = recorded_edits(faces, model)
    assert all(np.array_equal(one.after, other.after) for one, other in zip(edits, again, strict=True))


@pytest.mark.network
def test_the_second_reading_learns_the_classes_from_pixels(
    faces: Generator, model: PersonalModel, perceptual: PerceptualDistance
) -> None:
    reader = learn_picture_reader(faces, model, perceptual, lambda words, fraction: None, pictures=10, steps=50)
    counts = agreement(reader, faces, model, pictures=4)
    assert counts.sum() == 4 * SIDE * SIDE
    assert counts.diagonal().sum() > 1.5 * counts.sum(1).max(), "better than the commonest class everywhere"
    seen = reader.read(np.zeros((512, 512, 3), np.uint8))
    assert seen.shape == (SIDE, SIDE)
    assert set(np.unique(seen)) <= set(model.palette.class_ids)


@pytest.mark.network
def test_a_patch_leaves_the_rest_alone(faces: Generator, model: PersonalModel) -> None:
    synthesizer = Synthesizer(faces, model)
    edits = recorded_edits(faces, model)[:1]
    compared = ways(2)
    blank = np.zeros((SIDE, SIDE), np.uint8)
    rows = measure(edits, EditRenderer(synthesizer, 2), compared, lambda picture: blank, lambda words, fraction: None)
    means = averages(rows, compared)
    assert means["whole"]["outside_mean"] > 3
    assert means["refined"]["outside_mean"] < 0.5
    assert means["refined"]["outside_p99"] <= 2
    assert means["refined"]["model_iou"] > 0.3
    assert means["refined"]["second_iou"] < 0.1, "a reading that sees background alone"


@pytest.mark.network
def test_a_refined_patch_looks_as_before_around_what_it_repaints(faces: Generator, model: PersonalModel) -> None:
    synthesizer, before = Synthesizer(faces, model), example_layout()
    beneath = synthesizer.render(PictureRequest(before, size=256, refine_steps=6))
    for kind in (wider_eyes, thin_glasses):  # without it shadows grow around eyes, and the face turns white
        after = edited(before, kind, model.palette)
        assert after is not None
        request = PictureRequest(after, size=256, refine_steps=24, repaint=Repaint(beneath.composition, before))
        change = np.abs(synthesizer.render(request).picture.astype(int) - beneath.picture)
        mask = cv2.resize(repainted_region(before, after), (256, 256), interpolation=cv2.INTER_NEAREST)
        edge = (mask > 0) & (mask < 250)
        assert change[edge].mean() < 11
        assert change[mask == 0].mean() < 0.5
