"""What each state of the document adds to the picture of the state that it came from, without a window: an editor, the
memory of its pictures, and a small generator that paints them."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from smis_desktop.document.brush import Brush
from smis_desktop.document.composition import MASK_SIDE, repainted_region
from smis_desktop.document.document import Document
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.style import Look, Style
from smis_desktop.formats.project import KeptStyle, Project, decode_project, encode_project
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer
from smis_desktop.ui.window.repainting import Beginning, Repainting
from tests.small_generator import small_generator
from tests.small_model import PALETTE, small_model

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4))
STEPS = 2
SIDE = 256


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    """A model whose answers differ as much as real ones do, although it was trained for a moment."""
    model = small_model(GENERATOR)
    with torch.no_grad():
        model.encoder.structural.weight.mul_(400)
    return Synthesizer(GENERATOR, model)


def first_layout() -> np.ndarray:
    painted = np.zeros((SIDE, SIDE), np.uint8)
    painted[:, 120:] = 3
    painted[180:] = 7
    return painted


class Studio:
    """Paints, and shows pictures as the window does: a draft, the full picture, its refinement."""

    def __init__(self, synthesizer: Synthesizer, document: Document, beginning: Beginning | None = None) -> None:
        self.editor, self.synthesizer, self.style = DocumentEditor(document), synthesizer, Style()
        self.repainting = Repainting(STEPS)
        self.repainting.start(self.editor.mark, beginning or Beginning())

    @property
    def layout(self) -> np.ndarray:
        return self.editor.document.snapshot()

    def request(self) -> tuple[PictureRequest, int]:
        basis = self.repainting.basis(self.editor.mark, self.layout, self.style)
        made_from = {"repaint": basis.repaint, "anchor": basis.anchor, "composition": basis.composition}
        return PictureRequest(self.layout, self.style, SIDE, lock=basis.lock, **made_from), basis.refined  # type: ignore[arg-type]

    def rest(self, *, interrupted: bool = False) -> PictureResult:
        """Wait until nothing gets better any more, or only until the full picture is there."""
        request, refined = self.request()
        result = self.synthesizer.render(request)
        self.repainting.remember(self.editor.mark, result.composition, refined, self.style)
        if not interrupted and refined < STEPS:
            better = replace(request, composition=result.composition, refine_steps=STEPS - refined)
            result = self.synthesizer.render(better)
            self.repainting.remember(self.editor.mark, result.composition, STEPS, self.style)
        return result

    def dot(self, x: float, y: float, class_id: int = 7, diameter: float = 24.0) -> None:
        self.editor.begin_stroke(Brush(diameter), class_id, (x, y))
        self.repainting.basis(None, self.layout, self.style)  # the draft while the pen is down
        self.editor.end_stroke()

    def in_a_file(self) -> Project:
        made = self.repainting.beginning
        style = KeptStyle(self.style, composition=made.composition, refined=made.refined)
        return decode_project(encode_project(Project(self.editor.document.state(), style)), "project")


@pytest.fixture
def studio(synthesizer: Synthesizer) -> Studio:
    made = Studio(synthesizer, Document.of_label_map(first_layout(), PALETTE))
    made.rest()
    return made


def outside(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where nothing was repainted, bool [SIDE, SIDE]."""
    mask = repainted_region(before, after)
    return np.repeat(np.repeat(mask, SIDE // MASK_SIDE, 0), SIDE // MASK_SIDE, 1) == 0


def change(one: PictureResult, other: PictureResult, where: np.ndarray) -> float:
    return float(np.abs(one.picture.astype(float) - other.picture)[where].mean())


def test_what_is_not_repainted_stays(studio: Studio) -> None:
    layout, before = studio.layout, studio.rest()
    studio.dot(60, 60)
    after, untouched = studio.rest(), outside(layout, studio.layout)
    assert untouched.mean() > 0.2
    assert change(before, after, untouched) <= 0.5
    assert change(before, after, ~untouched) > 0.5


def test_with_the_switch_off_the_whole_picture_follows(studio: Studio) -> None:
    layout, before = studio.layout, studio.rest()
    studio.repainting.keeps_rest = False
    studio.dot(60, 60)
    after = studio.rest()
    assert not after.composition.patches
    assert change(before, after, outside(layout, studio.layout)) > 0.5
    studio.repainting.keeps_rest = True
    studio.dot(200, 60)
    assert len(studio.rest().composition.patches) == 1, "what is painted next is put into that picture"


@pytest.mark.parametrize("edits", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_random_edits_are_undone_and_redone_byte_for_byte(synthesizer: Synthesizer, edits: int) -> None:
    drawn = random.Random(23)
    studio = Studio(synthesizer, Document.of_label_map(first_layout(), PALETTE))
    pictures = [studio.rest().picture.tobytes()]
    while len(pictures) <= edits:
        before = studio.editor.mark
        kind = drawn.random()
        if kind < 0.8:
            studio.dot(drawn.uniform(0, SIDE), drawn.uniform(0, SIDE), drawn.choice((0, 3, 7)), drawn.uniform(4, 40))
        elif kind < 0.9:
            studio.editor.fill_rectangle(
                (10, 10), (drawn.uniform(40, 250), drawn.uniform(40, 250)), drawn.choice((0, 3))
            )
        elif kind < 0.95:
            studio.editor.add_layer()
        else:
            studio.editor.change_picture("Follow as a whole")
            studio.repainting.follow_as_a_whole(studio.editor.mark)
        if studio.editor.mark is before:
            continue  # nothing changed
        pictures.append(studio.rest(interrupted=drawn.random() < 0.3).picture.tobytes())
        if drawn.random() < 0.1:
            studio.editor.undo()
            assert studio.rest().picture.tobytes() == pictures[-2]
            studio.editor.redo()
            assert studio.rest().picture.tobytes() == pictures[-1]
    assert len(set(pictures)) > edits / 2
    for expected in reversed(pictures[:-1]):
        studio.editor.undo()
        assert studio.rest().picture.tobytes() == expected
    for expected in pictures[1:]:
        studio.editor.redo()
        assert studio.rest().picture.tobytes() == expected


def test_a_saved_picture_opens_byte_for_byte_and_goes_on_from_there(studio: Studio, synthesizer: Synthesizer) -> None:
    for x in (60, 120, 200):
        studio.dot(x, 60)
        shown = studio.rest()
    project = studio.in_a_file()
    stored = project.style
    fresh = Synthesizer(synthesizer.generator, synthesizer.model)
    beginning = Beginning(composition=stored.composition, refined=stored.refined)
    opened = Studio(fresh, Document.from_state(project.document), beginning)
    assert opened.rest().picture.tobytes() == shown.picture.tobytes()
    layout = opened.layout
    opened.dot(60, 220)
    assert change(shown, opened.rest(), outside(layout, opened.layout)) <= 0.5


def test_a_new_look_of_a_whole_picture_is_another_face(studio: Studio) -> None:
    before = studio.rest()
    studio.style = Style.of_seed(99)
    after = studio.rest()
    assert not after.composition.patches
    assert not np.array_equal(after.composition.base, before.composition.base)


def test_a_new_style_moves_what_was_put_in_along_with_the_rest(studio: Studio) -> None:
    studio.dot(60, 60)
    before = studio.rest()
    studio.style = Style.of_seed(99)
    after = studio.rest()
    assert after.composition.digest == before.composition.digest
    moved = after.shown.base - before.shown.base, after.shown.patches[0].ws - before.shown.patches[0].ws
    assert np.abs(moved[1]).max() > 0
    np.testing.assert_allclose(moved[0][: len(moved[1])], moved[1], atol=1e-5)
    studio.style = Style()
    assert studio.rest().picture.tobytes() == before.picture.tobytes()


def test_another_look_for_the_last_change_changes_it_alone(studio: Studio) -> None:
    layout = studio.layout
    studio.dot(60, 60)
    before, untouched = studio.rest(), outside(layout, studio.layout)
    assert studio.repainting.has_change
    studio.editor.change_picture("Another look")
    studio.repainting.take_look_of_last_change(studio.editor.mark, Look(77))
    after = studio.rest()
    assert change(before, after, untouched) <= 0.5
    assert change(before, after, ~untouched) > 0.5
    studio.editor.undo()
    assert studio.rest().picture.tobytes() == before.picture.tobytes()


def test_another_look_for_a_class_changes_its_place(studio: Studio) -> None:
    before = studio.rest()
    assert studio.repainting.is_rendered
    assert studio.repainting.shows(frozenset({7}))
    studio.editor.change_picture("Another look")
    studio.repainting.take_look_of_classes(studio.editor.mark, frozenset({7}), Look(77))
    after = studio.rest()
    far = np.zeros((SIDE, SIDE), bool)
    far[:100] = True
    assert change(before, after, far) <= 0.5
    assert change(before, after, studio.layout == 7) > 0.5
    assert not studio.repainting.shows(frozenset({9}))


def test_a_second_look_for_the_same_classes_replaces_the_first(studio: Studio) -> None:
    studio.rest()
    for seed in (77, 78):
        studio.editor.change_picture("Another look")
        studio.repainting.take_look_of_classes(studio.editor.mark, frozenset({7}), Look(seed))
        result = studio.rest()
    assert [patch.look for patch in result.composition.patches] == [Look(78)]


def test_locked_classes_keep_their_look_whatever_changes(studio: Studio) -> None:
    before = studio.rest()
    inside = np.zeros((SIDE, SIDE), bool)
    inside[200:, 20:-20] = True  # of class 7, away from its edge
    studio.repainting.lock_classes(studio.editor.mark, frozenset({7}), studio.style)
    assert studio.repainting.locked_classes == {7}
    studio.style = Style.of_seed(99)
    other = studio.rest()
    assert change(before, other, inside) <= 0.5
    assert change(before, other, studio.layout == 0) > 0.5
    studio.editor.change_picture("Follow as a whole")
    studio.repainting.follow_as_a_whole(studio.editor.mark)
    assert change(before, studio.rest(), inside) <= 0.5
    studio.repainting.lock_classes(studio.editor.mark, frozenset(), studio.style)
    assert change(before, studio.rest(), inside) > 0.5


def test_patches_that_others_hide_go(studio: Studio) -> None:
    for number in range(15):
        studio.dot(40 + number % 5, 60, (0, 3, 7)[number % 3], 30)
        result = studio.rest()
    assert 1 <= len(result.composition.patches) < 15


def test_strokes_without_a_rest_become_one_patch(studio: Studio) -> None:
    for x in (40, 60, 80):
        studio.dot(x, 60, diameter=8)
        studio.repainting.end_stroke(studio.editor.mark, studio.layout, studio.style)
    assert len(studio.rest().composition.patches) == 1
