"""The workshop's loop, with everything that it is told lying there at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.jobs import search_starts
from smis_desktop.jobs.spawned import Inbox
from smis_desktop.jobs.workshop import work
from smis_desktop.jobs.workshop_messages import (
    FindShot,
    HandReady,
    LearnPalette,
    PaletteLearned,
    SheetPicture,
    ShotFound,
    ShotGrowing,
    ShowSheet,
)
from smis_desktop.storage import generator_store
from smis_desktop.storage.workshop import Workshop
from tests.small_generator import known_parts_of
from tests.workshop.conftest import picture_and_label


def answers(wishes: list[Any], until: Any) -> list[Any]:
    """All that is said until `until` of it is true; then nobody listens any more."""
    here, there = multiprocessing.Pipe()
    for wish in wishes:
        here.send(wish)
    said: list[Any] = []

    def send(message: Any) -> None:
        said.append(message)
        if until(message):
            here.close()

    with pytest.raises(EOFError):
        work(send, Inbox(there), "small")
    assert isinstance(said.pop(0), HandReady)
    return said


def test_of_wishes_to_learn_the_newest_is_granted_and_of_sheets_that_of_the_slider(
    small_data: Path, workshop: Workshop
) -> None:
    wishes = [
        ShowSheet((1, 2, 3), 0.5),
        LearnPalette(workshop.path, 1),
        LearnPalette(workshop.path, 2),
        ShowSheet((4, 5), 0.9),
        LearnPalette(workshop.path, 3),
    ]
    said = answers(wishes, lambda message: isinstance(message, SheetPicture) and message.seed == 5)
    assert [(m.seed, m.truncation) for m in said if isinstance(m, SheetPicture)] == [(4, 0.9), (5, 0.9)]
    assert [m.ticket for m in said if isinstance(m, PaletteLearned)] == [3]


def test_points_reach_as_far_as_the_sliders_say(small_data: Path, workshop: Workshop) -> None:
    def reached(top_k: int, threshold: float) -> list[float]:
        workshop.change(top_k=top_k, threshold=threshold)
        said = answers([LearnPalette(workshop.path, 1)], lambda message: isinstance(message, PaletteLearned))
        return [float((tried.label_map != 255).mean()) for tried in sorted(said[0].samples, key=lambda t: t.seed)]

    workshop.change(label_kind="sparse")
    for shot in workshop.shots():
        label = workshop.label(shot.name)
        assert label is not None
        points = np.full_like(label, 255)
        points[12::32, 12::32] = label[12::32, 12::32]
        workshop.set_label(shot.name, points)
    near, far, sure = reached(1, 0.2), reached(20, 0.2), reached(20, 0.9)
    assert all(few < many for few, many in zip(near, far, strict=True))
    assert all(few <= many for few, many in zip(sure, far, strict=True))
    assert sum(sure) < sum(far)


def test_by_labels_alone_only_a_labelled_photo_is_searched_for(
    small_data: Path, workshop: Workshop, small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = known_parts_of(small)
    monkeypatch.setattr(generator_store, "shipped_parts", lambda weights_sha256: parts)
    monkeypatch.setattr(search_starts, "LOOKED_AT", 64)
    picture, label = picture_and_label(small, 3)
    bare, labelled = workshop.add_photo("bare", picture), workshop.add_photo("labelled", picture)
    workshop.set_label(labelled, label)
    wishes = [FindShot(workshop.path, name, steps=4, only_by_label=True) for name in (bare, labelled)]
    said = answers(wishes, lambda message: isinstance(message, ShotFound))
    assert {message.name for message in said if isinstance(message, ShotGrowing | ShotFound)} == {labelled}
    states = {shot.name: shot for shot in workshop.shots()}
    assert states[labelled].is_found_by_label
    assert not states[bare].is_located
