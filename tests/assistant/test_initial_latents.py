"""A photo of the workspace is searched for from a picture that its label resembles, once it has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from smis_desktop.document.palette import EMPTY
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.workers import label_trial
from smis_desktop.workers.label_trial import InitialLatents
from tests.assistant.conftest import CLASSES, picture_and_label
from tests.small_generator import part_prior_of

COUNT = 64


@pytest.fixture
def starts(
    small_data: Path, small: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch
) -> tuple[InitialLatents, MobileStyleGAN]:
    monkeypatch.setattr(small, "part_prior", part_prior_of(small))
    monkeypatch.setattr(label_trial, "NUM_CANDIDATES", COUNT)
    return InitialLatents(small, TorchBackend(small), lambda so_far: None), small


def test_by_what_is_labelled_and_never_before(
    starts: tuple[InitialLatents, MobileStyleGAN], workspace: Workspace
) -> None:
    looking, small = starts
    picture, label = picture_and_label(small, 3)
    photo = workspace.add_photo("photo", picture)
    assert looking.of(workspace, photo, 0) is None, "nobody has labelled it"
    workspace.set_label(photo, label)
    best, second = looking.of(workspace, photo, 0), looking.of(workspace, photo, 1)
    assert best is not None
    assert second is not None
    assert best.shape == (small.w_dim,)
    assert not torch.equal(best, second)


def test_a_few_points_say_too_little_and_strokes_enough(
    starts: tuple[InitialLatents, MobileStyleGAN], tmp_path: Path
) -> None:
    looking, small = starts
    facts = WorkspaceSettings("Points", "small", small.weights_sha256, label_kind="sparse")
    workspace = Workspace.create(tmp_path / "points", facts, CLASSES)
    picture, label = picture_and_label(small, 3)
    photo = workspace.add_photo("photo", picture)
    points = np.full_like(label, EMPTY)
    points[10, 10], points[40, 40] = 1, 2
    workspace.set_label(photo, points)
    assert looking.of(workspace, photo, 0) is None
    strokes = np.full_like(label, EMPTY)
    strokes[10, 5:40], strokes[40, 5:40] = 1, 2
    workspace.set_label(photo, strokes)
    assert looking.of(workspace, photo, 0) is not None
