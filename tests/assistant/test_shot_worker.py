"""The workspace's process, spoken to as the window does."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.workers.process import WorkerProcess, WorkFailed
from smis_desktop.workers.shot_messages import (
    CancelSearch,
    InvertShot,
    LearnClasses,
    PaletteLearned,
    RequestFailed,
    SampleShown,
    ShotFound,
    ShotGrowing,
    ShowSamples,
    WorkerReady,
)
from smis_desktop.workers.shot_worker import shot_worker
from tests.assistant.conftest import CLASSES, picture_and_label

PATIENCE = 120.0


@contextmanager
def running_worker() -> Iterator[tuple[WorkerProcess, queue.Queue[Any]]]:
    told: queue.Queue[Any] = queue.Queue()
    worker = shot_worker("small", told.put)
    worker.start()
    try:
        assert isinstance(told.get(timeout=PATIENCE), WorkerReady)
        yield worker, told
    finally:
        worker.cancel()


def test_shows_learns_finds_and_refuses(small_data: Path, workspace: Workspace, small: MobileStyleGAN) -> None:
    with running_worker() as (worker, told):
        worker.send(ShowSamples((5, 6), 0.7))
        sheet = [told.get(timeout=PATIENCE) for _ in range(2)]
        assert all(isinstance(picture, SampleShown) for picture in sheet)
        assert [picture.seed for picture in sheet] == [5, 6]

        worker.send(LearnClasses(workspace.path, 7))
        learned = told.get(timeout=PATIENCE)
        assert isinstance(learned, PaletteLearned)
        assert learned.ticket == 7
        assert [found.class_id for found in learned.classes] == [1, 2]
        assert len(learned.samples) == 6
        uncertainties = [sample.uncertainty for sample in learned.samples]
        assert uncertainties == sorted(uncertainties, reverse=True)
        agreement = []
        for sample in learned.samples:
            _, label = picture_and_label(small, sample.seed)
            agreement.append((sample.label_map == label).mean())
        assert np.mean(agreement) > 0.85, "the labels follow a feature that it can read"

        (workspace.path / "images" / "seed-000001.png").write_bytes(
            (workspace.path / "images" / "seed-000002.png").read_bytes()
        )
        worker.send(LearnClasses(workspace.path, 8))
        assert isinstance(told.get(timeout=PATIENCE), PaletteLearned)
        assert [shot.seed for shot in workspace.shots()] == [None, 2], "it is not what that seed makes"

        name = workspace.add_photo("photo", picture_and_label(small, 3)[0])
        worker.send(InvertShot(workspace.path, name, steps=4))
        worker.send(ShowSamples((8,), 0.7))  # short requests go before the rest of an inversion
        heard = []
        while not (heard and isinstance(heard[-1], ShotFound)):
            heard.append(told.get(timeout=PATIENCE))
        assert any(isinstance(message, SampleShown) for message in heard)
        steps = InversionSettings(steps=4).all_steps
        assert [m.fraction for m in heard if isinstance(m, ShotGrowing)] == [n / steps for n in range(1, steps + 1)]
        assert heard[-1].is_kept
        state = next(shot for shot in workspace.shots() if shot.name == name)
        assert state.perceptual == heard[-1].perceptual

        worker.send(InvertShot(workspace.path, name, start=1, steps=500))
        assert isinstance(told.get(timeout=PATIENCE), ShotGrowing)
        worker.send(CancelSearch())
        worker.send(ShowSamples((9,), 0.7))
        while not isinstance(message := told.get(timeout=PATIENCE), SampleShown):
            assert isinstance(message, ShotGrowing)
        assert state.perceptual == next(shot for shot in workspace.shots() if shot.name == name).perceptual

        empty = Workspace.create(workspace.path.parent, WorkspaceSettings("Nothing", "small"), CLASSES)
        worker.send(LearnClasses(empty.path, 8))
        refused = told.get(timeout=PATIENCE)
        assert isinstance(refused, RequestFailed)
        assert "labelled" in refused.text


def test_an_unknown_generator_is_said_in_a_sentence(small_data: Path) -> None:
    told: queue.Queue[Any] = queue.Queue()
    worker = shot_worker("nobody", told.put)
    worker.start()
    failure = told.get(timeout=PATIENCE)
    assert isinstance(failure, WorkFailed)
    assert not failure.is_bug
    assert "nobody" in failure.text
