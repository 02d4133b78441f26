"""Where searches begin: at the random picture whose parts lie as the labels do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.stages.inversion import InversionInit
from tests.personal_model.labelled_faces import CLASSES, labelled_faces
from tests.small_generator import part_prior_of, small_generator

PARTS, ROUND, COUNT = 5, 8, 24
HAT = 11


@pytest.fixture(scope="module")
def small() -> MobileStyleGAN:
    generator = small_generator()
    generator.part_prior = part_prior_of(generator, PARTS)
    return generator


@pytest.fixture(scope="module")
def pool(small: MobileStyleGAN) -> SamplePool:
    """The pictures that are looked at, with their parts."""
    probe = LinearProbe(dict(small.part_prior), torch.zeros(PARTS))
    pool = SamplePool(small, probe, 0, ROUND, PARTS)
    while len(pool) < COUNT:
        pool.grow()
    return pool


def starts(generator: MobileStyleGAN) -> tuple[InversionInit, list[int]]:
    told: list[int] = []
    return InversionInit(generator, TorchBackend(generator), 0, ROUND, COUNT, told.append), told


@pytest.fixture
def layouts(pool: SamplePool) -> list[Tensor]:
    """Three pictures' own parts under other numbers, and a corner in which nothing is said."""
    numbers = torch.tensor([3, 0, 4, 1, 2])
    found = [numbers[pool.labels[place].long()] for place in (2, 9, 20)]
    for layout in found:
        layout[:10, :10] = UNKNOWN_CHANNEL
    return found


def test_a_picture_labelled_by_its_own_parts_is_found_among_all(
    small: MobileStyleGAN, pool: SamplePool, layouts: list[Tensor]
) -> None:
    looking, told = starts(small)
    found = looking.of(layouts, [None] * 3, PARTS)
    for w, place in zip(found, (2, 9, 20), strict=True):
        assert w is not None
        assert torch.equal(w, pool.w[place])
    assert told == [8, 16, 24]
    looking.of(layouts[:1], [None], PARTS)
    assert told == [8, 16, 24], "looked at once"


def test_shots_that_are_located_are_told_of_and_not_asked_for(
    small: MobileStyleGAN, pool: SamplePool, layouts: list[Tensor]
) -> None:
    looking, told = starts(small)
    located = [small.broadcast(pool.w[2:3])[0], None, small.broadcast(pool.w[20:21])[0]]
    first, second, third = looking.of(layouts, located, PARTS)
    assert first is None
    assert third is None
    assert second is not None
    assert torch.equal(second, pool.w[9])
    fresh, told = starts(small)
    assert fresh.of(layouts[:1], located[:1], PARTS) == [None]
    assert told == [], "nobody has to be looked for"


def test_another_try_begins_elsewhere(small: MobileStyleGAN, pool: SamplePool, layouts: list[Tensor]) -> None:
    looking, _ = starts(small)
    tries = [looking.of(layouts, [None] * 3, PARTS, place)[0] for place in range(COUNT)]
    places = {int((pool.w == w).all(1).nonzero()[0]) for w in tries if w is not None}
    assert places == set(range(COUNT))
    beyond = looking.of(layouts, [None] * 3, PARTS, COUNT + 5)[0]
    assert beyond is not None
    assert tries[-1] is not None
    assert torch.equal(beyond, tries[-1])


def test_without_a_part_prior_or_labels_there_is_none(small: MobileStyleGAN, layouts: list[Tensor]) -> None:
    unknown = small_generator()
    looking, told = starts(unknown)
    assert looking.of(layouts, [None] * 3, PARTS) == [None] * 3
    assert told == []
    nothing = torch.full_like(layouts[0], UNKNOWN_CHANNEL)
    known, _ = starts(small)
    said, unsaid = known.of([layouts[0], nothing], [None, None], PARTS)
    assert said is not None
    assert unsaid is None


def test_a_hat_is_begun_to_be_looked_for_where_there_is_one(faces: MobileStyleGAN) -> None:
    """Nobody says which part is a hat: the other faces show that it is none of theirs."""
    shots = labelled_faces(faces)
    hats = [int((shot.labels == HAT).sum()) for shot in shots]
    number = hats.index(max(hats))
    without = [shot for shot, cells in zip(shots, hats, strict=True) if cells == 0][:3]
    looking = InversionInit(faces, TorchBackend(faces), 0, 64, 256, lambda so_far: None)
    layouts = [shots[number].labels, *(shot.labels for shot in without)]
    w = looking.of(layouts, [None, *(shot.ws for shot in without)], CLASSES)[0]
    assert w is not None
    parts = LinearProbe(dict(faces.part_prior), faces.part_bias["label"])
    with torch.inference_mode():
        seen = parts.label(faces.label_features(faces.broadcast(w[None])))[0]
    hat = shots[number].labels == HAT
    assert float((seen[hat] == len(parts.bias) - 1).float().mean()) > 0.4, "hats are the last part"
