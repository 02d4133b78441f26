"""Zoom, pan and fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smis_desktop.ui.canvas.viewport import MAX_SCALE, MIN_SCALE, Viewport


def view(document_size: int = 512, width: float = 800, height: float = 600) -> Viewport:
    viewport = Viewport(document_size)
    viewport.resize(width, height)
    return viewport


def test_a_new_view_shows_the_whole_document_centred() -> None:
    viewport = view()
    left, top = viewport.to_view(0, 0)
    right, bottom = viewport.to_view(512, 512)
    assert 0 < top < bottom < 600
    assert left - 0 == pytest.approx(800 - right)
    assert top - 0 == pytest.approx(600 - bottom)


def test_a_fitted_view_stays_fitted_until_somebody_zooms() -> None:
    viewport = view()
    viewport.resize(400, 900)
    assert viewport.to_view(512, 0)[0] < 400
    viewport.zoom(2.0, 100, 100)
    scale = viewport.scale
    viewport.resize(1200, 1200)
    assert viewport.scale == scale
    viewport.fit()
    assert viewport.to_view(512, 512)[0] < 1200


@given(st.floats(0.2, 5), st.floats(100, 700), st.floats(100, 500))
def test_zooming_keeps_the_point_under_the_cursor(factor: float, x: float, y: float) -> None:
    viewport = view()
    before = viewport.to_document(x, y)
    viewport.zoom(factor, x, y)
    assert viewport.to_document(x, y) == pytest.approx(before)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(-2000, 2000), st.floats(-2000, 2000)), max_size=20))
def test_whatever_is_done_the_scale_stays_sane_and_the_document_in_sight(
    steps: list[tuple[float, float, float]],
) -> None:
    viewport = view()
    for factor, dx, dy in steps:
        viewport.zoom(factor, 400, 300)
        viewport.pan(dx, dy)
        assert MIN_SCALE <= viewport.scale <= MAX_SCALE
        left, top = viewport.to_view(0, 0)
        right, bottom = viewport.to_view(512, 512)
        assert right > 0
        assert bottom > 0
        assert left < 800
        assert top < 600


@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_document_and_view_coordinates_are_each_others_inverse(x: float, y: float) -> None:
    viewport = view()
    viewport.zoom(1.7, 222, 333)
    assert viewport.to_view(*viewport.to_document(x, y)) == pytest.approx((x, y), abs=1e-6)
