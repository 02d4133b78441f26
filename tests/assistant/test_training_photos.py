"""Photos that a training had to search for itself: they stay found, and one sees how long it takes."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from smis_desktop.generators import store as generator_store
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training import run as training_run
from smis_desktop.training.events import TrainingRequest
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.training import TrainingSettings
from smis_desktop.training.workspace import Workspace
from smis_desktop.workers.process import Inbox
from smis_desktop.workers.shot_messages import ShotFound
from smis_desktop.workers.training_process import PhotosGrowing, Trained, TrainingStep, run_request
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
def order(workspace: Workspace, tmp_path: Path) -> TrainingRequest:
    return TrainingRequest(
        workspace.path / "labelled", tmp_path / "out.smismodel", "small", "Things", samples=8, consistency_steps=2,
        workspace=workspace.path,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the photo, not a search."""
    settings_for = training_run.settings_for

    def short(request: TrainingRequest) -> TrainingSettings:
        return dataclasses.replace(settings_for(request), inversion=InversionSettings(steps=10, close_steps=1.0))

    monkeypatch.setattr(training_run, "settings_for", short)


def heard(order: TrainingRequest, workspace: Workspace) -> list[Any]:
    """All that the training tells, without a process of its own."""
    told: list[Any] = []
    threads = torch.get_num_threads()
    here, _there = multiprocessing.Pipe()
    workspace.labelled_folder()
    try:
        run_request(told.append, Inbox(here), order)
    finally:
        torch.set_num_threads(threads)
    return told


def test_a_photo_that_the_training_found_stays_found(
    small_data: Path, workspace: Workspace, photo: str, order: TrainingRequest
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
    order: TrainingRequest,
    small: MobileStyleGAN,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = part_prior_of(small)
    monkeypatch.setattr(generator_store, "shipped_part_prior", lambda _, kind="label": parts if kind == "label" else {})
    told = heard(order, workspace)
    assert isinstance(told[-1], Trained)
    stages = list(dict.fromkeys(message.stage for message in told if isinstance(message, TrainingStep)))
    assert stages == ["opening", "starts", "inverting", "encoder", "correction", "obedience"]
    assert next(shot for shot in workspace.shots() if shot.name == photo).is_found_by_label
    fractions = [message.fraction for message in told if isinstance(message, TrainingStep)]
    assert fractions == sorted(fractions)


def test_a_photo_that_was_replaced_meanwhile_is_not_taken_for_found(
    small_data: Path, workspace: Workspace, photo: str, order: TrainingRequest, monkeypatch: pytest.MonkeyPatch
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
    run_request(tell, Inbox(here), order)
    torch.set_num_threads(threads)
    assert isinstance(told[-1], Trained)
    assert not any(isinstance(message, ShotFound) for message in told)
    assert not next(shot for shot in workspace.shots() if shot.name == photo).is_located
