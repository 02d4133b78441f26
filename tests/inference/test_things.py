"""Small things of a layout count as wholes: overlap, area, place, width and height."""

from __future__ import annotations

import pytest
import torch

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.inference.things import mismatch_of_things, things_of

SIDE = 128


def layout(*boxes: tuple[int, int, int, int], channel: int = 2) -> torch.Tensor:
    """Class 0 above class 1, with boxes (y, x, height, width) of another class."""
    cells = torch.zeros(1, SIDE, SIDE, dtype=torch.int64)
    cells[:, 60:] = 1
    for y, x, height, width in boxes:
        cells[:, y : y + height, x : x + width] = channel
    return cells


def scores_of(shown: torch.Tensor, sharpness: float = 12.0) -> torch.Tensor:
    """The scores of a picture that shows `shown`."""
    return sharpness * torch.nn.functional.one_hot(shown, 4).permute(0, 3, 1, 2).float()


EYES = ((40, 40, 6, 12), (40, 76, 6, 12))
WANTED = layout(*EYES)


def mismatch(*boxes: tuple[int, int, int, int]) -> float:
    return float(mismatch_of_things(scores_of(layout(*boxes)), WANTED, things_of(WANTED)))


def test_things_are_the_small_connected_regions() -> None:
    found = things_of(WANTED)
    assert [(thing.channel, int(thing.mask.sum())) for thing in found] == [(2, 72), (2, 72)]
    assert things_of(layout((40, 40, 1, 2))) == [], "two cells are none"
    assert things_of(layout((20, 20, 40, 40))) == [], "a tenth of the picture is none"
    assert things_of(torch.full((1, SIDE, SIDE), UNKNOWN_CHANNEL)) == []


def test_what_is_as_asked_costs_next_to_nothing() -> None:
    assert mismatch(*EYES) < 0.01


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(((42, 40, 2, 12), EYES[1]), id="a narrower eye"),
        pytest.param(((40, 44, 6, 12), EYES[1]), id="an eye beside its place"),
        pytest.param(((36, 34, 14, 24), EYES[1]), id="an eye too large"),
        pytest.param((EYES[1],), id="an eye that is missing"),
    ],
)
def test_each_way_to_be_wrong_costs(shown: tuple[tuple[int, int, int, int], ...]) -> None:
    assert mismatch(*shown) > mismatch(*EYES) + 0.1


def test_worse_costs_more() -> None:
    shifts = [mismatch((40, 40 + shift, 6, 12), EYES[1]) for shift in range(0, 10, 3)]
    assert shifts == sorted(shifts)


def test_a_class_that_is_not_trusted_has_no_say() -> None:
    wanted = layout(*EYES)
    wanted[:, 90:94, 50:70] = 3
    shown = scores_of(layout(*EYES))  # the eyes as asked, and nothing of class 3
    things = things_of(wanted)
    doubtful = torch.tensor([1.0, 1.0, 1.0, 0.0])
    assert mismatch_of_things(shown, wanted, things) > 0.3
    assert mismatch_of_things(shown, wanted, things, doubtful) < 0.01


def test_gradients_move_a_thing_towards_its_place() -> None:
    scores = scores_of(layout((40, 46, 6, 12), EYES[1]), 3.0).requires_grad_()
    mismatch_of_things(scores, WANTED, things_of(WANTED)).backward()
    assert scores.grad is not None
    assert scores.grad[0, 2, 43, 42] < 0, "more of an eye where one is asked for"
    assert scores.grad[0, 2, 43, 56] > 0, "and less where none is"
