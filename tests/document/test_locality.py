"""How local a change of a picture is, and how it follows there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from smis_desktop.document.locality import at_size_of, changed_class_iou, picture_change
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


@pytest.mark.parametrize("side", [64, 100, 128, 150, 256, 300, 400, 512])
def test_a_layout_that_was_only_resampled_does_not_differ(side: int) -> None:
    rows, columns = np.mgrid[:256, :256]
    before = np.where((rows - 120) ** 2 + (columns - 90) ** 2 < 70**2, 7, 0).astype(np.uint8)
    before[40:90] = np.where(columns[40:90] // 40 % 2, 3, before[40:90])
    resampled = np.array(Image.fromarray(before).resize((side, side), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(at_size_of(before, resampled), before)


def test_what_was_painted_survives_resampling() -> None:
    """Even if it is as thin as a pixel of the smaller layout; what of a border was painted, if it is thicker."""
    before = np.zeros((256, 256), np.uint8)
    before[:, 128:] = 7
    painted = before[::2, ::2].copy()
    painted[20, 10:50] = 3
    painted[40:60, 58:64] = 7
    painted[80:90, 64:66] = EMPTY
    found = at_size_of(before, painted)
    expected = before.copy()
    expected[40:42, 20:100] = 3
    expected[80:120, 116:128] = 7
    expected[160:180, 128:132] = EMPTY
    differs = found != expected
    assert not (differs & ((found == 3) | (expected == 3) | (found == EMPTY) | (expected == EMPTY))).any()
    assert differs.mean() < 0.01
    assert (found[82:118, 117:126] == 7).all()


def test_a_layout_of_the_same_size_stays_as_it_is() -> None:
    before, after = np.zeros((2, 64, 64), np.uint8)
    before[:, 32:] = after[:, 31:] = 3
    assert at_size_of(before, after) is after
