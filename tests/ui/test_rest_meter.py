"""How much of the rest stayed, of pictures made for the purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smis_desktop.document.composition import ClassLock, Composition, Patch, repainted_region
from smis_desktop.document.style import Style
from smis_desktop.ui.window.rest_meter import FullPicture, RestMeter

SIDE = 256
BEFORE, AFTER = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
AFTER[40:60, 40:60] = 3
MASK = repainted_region(BEFORE, AFTER)
PLAIN = np.random.default_rng(0).integers(50, 200, (SIDE, SIDE, 3)).astype(np.uint8)
WHOLE = FullPicture(PLAIN, Composition(np.zeros((9, 4), np.float32)), BEFORE, Style(), 1)


def repainted(revision: int = 2, by: int = 50, latents: float = 1.0) -> FullPicture:
    """The whole picture with a patch, whose pixels are lighter."""
    pixels = PLAIN.copy()
    pixels[np.repeat(np.repeat(MASK, 2, 0), 2, 1) > 20] += np.uint8(by)  # below, a patch is hardly seen
    patch = Patch(np.full((5, 4), latents, np.float32), MASK)
    return FullPicture(pixels, WHOLE.composition.with_patch(patch), AFTER, Style(), revision)


def test_a_patch_leaves_the_rest() -> None:
    meter = RestMeter()
    assert meter.take(WHOLE) is None
    assert meter.take(repainted()) == 1.0


@pytest.mark.parametrize(("levels", "has_stayed"), [(2, True), (3, False)])
def test_two_grey_levels_are_no_change(levels: int, has_stayed: bool) -> None:
    meter, changed = RestMeter(), repainted()
    pixels = changed.pixels.copy()
    pixels[:, SIDE // 2 :, 1] += np.uint8(levels)
    meter.take(WHOLE)
    share = meter.take(replace(changed, pixels=pixels))
    assert share == (1.0 if has_stayed else pytest.approx(0.4, abs=0.1))


def test_better_pictures_of_a_change_are_compared_with_the_one_before_it() -> None:
    meter = RestMeter()
    meter.take(WHOLE)
    meter.take(repainted())
    assert meter.take(replace(repainted(by=20, latents=2.0), pixels=255 - PLAIN)) == 0.0
    assert meter.take(repainted(by=20, latents=2.0)) == 1.0


def test_what_is_refined_after_a_change_elsewhere_is_no_rest() -> None:
    """A class is frozen, and the patch on top is refined further."""
    meter, painted = RestMeter(), repainted()
    meter.take(painted)
    held = ClassLock.of(painted.composition, Style(), AFTER, frozenset({3})).held_in(AFTER)
    frozen = replace(painted, composition=replace(painted.composition, held=held), revision=3)
    assert meter.take(frozen) == 1.0
    assert meter.take(repainted(revision=3, by=20, latents=2.0)) == 1.0


def test_a_request_that_changes_nothing_is_no_change() -> None:
    meter = RestMeter()
    meter.take(WHOLE)
    meter.take(repainted())
    assert meter.take(replace(repainted(), pixels=255 - PLAIN, revision=3)) == 0.0


def test_a_whole_picture_is_compared_outside_of_what_was_painted() -> None:
    meter, base = RestMeter(), np.ones((9, 4), np.float32)
    meter.take(WHOLE)
    assert meter.take(replace(repainted(), composition=Composition(base))) == 1.0
    assert meter.take(replace(repainted(3), pixels=255 - PLAIN, composition=Composition(2 * base))) == 0.0


def test_another_style_size_or_document_is_not_compared() -> None:
    for other in (
        replace(repainted(), style=Style.of_seed(77)),
        replace(repainted(), pixels=np.zeros((SIDE // 2, SIDE // 2, 3), np.uint8)),
    ):
        meter = RestMeter()
        meter.take(WHOLE)
        assert meter.take(other) is None
    meter.forget()
    assert meter.take(WHOLE) is None
