"""From a layout to a picture: a pure function of the request, which follows what is painted and ignores what is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from smis_desktop.document.composition import Repaint
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import seeded_z
from smis_desktop.inference.refinement import STEPS_OF_ONE_LATENT
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
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
    request = PictureRequest(layout(), Style.of_seed(4, 0.7), size=128)
    first, again = synthesizer.render(request), synthesizer.render(request)
    assert first.picture.shape == (128, 128, 3)
    assert first.picture.dtype == np.uint8
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.ws, again.ws)
    for change in (
        {"layout": layout(20)},
        {"style": Style.of_seed(5, 0.7)},
        {"style": Style.of_seed(4, 0.0)},
        {"refine_steps": 3},
    ):
        other = synthesizer.render(dataclasses.replace(request, **change))
        assert not np.array_equal(first.ws, other.ws), change


def test_without_mixing_the_seed_has_no_effect(synthesizer: Synthesizer) -> None:
    a = synthesizer.render(PictureRequest(layout(), Style.of_seed(1, 0.0)))
    b = synthesizer.render(PictureRequest(layout(), Style.of_seed(2, 0.0)))
    assert np.array_equal(a.picture, b.picture)


def test_drafts_are_256_pixels_wide(synthesizer: Synthesizer) -> None:
    drafted = synthesizer.render(PictureRequest(layout(), quality="draft"))
    assert drafted.picture.shape == (256, 256, 3)


def test_unknown_ids_count_as_unpainted(synthesizer: Synthesizer) -> None:
    unknown, empty = layout(), layout()
    unknown[:40] = 200
    empty[:40] = 255
    a, b = (synthesizer.render(PictureRequest(x, refine_steps=2)) for x in (unknown, empty))
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


def test_refinement_continues_from_earlier_latents_in_any_style(synthesizer: Synthesizer) -> None:
    request = PictureRequest(layout(), Style.of_seed(4, variety=0.0), size=128)
    first = synthesizer.render(dataclasses.replace(request, refine_steps=4))
    again = synthesizer.render(dataclasses.replace(request, composition=first.composition))
    np.testing.assert_allclose(again.ws, first.ws, atol=1e-6)
    other_style = synthesizer.render(
        dataclasses.replace(request, composition=first.composition, style=Style.of_seed(9, variety=0.0))
    )
    structural = GENERATOR.fine_slots.start
    np.testing.assert_allclose(other_style.ws[:structural], first.ws[:structural], atol=1e-6)
    assert not np.allclose(other_style.ws[structural:], first.ws[structural:])


def test_a_picture_gets_latents_for_each_region_which_stay_in_every_style(synthesizer: Synthesizer) -> None:
    steps = STEPS_OF_ONE_LATENT + 6
    request = PictureRequest(layout(), Style.of_seed(4, variety=0.0), size=128)
    whole = synthesizer.render(dataclasses.replace(request, refine_steps=steps))
    assert len(whole.composition.regions) == 3
    assert all(np.abs(region.offset).max() > 0.01 for region in whole.composition.regions)
    shown = synthesizer.render(dataclasses.replace(request, composition=whole.composition))
    assert np.array_equal(shown.picture, whole.picture)
    as_shown = dataclasses.replace(request, composition=whole.shown, style=request.style.without_mixing())
    assert np.abs(synthesizer.render(as_shown).picture.astype(int) - whole.picture).max() <= 1
    part = synthesizer.render(dataclasses.replace(request, refine_steps=10))
    rest = dataclasses.replace(
        request, composition=part.composition, refinement=part.refinement, refine_steps=steps - 10
    )
    assert np.array_equal(synthesizer.render(rest).picture, whole.picture)


def test_a_stroke_over_a_picture_in_regions_leaves_the_rest_as_it_was(synthesizer: Synthesizer) -> None:
    before, after = layout(), layout()
    after[100:110, 20:40] = 3
    request = PictureRequest(before, Style.of_seed(4), size=512, refine_steps=STEPS_OF_ONE_LATENT + 3)
    below = synthesizer.render(request)
    result = synthesizer.render(
        dataclasses.replace(request, layout=after, repaint=Repaint(below.composition, before, 0.02))
    )
    assert result.composition.regions == below.composition.regions
    mask = result.composition.patches[-1].mask
    rest = np.kron(mask, np.ones((4, 4), np.uint8)) == 0
    change = np.abs(result.picture.astype(int) - below.picture).max(2)
    assert change[rest].mean() < 0.1 * change[~rest].mean()


def test_a_full_picture_comes_with_its_predicted_labels(synthesizer: Synthesizer) -> None:
    result = synthesizer.render(PictureRequest(layout(), size=128))
    assert result.predicted_labels is not None
    np.testing.assert_array_equal(result.predicted_labels, synthesizer.segment(result.ws))
    assert synthesizer.render(PictureRequest(layout(), quality="draft")).predicted_labels is None


def test_each_fader_moves_its_own_slots(synthesizer: Synthesizer) -> None:
    groups = {"coarse": GENERATOR.coarse_slots, "middle": GENERATOR.middle_slots, "fine": GENERATOR.fine_slots}
    unmixed = synthesizer.render(PictureRequest(layout(), Style(fine=0.0))).ws
    for name, slots in groups.items():
        moved = synthesizer.render(PictureRequest(layout(), Style(**{"fine": 0.0, name: 0.5}))).ws
        changed = {slot for slot in range(len(unmixed)) if not np.allclose(unmixed[slot], moved[slot])}
        assert changed == set(slots), name


def test_the_look_of_a_picture_at_full_strength_is_that_picture(synthesizer: Synthesizer) -> None:
    kept = synthesizer.render(PictureRequest(layout(20), Style.of_seed(7)))
    style = Style(Look.of_latents(kept.ws, "kept"), coarse=1.0, middle=1.0)
    again = synthesizer.render(PictureRequest(layout(), style))
    np.testing.assert_allclose(again.ws, kept.ws, atol=1e-6)
    exact = synthesizer.render(PictureRequest(layout(), Style().without_mixing(), composition=kept.shown))
    assert np.array_equal(exact.picture, kept.picture)


def test_two_looks_are_blended(synthesizer: Synthesizer) -> None:
    def fine(blend: float) -> np.ndarray:
        style = Style(Look(1), second=Look(2), blend=blend)
        return synthesizer.render(PictureRequest(layout(), style)).ws[GENERATOR.fine_slots.start :]

    np.testing.assert_allclose(fine(0.25), 0.75 * fine(0.0) + 0.25 * fine(1.0), atol=1e-5)
    second = synthesizer.render(PictureRequest(layout(), Style.of_seed(2))).ws[GENERATOR.fine_slots.start :]
    np.testing.assert_allclose(fine(1.0), second, atol=1e-6)


def test_a_class_has_its_own_look_and_the_rest_stays(synthesizer: Synthesizer) -> None:
    plain = PictureRequest(layout(), Style.of_seed(1), size=512)
    one, other = (synthesizer.render(dataclasses.replace(plain, style=Style.of_seed(seed))).picture for seed in (1, 2))
    labels = synthesizer.render(plain).predicted_labels
    assert labels is not None
    class_id = int(np.bincount(labels[labels != 255]).argmax())
    style = Style.of_seed(1).with_class_look(class_id, Look(2))
    styled = synthesizer.render(dataclasses.replace(plain, style=style)).picture
    region = (labels == class_id).repeat(8, 0).repeat(8, 1)
    inside = region & ~_near_a_border(region)
    outside = ~region & ~_near_a_border(region)

    def distance(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
        return float(np.abs(a[where].astype(float) - b[where]).mean())

    assert distance(styled, other, inside) < 0.2 * distance(one, other, inside)
    assert distance(styled, one, outside) < 0.2 * distance(one, other, outside)
    removed = style.with_class_look(class_id, None)
    assert np.array_equal(synthesizer.render(dataclasses.replace(plain, style=removed)).picture, one)


def test_a_look_for_an_unknown_class_has_no_effect(synthesizer: Synthesizer) -> None:
    request = PictureRequest(layout(), Style.of_seed(1), size=128)
    styled = dataclasses.replace(request, style=request.style.with_class_look(200, Look(2)))
    assert np.array_equal(synthesizer.render(styled).picture, synthesizer.render(request).picture)


def test_the_look_of_another_generator_s_picture_is_refused(synthesizer: Synthesizer) -> None:
    foreign = Look.of_latents(np.zeros((3, 8)), "cat.jpg")
    with pytest.raises(UserError, match=r"cat\.jpg"):
        synthesizer.render(PictureRequest(layout(), Style(foreign)))


def _near_a_border(mask: np.ndarray, reach: int = 24) -> np.ndarray:
    near = np.zeros_like(mask)
    for axis in (0, 1):
        for shift in (-reach, reach):
            near |= mask != np.roll(mask, shift, axis)
    return near


def test_a_painting_that_began_as_a_photo_is_that_photo_until_it_is_repainted(synthesizer: Synthesizer) -> None:
    photo = synthesizer.render(PictureRequest(layout(40), Style.of_seed(7), refine_steps=3))
    style = Style(Look.of_latents(photo.ws, "photo"))
    anchor = Anchor(layout(40), photo.ws, "photo")
    same = synthesizer.render(PictureRequest(layout(40), style, anchor=anchor))
    np.testing.assert_allclose(same.ws, photo.ws, atol=1e-6)
    repainted = synthesizer.render(PictureRequest(layout(70), style, anchor=anchor))
    plain = synthesizer.render(PictureRequest(layout(70), style))
    before = synthesizer.render(PictureRequest(layout(40), style))
    structural = slice(0, GENERATOR.fine_slots.start)
    moved = (repainted.ws - photo.ws)[structural]
    np.testing.assert_allclose(moved, (plain.ws - before.ws)[structural], atol=1e-5)


def test_an_anchor_keeps_part_of_an_earlier_refinement(synthesizer: Synthesizer) -> None:
    refined, plain = (synthesizer.render(PictureRequest(layout(40), refine_steps=steps)) for steps in (5, 0))
    anchor = Anchor(layout(40), refined.composition.base, weight=0.7, keeps_style=False)
    again = synthesizer.render(PictureRequest(layout(40), anchor=anchor)).ws
    np.testing.assert_allclose(again, plain.ws + 0.7 * (refined.ws - plain.ws), atol=1e-5)


def test_full_variety_reproduces_the_picture_of_the_look(synthesizer: Synthesizer) -> None:
    """A picture's predicted labels and its whole layout residual give that picture."""
    own = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(8, GENERATOR.w_dim)))[0].numpy()
    labels = synthesizer.segment(own)
    synthesizer = Synthesizer(GENERATOR, dataclasses.replace(synthesizer.model, directions=None))
    whole = synthesizer.render(PictureRequest(labels, Style.of_seed(8, variety=1.0)))
    np.testing.assert_allclose(whole.ws, own, atol=1e-4)

    plain, half = (synthesizer.render(PictureRequest(labels, Style.of_seed(8, variety=v))) for v in (0.0, 0.5))
    np.testing.assert_allclose(half.ws, (plain.ws + own) / 2, atol=1e-4)


