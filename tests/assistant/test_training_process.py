"""Training in its own process: watched, paused, cut short, killed and gone on with."""

from __future__ import annotations

import os
import queue
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from smis_desktop.personal_model.library import picture_path
from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.training.events import ModelImproved, TrainingRequest
from smis_desktop.training.workspace import Workspace
from smis_desktop.workers.process import WorkEnded, WorkerProcess, WorkFailed
from smis_desktop.workers.training_process import (
    FinishEarly,
    Pause,
    Resume,
    Trained,
    TrainingPaused,
    TrainingPictures,
    TrainingStep,
    training,
)

PATIENCE = 180.0


def order(workspace: Workspace, out: Path, samples: int = 320) -> TrainingRequest:
    return TrainingRequest(workspace.labelled_folder(), out, "small", "Things", samples=samples, consistency_steps=20)


def begin(what: TrainingRequest) -> tuple[WorkerProcess, queue.Queue[Any]]:
    told: queue.Queue[Any] = queue.Queue()
    worker = training(what, told.put)
    worker.start()
    return worker, told


def heard_until(told: queue.Queue[Any], is_last: Callable[[Any], bool]) -> list[Any]:
    heard = [told.get(timeout=PATIENCE)]
    while not is_last(heard[-1]):
        assert not isinstance(heard[-1], WorkFailed), heard[-1].text
        heard.append(told.get(timeout=PATIENCE))
    return heard


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_personal_model(path).encoder.state_dict()


def test_it_is_watched_paused_and_ends_with_a_model(small_data: Path, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "library" / "things.smismodel"
    out.parent.mkdir()
    worker, told = begin(order(workspace, out))
    heard_until(told, lambda m: isinstance(m, TrainingStep) and m.stage == "encoder")
    worker.send(Pause())
    heard_until(told, lambda m: isinstance(m, TrainingPaused))
    worker.send(Resume())
    heard = heard_until(told, lambda m: isinstance(m, WorkEnded))
    steps = [m.fraction for m in heard if isinstance(m, TrainingStep)]
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(1.0)
    assert any(isinstance(m, TrainingPictures) for m in heard)
    assert any(isinstance(m, ModelImproved) for m in heard)
    assert isinstance(heard[-2], Trained)
    model = read_personal_model(out)
    assert model.name == "Things"
    assert [c.class_id for c in model.palette.classes] == [1, 2]
    picture = picture_path(out)
    assert {path.name for path in out.parent.iterdir()} == {out.name, picture.name}
    with Image.open(picture) as image:
        assert image.size == (256, 256)
        assert np.asarray(image).std() > 10


def test_good_enough_ends_it_with_what_there_is(small_data: Path, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "things.smismodel"
    worker, told = begin(order(workspace, out, samples=64_000))
    improved = heard_until(told, lambda m: isinstance(m, ModelImproved))[-1]
    assert read_personal_model(improved.path).name == "Things"
    worker.send(FinishEarly())
    heard = heard_until(told, lambda m: isinstance(m, WorkEnded))
    assert isinstance(heard[-2], Trained)
    assert read_personal_model(out).name == "Things"


def test_shots_that_teach_nothing_are_refused_in_a_sentence(
    small_data: Path, workspace: Workspace, tmp_path: Path
) -> None:
    for shot in workspace.shots():
        workspace.remove_shot(shot.name)
    _, told = begin(order(workspace, tmp_path / "things.smismodel"))
    assert isinstance(told.get(timeout=PATIENCE), TrainingStep)
    failure = told.get(timeout=PATIENCE)
    assert isinstance(failure, WorkFailed)
    assert not failure.is_bug


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_with_the_same_weights(
    small_data: Path, workspace: Workspace, tmp_path: Path, kills: int
) -> None:
    undisturbed, disturbed = tmp_path / "a.smismodel", tmp_path / "b.smismodel"
    _, told = begin(order(workspace, undisturbed))
    whole = len(heard_until(told, lambda m: isinstance(m, WorkEnded)))
    random_moments = random.Random(3)
    ended, resumed_from = 0, []
    while ended < kills:
        worker, told = begin(order(workspace, disturbed))
        after = random_moments.randrange(1, max(3, whole // 2))
        heard: list[Any] = []
        while len(heard) < after and not (heard and isinstance(heard[-1], WorkEnded)):
            heard.append(told.get(timeout=PATIENCE))
        assert worker.pid is not None
        if heard and isinstance(heard[-1], WorkEnded):
            disturbed.unlink()  # it got through: once more from the beginning
            continue
        os.kill(worker.pid, signal.SIGKILL)
        assert heard_until(told, lambda m: isinstance(m, WorkEnded))[-1].killed_by in (9, 0)
        resumed_from.append(len(heard))
        ended += 1
    if not disturbed.is_file():
        _, told = begin(order(workspace, disturbed))
        heard_until(told, lambda m: isinstance(m, WorkEnded))
    for key, value in weights(undisturbed).items():
        torch.testing.assert_close(weights(disturbed)[key], value, rtol=0, atol=0)
