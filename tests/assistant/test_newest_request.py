"""The workspace's loop, with everything that it is told lying there at once."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smis_desktop.generators import store as generator_store
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.workspace import Workspace
from smis_desktop.workers import label_trial
from smis_desktop.workers.process import Inbox
from smis_desktop.workers.shot_messages import (
    InvertShot,
    LearnClasses,
    PaletteLearned,
    SampleShown,
    ShotFound,
    ShotGrowing,
    ShowSamples,
    WorkerReady,
)
from smis_desktop.workers.shot_worker import work
from tests.assistant.conftest import picture_and_label
from tests.small_generator import part_prior_of


def answers(requests: list[Any], until: Any) -> list[Any]:
    """All that is said until `until` of it is true; then nobody listens any more."""
    here, there = multiprocessing.Pipe()
    for request in requests:
        here.send(request)
    said: list[Any] = []

    def send(message: Any) -> None:
        said.append(message)
        if until(message):
            here.close()

    with pytest.raises(EOFError):
        work(send, Inbox(there), "small")
    assert isinstance(said.pop(0), WorkerReady)
    return said


def test_the_newest_request_to_learn_and_the_samples_of_the_newest_slider_are_handled(
    small_data: Path, workspace: Workspace
) -> None:
    requests = [
        ShowSamples((1, 2, 3), 0.5),
        LearnClasses(workspace.path, 1),
        LearnClasses(workspace.path, 2),
        ShowSamples((4, 5), 0.9),
        LearnClasses(workspace.path, 3),
    ]
    said = answers(requests, lambda message: isinstance(message, SampleShown) and message.seed == 5)
    assert [(m.seed, m.truncation) for m in said if isinstance(m, SampleShown)] == [(4, 0.9), (5, 0.9)]
    assert [m.ticket for m in said if isinstance(m, PaletteLearned)] == [3]


def test_points_reach_as_far_as_the_sliders_say(small_data: Path, workspace: Workspace) -> None:
    def reached(top_k: int, threshold: float) -> list[float]:
        workspace.change(top_k=top_k, threshold=threshold)
        said = answers([LearnClasses(workspace.path, 1)], lambda message: isinstance(message, PaletteLearned))
        return [float((tried.label_map != 255).mean()) for tried in sorted(said[0].samples, key=lambda t: t.seed)]

    workspace.change(label_kind="sparse")
    for shot in workspace.shots():
        label = workspace.label(shot.name)
        assert label is not None
        points = np.full_like(label, 255)
        points[12::32, 12::32] = label[12::32, 12::32]
        workspace.set_label(shot.name, points)
    near, far, sure = reached(1, 0.2), reached(20, 0.2), reached(20, 0.9)
    assert all(few < many for few, many in zip(near, far, strict=True))
    assert all(few <= many for few, many in zip(sure, far, strict=True))
    assert sum(sure) < sum(far)


def test_by_labels_alone_only_a_labelled_photo_is_searched_for(
    small_data: Path, workspace: Workspace, small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = part_prior_of(small)
    monkeypatch.setattr(generator_store, "shipped_part_prior", lambda _, kind="label": parts if kind == "label" else {})
    monkeypatch.setattr(label_trial, "NUM_CANDIDATES", 64)
    picture, label = picture_and_label(small, 3)
    bare, labelled = workspace.add_photo("bare", picture), workspace.add_photo("labelled", picture)
    workspace.set_label(labelled, label)
    requests = [InvertShot(workspace.path, name, steps=4, only_by_label=True) for name in (bare, labelled)]
    said = answers(requests, lambda message: isinstance(message, ShotFound))
    assert {message.name for message in said if isinstance(message, ShotGrowing | ShotFound)} == {labelled}
    states = {shot.name: shot for shot in workspace.shots()}
    assert states[labelled].is_found_by_label
    assert not states[bare].is_located
