"""The obedience meter against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from smis_desktop.document.fidelity import layout_fidelity
from tests.document.conftest import PALETTE


def test_what_is_followed_and_what_is_not() -> None:
    layout = np.full((16, 16), 255, np.uint8)
    layout[:8] = 3
    layout[8:12] = 7
    layout[15] = 99  # no class of the palette: asks for nothing
    seen = np.full((16, 16), 200, np.uint8)
    seen[:6] = 3
    seen[6:12] = 7
    found = layout_fidelity(layout, seen, PALETTE)
    assert found.overall == pytest.approx(10 / 12)
    assert found.by_class == {3: pytest.approx(6 / 8), 7: pytest.approx(4 / 6)}
    expected = np.zeros((16, 16), np.float32)
    expected[6:8] = 1
    np.testing.assert_array_equal(found.heat, expected)


def test_strokes_thinner_than_a_cell_are_not_held_against_the_picture_with_certainty() -> None:
    layout = np.zeros((64, 64), np.uint8)
    layout[10:12, 8:40] = 3  # two of the eight rows of a cell
    found = layout_fidelity(layout, np.zeros((8, 8), np.uint8), PALETTE)
    assert found.heat.max() == 0.5
    assert (found.heat > 0).sum() >= 1
    assert found.overall == 1.0, "what nobody can tell counts neither way"
    assert found.by_class == {0: 1.0}
    assert found.too_thin == {3}


def test_a_class_is_judged_where_it_is_broad_enough() -> None:
    layout = np.zeros((64, 64), np.uint8)
    layout[16:32, :] = 3
    layout[50:52, 8:40] = 3
    seen = np.zeros((8, 8), np.uint8)
    seen[2] = 3
    found = layout_fidelity(layout, seen, PALETTE)
    assert found.by_class == {0: pytest.approx(48 / 56), 3: pytest.approx(8 / 16)}
    assert found.too_thin == frozenset()


def test_nothing_asked_is_nothing_to_follow() -> None:
    found = layout_fidelity(np.full((64, 64), 255, np.uint8), np.zeros((8, 8), np.uint8), PALETTE)
    assert found.overall is None
    assert (found.by_class, found.too_thin) == ({}, frozenset())
    assert not found.heat.any()
