"""How local a change of a picture is, and how it follows there."""

from __future__ import annotations

import numpy as np
import pytest

from smis_desktop.document.locality import changed_class_iou, picture_change
from smis_desktop.document.palette import EMPTY, Palette, SemanticClass

PALETTE = Palette(tuple(SemanticClass(i, name, (0, 0, 0)) for i, name in ((0, "ground"), (3, "hair"), (7, "hat"))))


def test_a_change_is_measured_inside_and_outside_of_its_mask() -> None:
    before = np.full((64, 64, 3), 100, np.uint8)
    after = before.copy()
    after[:32, :32] = 70, 100, 130  # inside: darker and lighter do not cancel each other
    after[63, 60:] = 103
    mask = np.zeros((8, 8), np.uint8)
    mask[:4, :4] = 1
    change = picture_change(before, after, mask)
    assert change.inside == pytest.approx(20)
    assert change.outside == pytest.approx(4 * 3 / (64 * 64 * 3 / 4))
    assert change.outside_p99 == 0
    after[40:, 40:] = 110
    assert picture_change(before, after, mask).outside_p99 == pytest.approx(10)


def test_where_nothing_is_there_is_no_figure() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    assert picture_change(picture, picture, np.zeros((1, 1), np.uint8)).inside is None
    whole = picture_change(picture, picture, np.full((1, 1), 255, np.uint8))
    assert (whole.inside, whole.outside, whole.outside_p99) == (0, None, None)


def test_only_classes_that_change_count_and_only_near_the_change() -> None:
    before = np.zeros((256, 256), np.uint8)
    before[:, 128:] = 7
    after = before.copy()
    after[64:128, 32:64] = 3
    seen = after[2::4, 2::4].copy()
    assert changed_class_iou(before, after, seen, PALETTE) == {0: 1.0, 3: 1.0}
    seen[:, 40:] = 3  # far away
    assert changed_class_iou(before, after, seen, PALETTE) == {0: 1.0, 3: 1.0}
    seen[16:32, 8:12] = 0  # half of the spot
    found = changed_class_iou(before, after, seen, PALETTE)
    assert found[3] == pytest.approx(0.5)
    ground = (16 + 4) * (8 + 4) - 16 * 8  # two cells around it
    assert found[0] == pytest.approx(ground / (ground + 16 * 4))


def test_a_class_that_is_gone_has_no_figure_and_unknown_ids_are_empty() -> None:
    before = np.zeros((64, 64), np.uint8)
    before[10:20, 10:20] = 3
    after = np.zeros((64, 64), np.uint8)
    seen = np.zeros((64, 64), np.uint8)
    assert changed_class_iou(before, after, seen, PALETTE) == {0: 1.0}
    empty, strange = before.copy(), before.copy()
    empty[30:40, 30:40], strange[30:40, 30:40] = EMPTY, 99
    assert changed_class_iou(empty, strange, seen, PALETTE) == {}


def test_layouts_of_different_sizes_that_hold_the_same_do_not_differ() -> None:
    before = np.zeros((64, 64), np.uint8)
    before[16:32, 16:32] = 3
    after = before.repeat(4, 0).repeat(4, 1)
    seen = np.zeros((64, 64), np.uint8)
    assert changed_class_iou(before, after, seen, PALETTE) == {}
    after[128:160, 128:160] = 7
    assert changed_class_iou(before, after, seen, PALETTE).keys() == {0, 7}
