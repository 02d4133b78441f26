"""Reduction to cells: exact shares, thin classes that keep their area, and nothing invented."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from smis_desktop.document.palette import EMPTY
from smis_desktop.document.reduction import class_areas, reduce_label_map, reduce_points

sides = st.integers(1, 40)
IDS = (0, 3, 9, 200, EMPTY)


def class_shares(label_map: np.ndarray, class_ids: Sequence[int], size: int) -> np.ndarray:
    """The share of each cell that each class holds, float32 [C, size, size]."""
    return (class_areas(label_map, class_ids, size) / float(label_map.shape[0] ** 2)).astype(np.float32)


def label_maps(side: st.SearchStrategy[int] = sides) -> st.SearchStrategy[np.ndarray]:
    """Noise, whose every cell holds many classes, and blocks, which are more like a painted layout."""
    noise = side.flatmap(lambda s: hnp.arrays(np.uint8, (s, s), elements=st.sampled_from(IDS)))
    blocks = st.tuples(
        side, st.lists(st.tuples(st.sampled_from(IDS), *[st.integers(0, 39)] * 4), min_size=1, max_size=8)
    ).map(lambda drawn: _blocks(*drawn))
    return noise | blocks


def _blocks(side: int, drawn: list[tuple[int, int, int, int, int]]) -> np.ndarray:
    label_map = np.full((side, side), drawn[0][0], np.uint8)
    for class_id, x, y, width, height in drawn[1:]:
        label_map[y : y + height, x : x + width] = class_id
    return label_map


def _exact_shares(label_map: np.ndarray, size: int) -> dict[int, list[list[Fraction]]]:
    """The definition, pixel by pixel in rational numbers."""
    side = len(label_map)
    shares = {int(i): [[Fraction(0)] * size for _ in range(size)] for i in np.unique(label_map)}
    cuts = sorted({Fraction(i, side) for i in range(side + 1)} | {Fraction(i, size) for i in range(size + 1)})
    for top, bottom in pairwise(cuts):
        for left, right in pairwise(cuts):
            class_id = int(label_map[int(top * side), int(left * side)])
            shares[class_id][int(top * size)][int(left * size)] += (bottom - top) * (right - left) * size**2
    return shares


class TestClassShares:
    @given(label_maps(st.integers(1, 12)), st.integers(1, 9))
    @settings(max_examples=60, deadline=None)
    def test_are_the_exact_areas(self, label_map: np.ndarray, size: int) -> None:
        shares = class_shares(label_map, IDS, size)
        assert shares.dtype == np.float32
        exact = _exact_shares(label_map, size)
        for channel, class_id in enumerate(IDS):
            expected = np.array(exact.get(class_id, [[0] * size] * size), float)
            np.testing.assert_array_equal(shares[channel], expected.astype(np.float32))

    @given(label_maps(), st.integers(1, 40))
    @settings(max_examples=60, deadline=None)
    def test_sum_to_one_and_keep_the_area(self, label_map: np.ndarray, size: int) -> None:
        shares = class_shares(label_map, IDS, size)
        np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)
        areas = shares.mean(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(areas, [(label_map == i).mean() for i in IDS], atol=1e-6)

    def test_channels_follow_the_ids_asked_for(self) -> None:
        label_map = np.array([[1, 2], [3, 3]], np.uint8)
        shares = class_shares(label_map, (3, 7, 1), 1)
        assert shares.ravel().tolist() == [0.5, 0, 0.25]

    def test_refusals(self) -> None:
        with pytest.raises(ValueError, match="once each"):
            class_shares(np.zeros((4, 4), np.uint8), (1, 1), 2)
        for wrong in (np.zeros((4, 5), np.uint8), np.zeros((4, 4), np.int64)):
            with pytest.raises(ValueError, match="square uint8"):
                class_shares(wrong, (1,), 2)


def _due(label_map: np.ndarray, class_id: int, size: int) -> int:
    cells = Fraction(int((label_map == class_id).sum()) * size**2, label_map.size)
    return max(1, int(cells + Fraction(1, 2)))


class TestReduceLabelMap:
    @given(label_maps())
    @settings(deadline=None)
    def test_a_map_of_that_size_is_unchanged(self, label_map: np.ndarray) -> None:
        reduced = reduce_label_map(label_map, len(label_map))
        np.testing.assert_array_equal(reduced, label_map)
        assert not np.shares_memory(reduced, label_map)

    @given(label_maps(), st.integers(1, 40))
    @settings(max_examples=150, deadline=None)
    def test_no_cell_gets_an_id_that_it_did_not_hold(self, label_map: np.ndarray, size: int) -> None:
        reduced = reduce_label_map(label_map, size)
        assert (reduced.shape, str(reduced.dtype)) == ((size, size), "uint8")
        shares = class_shares(label_map, IDS, size)
        channel = np.searchsorted(IDS, reduced)
        assert (np.take_along_axis(shares, channel[None], axis=0) > 0).all()

    @given(label_maps(), st.integers(1, 40))
    @settings(max_examples=150, deadline=None)
    def test_a_class_keeps_its_area_or_its_cells_went_to_rarer_ones(self, label_map: np.ndarray, size: int) -> None:
        reduced = reduce_label_map(label_map, size)
        shares = class_shares(label_map, IDS, size)
        present = [i for i in IDS if i != EMPTY and (label_map == i).any()]
        rarity = {i: (int((label_map == i).sum()), i) for i in present}
        for class_id in present:
            due, got = _due(label_map, class_id, size), int((reduced == class_id).sum())
            if (due - got) * 16 < due:
                continue
            touched = shares[IDS.index(class_id)] > 0
            takers = set(reduced[touched].tolist()) - {class_id}
            assert EMPTY not in takers
            assert all(rarity[other] < rarity[class_id] for other in takers)

    @given(label_maps(), st.integers(1, 40))
    @settings(max_examples=150, deadline=None)
    def test_majority_rules_wherever_no_class_is_short(self, label_map: np.ndarray, size: int) -> None:
        shares = class_shares(label_map, IDS, size)
        counted = [i for i in IDS if (label_map == i).any()]
        # Equals go to the rarer class; emptiness yields to all.
        counted.sort(key=lambda i: (i == EMPTY, int((label_map == i).sum()), i))
        majority = np.array(counted)[np.argmax([shares[IDS.index(i)] for i in counted], axis=0)]
        reduced = reduce_label_map(label_map, size)
        short = {
            i
            for i in counted
            if i != EMPTY and (_due(label_map, i, size) - int((majority == i).sum())) * 16 >= _due(label_map, i, size)
        }
        if not short and size <= len(label_map):
            np.testing.assert_array_equal(reduced, majority)
        grown = {int(i) for i in np.unique(reduced[reduced != majority])}
        assert EMPTY not in grown

    def test_a_line_thinner_than_half_a_cell_survives_at_its_area(self) -> None:
        """A brow: 2 pixels of 8 high, 80 long; majority voting leaves nothing of it."""
        label_map = np.zeros((512, 512), np.uint8)
        label_map[203:205, 100:180] = 6
        reduced = reduce_label_map(label_map, 64)
        assert int((reduced == 6).sum()) == 3  # 160 pixels = 2.5 cells
        assert set(np.unique(np.nonzero(reduced == 6)[0])) == {25}

    def test_one_pixel_is_one_cell(self) -> None:
        label_map = np.zeros((512, 512), np.uint8)
        label_map[77, 300] = 9
        reduced = reduce_label_map(label_map, 64)
        assert np.argwhere(reduced == 9).tolist() == [[77 // 8, 300 // 8]]

    def test_the_largest_shares_are_taken_first_then_the_first_positions(self) -> None:
        label_map = np.zeros((32, 32), np.uint8)
        label_map[0:2, 0:8] = 5  # two cells with a half each: ties with 0, which the rarer class wins
        label_map[16, 0:8] = 7  # two cells of 4 × 4 with a quarter each: due half a cell, rounded up to one
        reduced = reduce_label_map(label_map, 8)
        assert np.argwhere(reduced == 5).tolist() == [[0, 0], [0, 1]]
        assert np.argwhere(reduced == 7).tolist() == [[4, 0]]
        label_map[17, 4:6] = 7  # now 10 pixels, most of them in the second cell
        assert np.argwhere(reduce_label_map(label_map, 8) == 7).tolist() == [[4, 1]]

    def test_thin_classes_side_by_side_all_survive(self) -> None:
        """Lips: three bands of 3 pixels on cells of 8."""
        label_map = np.ones((512, 512), np.uint8)
        for band, class_id in enumerate((11, 10, 12)):
            label_map[300 + 3 * band : 303 + 3 * band, 200:280] = class_id
        reduced = reduce_label_map(label_map, 64)
        for class_id in (10, 11, 12):
            assert 4 <= int((reduced == class_id).sum()) <= 6  # 240 pixels = 3.75 cells

    def test_large_classes_are_plain_majority(self) -> None:
        y, x = np.mgrid[:512, :512]
        label_map = ((x - 250.3) ** 2 + (y - 260.7) ** 2 < 170.0**2).astype(np.uint8)
        shares = class_shares(label_map, (0, 1), 64)
        np.testing.assert_array_equal(reduce_label_map(label_map, 64), shares[1] >= 0.5)  # ties: the rarer

    def test_emptiness_yields_to_thin_classes_and_holds_its_own_cells(self) -> None:
        label_map = np.full((64, 64), EMPTY, np.uint8)
        label_map[8, 8:40] = 4
        reduced = reduce_label_map(label_map, 8)
        assert (reduced == 4).sum() == 1  # 32 pixels = half a cell
        assert (reduced == EMPTY).sum() == 63
        assert (reduce_label_map(np.full((64, 64), EMPTY, np.uint8), 8) == EMPTY).all()

    def test_another_value_can_mean_empty(self) -> None:
        label_map = np.zeros((64, 64), np.uint8)
        label_map[0:5, 0:8] = 255  # with 0 as emptiness, 255 is a class
        assert reduce_label_map(label_map, 8, empty=0)[0, 0] == 255


class TestReducePoints:
    def test_one_pixel_marks_its_cell(self) -> None:
        label_map = np.zeros((1024, 1024), np.uint8)
        label_map[160, 320] = 70
        reduced = reduce_points(label_map, 64)
        assert np.argwhere(reduced).tolist() == [[10, 20]]
        assert reduced[10, 20] == 70

    def test_the_most_frequent_wins_then_the_lowest(self) -> None:
        label_map = np.zeros((32, 32), np.uint8)
        label_map[0, 0:3] = 9
        label_map[1, 0:2] = 4
        label_map[8, 8:10] = 9
        label_map[9, 8:10] = 4
        label_map[16:20, 0:4] = EMPTY
        reduced = reduce_points(label_map, 8)
        assert reduced[0, 0] == 9
        assert reduced[2, 2] == 4
        assert int((reduced > 0).sum()) == 2

    @given(label_maps(), st.integers(1, 40))
    @settings(max_examples=150, deadline=None)
    def test_every_pixel_counts_in_the_cell_of_its_centre(self, label_map: np.ndarray, size: int) -> None:
        side = len(label_map)
        reduced = reduce_points(label_map, size)
        expected = np.zeros((size, size), np.uint8)
        if side > size:
            held: dict[tuple[int, int], list[int]] = {}
            for row, column in np.argwhere((label_map != 0) & (label_map != EMPTY)).tolist():
                cell = int((row + Fraction(1, 2)) * size / side), int((column + Fraction(1, 2)) * size / side)
                held.setdefault(cell, []).append(int(label_map[row, column]))
            for cell, ids in held.items():
                expected[cell] = max(sorted(set(ids)), key=ids.count)
        else:
            for row in range(size):
                for column in range(size):
                    y, x = int((row + Fraction(1, 2)) * side / size), int((column + Fraction(1, 2)) * side / size)
                    expected[row, column] = label_map[y, x] if label_map[y, x] != EMPTY else 0
        np.testing.assert_array_equal(reduced, expected)

    def test_another_value_can_mean_unknown(self) -> None:
        label_map = np.full((16, 16), 3, np.uint8)
        label_map[0, 0] = 0
        reduced = reduce_points(label_map, 4, unknown=3)
        assert reduced[0, 0] == 0
        assert (reduced.ravel()[1:] == 3).all()
