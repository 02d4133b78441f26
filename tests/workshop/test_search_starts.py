"""A photo of the workshop is searched for from a picture that its label resembles, once it has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.gan.pictures import TorchPictures
from smis_desktop.jobs import search_starts
from smis_desktop.jobs.search_starts import SearchStarts
from smis_desktop.labels.index_png import EMPTY
from smis_desktop.storage.workshop import Workshop, WorkshopFacts
from tests.small_generator import known_parts_of
from tests.workshop.conftest import CLASSES, picture_and_label

COUNT = 64


@pytest.fixture
def starts(
    small_data: Path, small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> tuple[SearchStarts, MobileStyleGAN]:
    monkeypatch.setattr(small, "known_parts", known_parts_of(small))
    monkeypatch.setattr(search_starts, "LOOKED_AT", COUNT)
    return SearchStarts(small, TorchPictures(small), lambda so_far: None), small


def test_by_what_is_labelled_and_never_before(starts: tuple[SearchStarts, MobileStyleGAN], workshop: Workshop) -> None:
    looking, small = starts
    picture, label = picture_and_label(small, 3)
    photo = workshop.add_photo("photo", picture)
    assert looking.of(workshop, photo, 0) is None, "nobody has labelled it"
    workshop.set_label(photo, label)
    best, second = looking.of(workshop, photo, 0), looking.of(workshop, photo, 1)
    assert best is not None
    assert second is not None
    assert best.shape == (small.w_dim,)
    assert not torch.equal(best, second)


def test_a_few_points_say_too_little_and_strokes_enough(
    starts: tuple[SearchStarts, MobileStyleGAN], tmp_path: Path
) -> None:
    looking, small = starts
    facts = WorkshopFacts("Points", "small", small.weights_sha256, label_kind="sparse")
    workshop = Workshop.create(tmp_path / "points", facts, CLASSES)
    picture, label = picture_and_label(small, 3)
    photo = workshop.add_photo("photo", picture)
    points = np.full_like(label, EMPTY)
    points[10, 10], points[40, 40] = 1, 2
    workshop.set_label(photo, points)
    assert looking.of(workshop, photo, 0) is None
    strokes = np.full_like(label, EMPTY)
    strokes[10, 5:40], strokes[40, 5:40] = 1, 2
    workshop.set_label(photo, strokes)
    assert looking.of(workshop, photo, 0) is not None
