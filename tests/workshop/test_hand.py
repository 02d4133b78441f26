"""The workshop's process, spoken to as the window does."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from smis_desktop.fewshot.inversion import InversionSettings
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.jobs.spawned import Spawned, WorkFailed
from smis_desktop.jobs.workshop import workshop_hand
from smis_desktop.jobs.workshop_messages import (
    FindShot,
    GiveUp,
    HandReady,
    LearnPalette,
    PaletteLearned,
    SheetPicture,
    ShotFound,
    ShotGrowing,
    ShowSheet,
    WishRefused,
)
from smis_desktop.storage.workshop import Workshop, WorkshopFacts
from tests.workshop.conftest import CLASSES, picture_and_label

PATIENCE = 120.0


@contextmanager
def hand() -> Iterator[tuple[Spawned, queue.Queue[Any]]]:
    told: queue.Queue[Any] = queue.Queue()
    spawned = workshop_hand("small", told.put)
    spawned.start()
    try:
        assert isinstance(told.get(timeout=PATIENCE), HandReady)
        yield spawned, told
    finally:
        spawned.cancel()


def test_shows_learns_finds_and_refuses(small_data: Path, workshop: Workshop, small: MobileStyleGAN) -> None:
    with hand() as (spawned, told):
        spawned.tell(ShowSheet((5, 6), 0.7))
        sheet = [told.get(timeout=PATIENCE) for _ in range(2)]
        assert all(isinstance(picture, SheetPicture) for picture in sheet)
        assert [picture.seed for picture in sheet] == [5, 6]

        spawned.tell(LearnPalette(workshop.path, 7))
        learned = told.get(timeout=PATIENCE)
        assert isinstance(learned, PaletteLearned)
        assert learned.ticket == 7
        assert [found.class_id for found in learned.classes] == [1, 2]
        assert len(learned.samples) == 6
        assert [s.doubt for s in learned.samples] == sorted((s.doubt for s in learned.samples), reverse=True)
        agreement = []
        for sample in learned.samples:
            _, label = picture_and_label(small, sample.seed)
            agreement.append((sample.label_map == label).mean())
        assert np.mean(agreement) > 0.85, "the labels follow a feature that it can read"

        (workshop.path / "images" / "seed-000001.png").write_bytes(
            (workshop.path / "images" / "seed-000002.png").read_bytes()
        )
        spawned.tell(LearnPalette(workshop.path, 8))
        assert isinstance(told.get(timeout=PATIENCE), PaletteLearned)
        assert [shot.seed for shot in workshop.shots()] == [None, 2], "it is not what that seed makes"

        name = workshop.add_photo("photo", picture_and_label(small, 3)[0])
        spawned.tell(FindShot(workshop.path, name, steps=4))
        spawned.tell(ShowSheet((8,), 0.7))  # quick wishes go before the rest of a search
        heard = []
        while not (heard and isinstance(heard[-1], ShotFound)):
            heard.append(told.get(timeout=PATIENCE))
        assert any(isinstance(message, SheetPicture) for message in heard)
        steps = InversionSettings(steps=4).all_steps
        assert [m.fraction for m in heard if isinstance(m, ShotGrowing)] == [n / steps for n in range(1, steps + 1)]
        assert heard[-1].is_kept
        state = next(shot for shot in workshop.shots() if shot.name == name)
        assert state.perceptual == heard[-1].perceptual

        spawned.tell(FindShot(workshop.path, name, start=1, steps=500))
        assert isinstance(told.get(timeout=PATIENCE), ShotGrowing)
        spawned.tell(GiveUp())
        spawned.tell(ShowSheet((9,), 0.7))
        while not isinstance(message := told.get(timeout=PATIENCE), SheetPicture):
            assert isinstance(message, ShotGrowing)
        assert state.perceptual == next(shot for shot in workshop.shots() if shot.name == name).perceptual

        empty = Workshop.create(workshop.path.parent, WorkshopFacts("Nothing", "small"), CLASSES)
        spawned.tell(LearnPalette(empty.path, 8))
        refused = told.get(timeout=PATIENCE)
        assert isinstance(refused, WishRefused)
        assert "labelled" in refused.text


def test_an_unknown_generator_is_said_in_a_sentence(small_data: Path) -> None:
    told: queue.Queue[Any] = queue.Queue()
    spawned = workshop_hand("nobody", told.put)
    spawned.start()
    failure = told.get(timeout=PATIENCE)
    assert isinstance(failure, WorkFailed)
    assert not failure.is_bug
    assert "nobody" in failure.text
