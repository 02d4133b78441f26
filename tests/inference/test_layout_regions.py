"""The regions of a layout follow from areas and neighbours, whatever the classes are called."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.inference.layout_regions import MAX_REGIONS, region_masks

SIDE = 128


def face() -> np.ndarray:
    """Background 0, a face 1 with eyes 3 and a mouth 4 in it, hair 2 above, an ear 5 between face and background."""
    layout = np.zeros((SIDE, SIDE), np.int64)
    canvas = layout.astype(np.uint8)
    cv2.circle(canvas, (64, 56), 46, 2, -1)
    cv2.circle(canvas, (64, 70), 34, 1, -1)
    cv2.ellipse(canvas, (100, 78), (7, 12), 0, 0, 360, 5, -1)
    for x in (50, 78):
        cv2.ellipse(canvas, (x, 64), (6, 3), 0, 0, 360, 3, -1)
    cv2.ellipse(canvas, (64, 88), (10, 4), 0, 0, 360, 4, -1)
    return canvas.astype(np.int64)


def owner(masks: list[np.ndarray], y: int, x: int) -> int:
    return int(np.argmax([mask[y, x] for mask in masks]))


def test_what_lies_in_a_face_belongs_to_its_region_and_an_ear_has_its_own() -> None:
    masks = region_masks(face())
    assert len(masks) == 4
    skin, eye, mouth, hair, background, ear = (
        owner(masks, y, x) for y, x in ((76, 64), (64, 50), (88, 64), (20, 64), (120, 5), (78, 101))
    )
    assert skin == eye == mouth
    assert len({skin, hair, background, ear}) == 4


def test_names_of_classes_play_no_part() -> None:
    layout = face()
    renamed = np.array([5, 3, 0, 2, 1, 4])[layout]
    assert [mask.tobytes() for mask in region_masks(layout)] == [mask.tobytes() for mask in region_masks(renamed)]


def test_one_class_alone_needs_no_regions() -> None:
    assert region_masks(np.zeros((SIDE, SIDE), np.int64)) == []
    assert region_masks(np.full((SIDE, SIDE), UNKNOWN_CHANNEL)) == []


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.booleans())
def test_masks_add_up_to_one_where_the_layout_is_labelled(seed: int, classes: int, is_half_painted: bool) -> None:
    random = np.random.default_rng(seed)
    blocks = random.integers(0, classes, (16, 16))
    layout = np.kron(blocks, np.ones((8, 8), np.int64))
    if is_half_painted:
        layout[:, 64:] = UNKNOWN_CHANNEL
    masks = region_masks(layout)
    assert len(masks) <= MAX_REGIONS
    total = np.sum([mask.astype(int) for mask in masks], 0) if masks else np.zeros((SIDE, SIDE), int)
    assert total.max() <= 255
    if masks:
        inner = np.zeros((SIDE, SIDE), bool)
        inner[:, : 48 if is_half_painted else SIDE] = True
        assert (total[inner] >= 255 - len(masks)).all(), "what rounding takes"
        if is_half_painted:
            assert (total[:, 80:] == 0).all()
