"""From a layout to a picture: a pure function of the request, obedient to what is painted, deaf to what is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from smis_desktop.errors import UserError
from smis_desktop.synthesis import PictureRequest, Synthesizer
from tests.small_generator import small_generator
from tests.small_model import small_model

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4))  # 512² pictures, two fine slot pairs


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return Synthesizer(GENERATOR, small_model(GENERATOR))


def layout(split: int = 60) -> np.ndarray:
    painted = np.zeros((128, 128), np.uint8)
    painted[:, split:] = 3
    painted[90:] = 7
    return painted


def test_a_picture_is_a_function_of_its_request(synthesizer: Synthesizer) -> None:
    request = PictureRequest(layout(), style_seed=4, mix=0.7, size=128)
    first, again = synthesizer.render(request), synthesizer.render(request)
    assert first.picture.shape == (128, 128, 3)
    assert first.picture.dtype == np.uint8
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.ws, again.ws)
    for change in ({"layout": layout(20)}, {"style_seed": 5}, {"mix": 0.0}, {"refine_steps": 3}):
        other = synthesizer.render(dataclasses.replace(request, **change))
        assert not np.array_equal(first.ws, other.ws), change


def test_without_mixing_the_seed_means_nothing(synthesizer: Synthesizer) -> None:
    a = synthesizer.render(PictureRequest(layout(), style_seed=1, mix=0.0))
    b = synthesizer.render(PictureRequest(layout(), style_seed=2, mix=0.0))
    assert np.array_equal(a.picture, b.picture)


def test_drafts_are_256_pixels_wide(synthesizer: Synthesizer) -> None:
    drafted = synthesizer.render(PictureRequest(layout(), quality="draft"))
    assert drafted.picture.shape == (256, 256, 3)


def test_unknown_ids_count_as_not_painted(synthesizer: Synthesizer) -> None:
    strange, empty = layout(), layout()
    strange[:40] = 200
    empty[:40] = 255
    a, b = (synthesizer.render(PictureRequest(x, refine_steps=2)) for x in (strange, empty))
    assert np.array_equal(a.ws, b.ws)


def test_a_class_that_no_shot_held_does_not_break_refinement(synthesizer: Synthesizer) -> None:
    painted = layout()
    painted[:30] = 9
    assert np.isfinite(synthesizer.render(PictureRequest(painted, refine_steps=2)).ws).all()


def test_segments_in_the_palette_s_ids(synthesizer: Synthesizer) -> None:
    result = synthesizer.render(PictureRequest(layout()))
    found = synthesizer.segment(result.ws)
    assert found.shape == (64, 64)
    assert set(np.unique(found)) <= {0, 3, 7}


def test_another_generator_is_refused(synthesizer: Synthesizer) -> None:
    with pytest.raises(UserError, match="another generator"):
        Synthesizer(small_generator(seed=1), synthesizer.model)


def test_refinement_goes_on_from_earlier_latents_and_style_stays_free(synthesizer: Synthesizer) -> None:
    request = PictureRequest(layout(), style_seed=4, size=128)
    first = synthesizer.render(dataclasses.replace(request, refine_steps=4))
    again = synthesizer.render(dataclasses.replace(request, start_ws=first.ws))
    np.testing.assert_allclose(again.ws, first.ws, atol=1e-6)
    other_style = synthesizer.render(dataclasses.replace(request, start_ws=first.ws, style_seed=9))
    structural = GENERATOR.fine_slots.start
    np.testing.assert_allclose(other_style.ws[:structural], first.ws[:structural], atol=1e-6)
    assert not np.allclose(other_style.ws[structural:], first.ws[structural:])


def test_a_full_picture_tells_what_the_model_sees_in_it(synthesizer: Synthesizer) -> None:
    result = synthesizer.render(PictureRequest(layout(), size=128))
    assert result.seen is not None
    np.testing.assert_array_equal(result.seen, synthesizer.segment(result.ws))
    assert synthesizer.render(PictureRequest(layout(), quality="draft")).seen is None
