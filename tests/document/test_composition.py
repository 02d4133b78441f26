"""Compositions: regions of what was repainted, hidden patches, films between two, and locks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.document.composition import (
    MASK_SIDE,
    ClassLock,
    Composition,
    Patch,
    Region,
    Repaint,
    blended,
    class_region,
    follows_as_a_whole,
    repainted_region,
)
from smis_desktop.document.palette import EMPTY
from smis_desktop.document.style import Look, Style

SIZES = (64, 200, 256, 512, 1024)


def face(size: int) -> np.ndarray:
    """Skin (1) on a ground (0), two small eyes (3)."""
    layout = np.zeros((size, size), np.uint8)
    middle = size // 2
    cv2.circle(layout, (middle, middle), size // 3, 1, -1)
    for x in (-size // 8, size // 8):
        cv2.ellipse(layout, (middle + x, middle), (size // 24, size // 40), 0, 0, 360, 3, -1)
    return layout


def patch(seed: int, mask: np.ndarray) -> Patch:
    return Patch(np.random.default_rng(seed).normal(size=(9, 16)).astype(np.float32), mask)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    layout = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    return cv2.GaussianBlur(cv2.circle(layout, (x, y), radius, 255, -1), (15, 15), 0)


BASE = Composition(np.random.default_rng(0).normal(size=(12, 16)).astype(np.float32))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(SIZES),
    st.floats(0.1, 0.9),
    st.floats(0.1, 0.9),
    st.integers(1, 12),
    st.sampled_from((0.02, 0.06, 0.2)),
)
def test_a_region_holds_all_that_differs_and_ends_three_edges_away(
    size: int, x: float, y: float, radius: int, edge: float
) -> None:
    before = np.zeros((size, size), np.uint8)
    after = before.copy()
    cv2.circle(after, (int(x * size), int(y * size)), max(1, radius * size // 256), 2, -1)
    mask = repainted_region(before, after, edge)
    changed = cv2.resize((before != after).astype(np.float32), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) > 0
    assert (mask[changed] >= 252).all(), "a stroke of one pixel is repainted in full"
    distance = cv2.distanceTransform((~changed).astype(np.uint8), cv2.DIST_L2, 5) / MASK_SIDE
    # A square window reaches farther along the diagonal; two pixels for the halved side.
    assert (mask[distance > 3 * edge * 2**0.5 + 2 / MASK_SIDE] == 0).all()
    assert (mask[(distance > 0) & (distance < edge)] > 0).all()


def test_nothing_differs_nothing_is_repainted() -> None:
    layout = face(512)
    assert not repainted_region(layout, layout).any()


@pytest.mark.parametrize("size", SIZES)
def test_a_small_thing_that_is_touched_is_repainted_whole(size: int) -> None:
    before = face(size)
    after = before.copy()
    middle = size // 2
    after[middle, middle + size // 8 + size // 24 + 1] = 3  # one pixel beside the right eye
    mask = repainted_region(before, after, 0.02)
    eyes = cv2.resize((before == 3).astype(np.float32), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) > 0
    right = eyes.copy()
    right[:, : MASK_SIDE // 2] = False
    assert (mask[right] >= 250).all()
    assert (mask[eyes & ~right] == 0).all(), "the other eye stays"


def test_layouts_of_other_sizes_are_compared_by_place() -> None:
    assert not repainted_region(face(256), np.repeat(np.repeat(face(256), 2, 0), 2, 1)).any()


def test_large_changes_and_unlabelled_layouts_follow_as_a_whole() -> None:
    before = face(256)
    filled = np.where(before == 0, np.uint8(2), before)
    assert follows_as_a_whole(before, filled)
    dotted = before.copy()
    dotted[100:120, 100:120] = 3
    assert not follows_as_a_whole(before, dotted)
    unlabelled = np.full_like(before, EMPTY)
    unlabelled[:100] = 1
    assert follows_as_a_whole(unlabelled, np.where(unlabelled == 1, np.uint8(2), unlabelled))


def test_hidden_patches_are_dropped_and_others_stay() -> None:
    small, large = patch(1, disc(60, 60, 10)), patch(2, disc(60, 60, 40))
    aside = patch(3, disc(20, 20, 10))
    settled = BASE.with_patch(small).with_patch(aside).with_patch(large).settled()
    assert settled.patches == (aside, large)
    kept = BASE.with_patch(large).with_patch(small)
    assert kept.settled() is kept


def test_two_patches_together_hide_a_third() -> None:
    halves = [np.zeros((MASK_SIDE, MASK_SIDE), np.uint8) for _ in range(2)]
    halves[0][:, :64], halves[1][:, 64:] = 255, 255
    below = patch(1, disc(64, 64, 30))
    composition = BASE.with_patch(below).with_patch(patch(2, halves[0])).with_patch(patch(3, halves[1]))
    assert below not in composition.settled().patches


def test_the_latents_of_a_region_are_those_that_show_there() -> None:
    full = np.full((MASK_SIDE, MASK_SIDE), 255, np.uint8)
    top, mask = patch(1, full), disc(64, 64, 20)
    np.testing.assert_allclose(BASE.shown_in(mask, 9), BASE.base[:9], atol=1e-6)
    np.testing.assert_allclose(BASE.with_patch(top).shown_in(mask, 9), top.ws, atol=1e-6)
    half = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    half[:, :64] = 255
    mixed = BASE.with_patch(patch(1, half)).shown_in(full, 9)
    np.testing.assert_allclose(mixed, (BASE.base[:9] + top.ws) / 2, atol=1e-6)


def test_the_latents_of_a_region_have_its_offset_by_its_share() -> None:
    half = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    half[:, :64] = 255
    region = Region(patch(1, half).ws, half)
    composition = Composition(BASE.base, regions=(region,))
    np.testing.assert_allclose(composition.shown_in(half, 9), BASE.base[:9] + region.offset, atol=1e-5)
    full = np.full((MASK_SIDE, MASK_SIDE), 255, np.uint8)
    np.testing.assert_allclose(composition.shown_in(full, 9), BASE.base[:9] + region.offset / 2, atol=1e-5)
    np.testing.assert_allclose(
        composition.with_patch(patch(2, half)).shown_in(full, 9), (BASE.base[:9] + patch(2, half).ws) / 2, atol=1e-5
    )


def test_a_film_lets_the_regions_of_one_base_fade_into_those_of_the_other() -> None:
    one, other = (Region(patch(seed, disc(40 * seed, 60, 20)).ws, disc(40 * seed, 60, 20)) for seed in (1, 2))
    first = Composition(BASE.base, regions=(one,))
    second = Composition(2 * BASE.base, regions=(other,))
    between = blended(first, second, 0.25)
    np.testing.assert_allclose(between.base, 1.25 * BASE.base, rtol=1e-6)
    assert [region.offset is own.offset for region, own in zip(between.regions, (one, other), strict=True)] == [
        True
    ] * 2
    np.testing.assert_array_equal(between.regions[0].mask, np.round(one.mask * 0.75))
    np.testing.assert_array_equal(between.regions[1].mask, np.round(other.mask * 0.25))
    assert blended(first, first.with_patch(patch(3, one.mask)), 0.5).regions == first.regions


def test_a_film_begins_and_ends_with_its_compositions_and_keeps_what_they_share() -> None:
    shared = BASE.with_patch(patch(1, disc(30, 30, 10)))
    first, second = shared.with_patch(patch(2, disc(90, 90, 10))), shared.with_patch(patch(3, disc(90, 30, 10)))
    assert blended(first, second, 0.0) is first
    assert blended(first, second, 1.0) is second
    between = blended(first, second, 0.25)
    assert between.patches[0] is shared.patches[0]
    np.testing.assert_array_equal(between.patches[1].mask, np.round(first.patches[1].mask * 0.75))
    np.testing.assert_array_equal(between.patches[2].mask, np.round(second.patches[1].mask * 0.25))


def test_digests_tell_everything_apart() -> None:
    mask = disc(64, 64, 20)
    one = BASE.with_patch(patch(1, mask))
    lock = ClassLock.of(one, Style(), face(256), frozenset({3}))
    others = [
        BASE,
        one,
        BASE.with_patch(patch(2, mask)),
        BASE.with_patch(patch(1, disc(64, 64, 21))),
        BASE.with_patch(Patch(patch(1, mask).ws, mask, Look(3))),
        Composition(BASE.base, one.patches, takes_variety=False),
        Composition(BASE.base, one.patches, held=lock.held_in(face(256))),
        Composition(BASE.base, one.patches, regions=(Region(patch(1, mask).ws, mask),)),
        Composition(BASE.base, one.patches, regions=(Region(patch(2, mask).ws, mask),)),
    ]
    assert len({composition.digest for composition in others}) == len(others)
    repaints = [
        Repaint(one, face(64)),
        Repaint(one, face(64), 0.1),
        Repaint(BASE, face(64)),
        Repaint(one, face(64), mask=mask),
    ]
    assert len({repaint.digest for repaint in repaints}) == len(repaints)
    assert Repaint(one, face(64)).digest == Repaint(BASE.with_patch(patch(1, mask)), face(64)).digest


def test_a_lock_holds_its_classes_where_they_still_are() -> None:
    layout = face(512)
    lock = ClassLock.of(BASE, Style(), layout, frozenset({3}))
    held = lock.held_in(layout)
    assert held is not None
    eyes = cv2.resize((layout == 3).astype(np.float32), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) > 0
    assert (held.mask[eyes] > 245).all()
    painted_over = layout.copy()
    painted_over[:, 256:][layout[:, 256:] == 3] = 1
    left = lock.held_in(painted_over)
    assert left is not None
    assert not left.mask[:, 70:].any()
    assert lock.held_in(np.zeros_like(layout)) is None


def test_a_region_of_classes_is_all_of_their_pixels() -> None:
    layout = face(256)
    mask = class_region(layout, frozenset({1, 3}), 0.02)
    pixels = cv2.resize((layout > 0).astype(np.float32), (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) > 0
    assert (mask[pixels] == 255).all()
    assert mask[0, 0] == 0
