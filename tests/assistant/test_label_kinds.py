"""What the label page says of the labels: areas, scribbles, or a few points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from safetensors import safe_open

from smis_desktop.personal_model import scribbles
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.resources import models_folder
from smis_desktop.storage.safetensors_file import HEADER_KEY
from smis_desktop.training.workspace import Workspace
from smis_desktop.ui.assistant.label_page import SCRIBBLE_CELLS, LabelPage, are_landmarks
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from tests.assistant.conftest import CLASSES


def points(side: int = 512) -> np.ndarray:
    label = np.full((side, side), 255, np.uint8)
    label[40, 40] = label[300, 90] = 1
    label[200, 200] = 2
    return label


def strokes(side: int = 512) -> np.ndarray:
    label = np.full((side, side), 255, np.uint8)
    label[100:104, 20:400] = 1
    label[300:304, 20:400] = 2
    return label


@pytest.mark.parametrize(
    ("labels", "word"),
    [((points(), points()), "few points"), ((strokes(), strokes()), "scribbles"), ((points(), strokes()), "points")],
)
def test_points_are_named_as_what_they_are_learned_as(
    workspace: Workspace, qtbot: QtBot, tmp_path: Path, labels: tuple[np.ndarray, ...], word: str
) -> None:
    for shot, label in zip(workspace.shots(), labels, strict=True):
        workspace.set_label(shot.name, label)
    workspace.change(label_kind="sparse")
    host = QWidget()
    qtbot.addWidget(host)
    page = LabelPage(workspace, FileDialogs(host), QSettings(str(tmp_path / "ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(page)
    page.fill()
    assert word in page.hint.text()


def test_the_page_tells_them_apart_as_learning_does() -> None:
    assert SCRIBBLE_CELLS == scribbles.SCRIBBLE_CELLS
    chance = np.random.default_rng(5)
    for amount in (1, 2, 5, 7, 8, 9, 20, 60):
        labels = [np.full((512, 512), 255, np.uint8) for _ in range(2)]
        for label in labels:
            for class_id in (1, 2):
                label[tuple(chance.integers(0, 512, (2, amount)))] = class_id
        cells = [layout_channels(label, CLASSES, "sparse", 64) for label in labels]
        assert are_landmarks(labels) == (not scribbles.are_scribbles([torch.as_tensor(one) for one in cells]))
    assert not are_landmarks([np.full((64, 64), 255, np.uint8)]), "there is none"


def test_how_classes_are_learned_is_the_persons_choice(workspace: Workspace, qtbot: QtBot, tmp_path: Path) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    page = LabelPage(workspace, FileDialogs(host), QSettings(str(tmp_path / "ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(page)
    workspace.change(generator_sha256="")
    page.fill()
    offered = [page.rule.itemData(row) for row in range(page.rule.count())]
    assert offered == ["informed", "vectors"], "nothing is known of this generator's pictures"
    with qtbot.waitSignal(page.changed):
        page.rule.setCurrentIndex(page.rule.findData("vectors"))
    assert workspace.settings.transfer == "vectors"
    (parts,) = models_folder().glob("faces-parts.safetensors")
    with safe_open(parts, "np") as file:
        of_faces = json.loads(file.metadata()[HEADER_KEY])["weights_sha256"]
    workspace.change(generator_sha256=of_faces)
    page.fill()
    offered = [page.rule.itemData(row) for row in range(page.rule.count())]
    assert offered == ["informed", "probe", "vectors"]
    assert page.rule.currentData() == "vectors"
