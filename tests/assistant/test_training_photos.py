"""Photos that a training had to search for itself: they stay found, and one sees how long it takes."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from smis_desktop.generators import store as generator_store
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.events import EncoderProgress, InvertingShots, ShotInverted
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.training import TrainingSettings
from smis_desktop.training.workspace import Workspace
from smis_desktop.workers import training_process as training
from smis_desktop.workers.process import Inbox
from smis_desktop.workers.shot_messages import ShotFound
from smis_desktop.workers.training_process import (
    PhotosGrowing,
    Trained,
    TrainingOrder,
    TrainingStep,
    _Watcher,
    train_by_order,
)
from tests.assistant.conftest import picture_and_label
from tests.small_generator import part_prior_of


@pytest.fixture
def photo(workspace: Workspace, small: MobileStyleGAN) -> str:
    """A labelled photo's name; it was not searched for."""
    picture, label = picture_and_label(small, 3)
    name = workspace.add_photo("photo", picture)
    workspace.set_label(name, label)
    return name


@pytest.fixture
def order(workspace: Workspace, tmp_path: Path) -> TrainingOrder:
    return TrainingOrder(
        workspace.path / "labelled", tmp_path / "out.smismodel", "small", "Things", samples=8, obedience_steps=2,
        workspace=workspace.path,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the photo, not a search."""
    whole = training.settings_of

    def short(order: TrainingOrder) -> TrainingSettings:
        return dataclasses.replace(whole(order), inversion=InversionSettings(steps=10, close_steps=1.0))

    monkeypatch.setattr(training, "settings_of", short)


def heard(order: TrainingOrder, workspace: Workspace) -> list[Any]:
    """All that the training tells, without a process of its own."""
    told: list[Any] = []
    threads = torch.get_num_threads()
    here, _there = multiprocessing.Pipe()
    workspace.labelled_folder()
    try:
        train_by_order(told.append, Inbox(here), order)
    finally:
        torch.set_num_threads(threads)
    return told


def test_a_photo_that_the_training_found_stays_found(
    small_data: Path, workspace: Workspace, photo: str, order: TrainingOrder
) -> None:
    told = heard(order, workspace)
    assert isinstance(told[-1], Trained)
    (found,) = [message for message in told if isinstance(message, ShotFound)]
    assert (found.name, found.is_kept, found.picture.shape) == (photo, True, (256, 256, 3))
    assert any(isinstance(message, PhotosGrowing) for message in told)
    searching = [m for m in told if isinstance(m, TrainingStep) and m.stage == "inverting"]
    assert {step.photos for step in searching} == {(photo,)}
    state = next(shot for shot in workspace.shots() if shot.name == photo)
    assert (state.psnr, state.perceptual) == (found.psnr, found.perceptual)
    assert not state.is_found_by_label, "nothing is known of this generator's parts"

    again = heard(order, workspace)
    assert not any(isinstance(m, TrainingStep) and m.stage == "inverting" for m in again), "nor searched for again"


def test_where_parts_are_known_it_first_looks_for_a_picture_to_begin_with(
    small_data: Path,
    workspace: Workspace,
    photo: str,
    order: TrainingOrder,
    small: MobileStyleGAN,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = part_prior_of(small)
    monkeypatch.setattr(generator_store, "shipped_part_prior", lambda weights_sha256: parts)
    told = heard(order, workspace)
    assert isinstance(told[-1], Trained)
    stages = list(dict.fromkeys(message.stage for message in told if isinstance(message, TrainingStep)))
    assert stages == ["opening", "starts", "inverting", "encoder", "obedience"]
    assert next(shot for shot in workspace.shots() if shot.name == photo).is_found_by_label
    fractions = [message.fraction for message in told if isinstance(message, TrainingStep)]
    assert fractions == sorted(fractions)


def test_a_photo_that_was_replaced_meanwhile_is_not_taken_for_found(
    small_data: Path, workspace: Workspace, photo: str, order: TrainingOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def tell(message: Any) -> None:
        if isinstance(message, PhotosGrowing):
            workspace.remove_shot(photo)
            assert workspace.add_photo("photo", np.zeros((64, 64, 3), np.uint8)) == photo
        told.append(message)

    workspace.labelled_folder()
    here, _there = multiprocessing.Pipe()
    threads = torch.get_num_threads()
    train_by_order(tell, Inbox(here), order)
    torch.set_num_threads(threads)
    assert isinstance(told[-1], Trained)
    assert not any(isinstance(message, ShotFound) for message in told)
    assert not next(shot for shot in workspace.shots() if shot.name == photo).is_located


def test_the_time_left_is_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine half as fast as the one that the shares were measured on, and three photos: one, and two at once."""
    now = 100.0
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: now))
    told: list[Any] = []
    here, _there = multiprocessing.Pipe()
    settings = TrainingSettings()
    watcher = _Watcher(told.append, Inbox(here), settings, to_invert=3)
    inversion = settings.inversion
    small = inversion.small_steps
    pace = 2 * 34 / (small / 3 + inversion.all_steps - small)
    whole = 2 * (3 * 34 + 75 + 85)
    since = now
    for names, numbers in ((("a",), (1,)), (("b", "c"), (2, 4))):  # the third picture is the generator's own
        for step in range(1, inversion.all_steps + 1):
            now += len(names) * (pace / 3 if step <= small else pace)
            watcher.tell(InvertingShots(names, numbers, 4, step, inversion.all_steps, 1.0))
            if len(told) > 1:
                assert told[-1].seconds_left == pytest.approx(whole - (now - since), abs=0.1)
        for name in names:
            watcher.tell(ShotInverted(name, 0.2, 20.0, 1.0, 106.0))
    assert told[0].seconds_left is None
    assert told[-1].fraction == pytest.approx((14 + 3 * 34) / (14 + 3 * 34 + 75 + 85))
    watcher.tell(EncoderProgress(1600, 3200, 250, 1.0, 70.0, 3200 / 140))
    assert told[-1].seconds_left == pytest.approx(70 + 2 * 85)

    known = _Watcher(told.append, Inbox(here), settings, to_invert=0)
    known.tell(EncoderProgress(1600, 3200, 250, 1.0, 15.0, 3200 / 30))
    assert told[-1].seconds_left == pytest.approx(15 + 85 * 30 / 75)
