"""Rendered landscapes: pictures and class maps belong together, and both to `z`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.landscapes.rendering import class_map, render
from smis_desktop.landscapes.scene import layout_of, light_of
from smis_desktop.landscapes.shapes import PALETTE, LandscapeClass

SIDE = 64


def _z(seed: int, count: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 512)).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**9))
def test_a_picture_is_a_function_of_z_and_in_range(seed: int) -> None:
    z = _z(seed, 2)
    pictures = render(z, 32)
    assert pictures.shape == (2, 32, 32, 3)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert np.array_equal(pictures, render(z, 32))
    assert np.array_equal(pictures[1:], render(z[1:], 32)), "the others in the batch do not matter"
    assert np.allclose(pictures, render(3 * z, 32), atol=1e-4), "nor does the length of z"
    assert set(np.unique(class_map(z, 32))) <= set(PALETTE.class_ids)


def test_the_light_changes_colours_and_no_class() -> None:
    z, light = _z(1), _z(2)
    mine, others = layout_of(z), light_of(light)
    assert mine.horizon.shape == others.hour.shape == (4, 1, 1)
    lit = z.copy()
    lit[:, 64:] = light[:, 64:]
    # Only directions count: brought to equal length, so that what stands where is exactly what it was.
    lit[:, 80:] *= np.sqrt((512 - np.square(lit[:, :80]).sum(1)) / np.square(lit[:, 80:]).sum(1))[:, None]
    same_length = z * np.sqrt(512 / np.square(z).sum(1))[:, None]
    first = lit[:, :64] / same_length[:, :64]
    assert np.ptp(first, axis=1).max() < 1e-3, "the first numbers are z's own, scaled"
    assert np.abs(render(z, SIDE, light) - render(z, SIDE)).mean() > 0.03


def test_every_class_is_somewhere_and_none_everywhere() -> None:
    shares = np.bincount(class_map(_z(3, 48), SIDE).ravel(), minlength=10)[1:] / (48 * SIDE**2)
    assert shares.min() > 0.003
    assert shares.max() < 0.5


@pytest.mark.parametrize(
    ("kind", "is_it"),
    [
        (LandscapeClass.MEADOW, lambda color: color[1] > color[2]),  # greener than blue
        (LandscapeClass.SKY, lambda color: color[2] > color[1]),
    ],
)
def test_classes_lie_where_their_colours_are(kind: LandscapeClass, is_it: object) -> None:
    z = _z(4, 24)
    noon = z.copy()
    noon[:, 64:74] = 0.0
    pictures, maps = render(z, SIDE, noon), class_map(z, SIDE)
    color = pictures[maps == kind].mean(0)
    assert is_it(color)  # type: ignore[operator]


def test_class_maps_of_two_sides_agree() -> None:
    z = _z(5, 8)
    large, small = class_map(z, 2 * SIDE), class_map(z, SIDE)
    reduced = np.stack([reduce_label_map(one, SIDE) for one in large])
    assert (reduced == small).mean() > 0.97


def test_a_scene_moves_smoothly() -> None:
    """Neighbours in z are neighbours in the picture: that is what a generator can learn."""
    z = _z(6, 1)
    step = 1e-3 * _z(7, 1)
    assert np.abs(render(z + step, SIDE) - render(z, SIDE)).mean() < 5e-3
