"""Layouts that no model was taught with, and what becomes of them in other classes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from smis_desktop.document.palette import Palette, SemanticClass, default_color
from smis_desktop.evaluation.face_classes import (
    CELEBAMASK_CLASSES,
    FACE_CLASSES,
    READ_CLASSES,
    merged_class,
    merged_ids,
    read_palette,
)
from smis_desktop.evaluation.local_edits import example_layout
from smis_desktop.evaluation.unseen_layouts import as_celebamask, as_painted, mirrored_celebamask, unseen_layouts
from smis_desktop.generators.generator import Generator
from smis_desktop.personal_model.model import PersonalModel, read_personal_model
from smis_desktop.resources import default_model_path


@pytest.fixture(scope="module")
def model() -> PersonalModel:
    return read_personal_model(default_model_path())


def celebamask_palette(names: tuple[str, ...] = CELEBAMASK_CLASSES) -> Palette:
    return Palette(tuple(SemanticClass(i, name, default_color(i)) for i, name in enumerate(names)))


def test_what_is_painted_follows_from_the_number_alone(model: PersonalModel) -> None:
    before = example_layout()
    painted = [as_painted(before, model, number) for number in range(6)]
    again = [as_painted(before, model, number) for number in range(6)]
    assert all(np.array_equal(one, other) for one, other in zip(painted, again, strict=True))
    assert all(0.02 < (one != before).mean() < 0.5 for one in painted), "changed, and still this face"
    assert all((one != other).any() for one, other in pairwise(painted))
    eyes = READ_CLASSES.index("eyes")
    assert all((one == eyes).any() for one in painted), "nobody loses the eyes to an unsteady hand"


def test_left_and_right_and_lips_of_celebamask(model: PersonalModel) -> None:
    layout = example_layout()
    found = as_celebamask(layout)
    ids = {name: i for i, name in enumerate(CELEBAMASK_CLASSES)}
    for left, right in (("l_eye", "r_eye"), ("l_brow", "r_brow")):
        columns = [np.nonzero(found == ids[name])[1].mean() for name in (left, right)]
        assert columns[0] > columns[1] + 50, "the person's left is on the right of the picture"
    rows = [np.nonzero(found == ids[name])[0].mean() for name in ("u_lip", "l_lip")]
    assert rows[0] < rows[1]
    table, own = merged_ids(celebamask_palette()), merged_ids(read_palette())
    assert table is not None
    assert own is not None
    assert np.array_equal(table[found], own[layout]), "the same layout in the ten classes"


def test_a_mirror_image_exchanges_left_and_right() -> None:
    layout = as_celebamask(example_layout())
    mirrored = mirrored_celebamask(layout)
    assert np.array_equal(mirrored_celebamask(mirrored), layout)
    left, right = CELEBAMASK_CLASSES.index("l_eye"), CELEBAMASK_CLASSES.index("r_eye")
    assert (mirrored == left).sum() == (layout == right).sum()
    assert np.nonzero(mirrored == left)[1].mean() > np.nonzero(mirrored == right)[1].mean()


def test_classes_are_known_by_name_or_as_celebamask_by_id() -> None:
    assert {merged_class(name) for name in CELEBAMASK_CLASSES} == set(FACE_CLASSES)
    assert merged_class("sky") is None
    nameless = merged_ids(celebamask_palette(tuple(f"class {i}" for i in range(19))))
    named = merged_ids(celebamask_palette())
    assert nameless is not None
    assert np.array_equal(nameless, named)
    assert merged_ids(Palette((SemanticClass(0, "sky", (0, 0, 0)),))) is None
    assert merged_ids(Palette((SemanticClass(99, "class 99", (0, 0, 0)),))) is None


@pytest.mark.network
def test_layouts_of_random_faces_have_all_that_a_face_has(faces: Generator, model: PersonalModel) -> None:
    found = dict(unseen_layouts(faces, model, 3))
    assert list(found) == ["unseen-00", "unseen-01", "unseen-02"]
    for layout in found.values():
        assert layout.shape == (512, 512)
        for name in ("background", "skin", "nose", "eyes", "brows", "mouth", "hair"):
            assert (layout == READ_CLASSES.index(name)).any()