def test_variety_across_the_label_directions_comes_first(synthesizer: Synthesizer) -> None:
    """Half variety takes all of a look across the label directions, and an eighth of it along them."""
    latents = GENERATOR.latents
    directions = torch.eye(GENERATOR.w_dim)[:2]
    directed = Synthesizer(GENERATOR, dataclasses.replace(synthesizer.model, directions=directions))
    own = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(8, GENERATOR.w_dim)))[0]
    labels = directed.segment(own.numpy())
    plain, half, whole = (
        latents.whiten(torch.tensor(directed.render(PictureRequest(labels, Style.of_seed(8, variety=v))).ws))[0]
        for v in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(whole, latents.whiten(own[0]), atol=1e-3)
    np.testing.assert_allclose(half[2:], whole[2:], atol=1e-3)
    np.testing.assert_allclose(half[:2], (plain + (whole - plain) / 8)[:2], atol=1e-3)


def test_variety_does_not_change_an_anchored_photo(synthesizer: Synthesizer) -> None:
    own = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(9, GENERATOR.w_dim)))[0].numpy()
    labels = synthesizer.segment(own)
    anchored = PictureRequest(
        labels, dataclasses.replace(Style.of_seed(3), variety=1.0, fine=0.0), anchor=Anchor(labels, own)
    )
    np.testing.assert_allclose(synthesizer.render(anchored).ws, own, atol=1e-4)
