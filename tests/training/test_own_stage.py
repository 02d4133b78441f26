"""A new stage is one file: the training runs it in its place, and terminal and window show its progress."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.training import stages
from smis_desktop.training.events import TrainingRequest
from smis_desktop.ui.assistant.train_page import TrainPage
from smis_desktop.workers.process import Inbox
from smis_desktop.workers.training_process import Trained, TrainingStep, run_request
from tests.cli.conftest import Smis, label_map, small, small_data, smis, write_layout
from tests.small_training import small_training

__all__ = ["small", "small_data", "smis"]

TOY = """
from smis_desktop.training.stages import Stage, register_stage

@register_stage
class Toy(Stage):
    name, position = "toy", 45
    milestone, milestone_text = "toy_built", "toy built"

    def expected_seconds(self, settings, num_photos):
        return 40.0

    def run(self, context):
        for step in range(4):
            context.report(self, "Building the toy", step + 1, 4, loss=1.0 / (step + 1))
"""


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "toy.py").write_text(TOY)
    stages.all_stages()  # so that those of the program are registered before, not within, the test
    monkeypatch.setattr(stages, "__path__", [*stages.__path__, str(folder)])
    monkeypatch.setattr(stages, "STAGES", dict(stages.STAGES))
    small_training(monkeypatch)
    yield
    sys.modules.pop(f"{stages.__name__}.toy", None)


@pytest.fixture
def shots(tmp_path: Path, small_data: Path, smis: Smis) -> Path:
    folder = tmp_path / "shots"
    assert smis("sample", "--generator", "small", "--seeds", "3", "--out", folder / "images").code == 0
    write_layout(folder / "labels" / "seed-0003.png", label_map(128))
    return folder


def test_the_terminal_shows_it(smis: Smis, shots: Path, tmp_path: Path) -> None:
    ended = smis("train", shots, "--generator", "small", "--samples", 8, "--out", tmp_path / "m", "--json")
    milestones = list(ended.facts["stages"])
    assert milestones[milestones.index("encoder_trained") + 1 :] == [
        "correction_trained",
        "toy_built",
        "obedience_trained",
        "written",
    ]
    lines = ended.err.splitlines()
    assert "Building the toy: 100 %" in lines
    assert lines.index("Training the encoder: 100 %") < lines.index("Building the toy: 50 %")
    text = smis("train", shots, "--generator", "small", "--samples", 8, "--out", tmp_path / "n").out
    assert "\ntoy built " in text


def test_the_window_shows_it(qtbot: QtBot, shots: Path, tmp_path: Path) -> None:
    messages: list[Any] = []
    here, _there = multiprocessing.Pipe()
    threads = torch.get_num_threads()
    try:
        run_request(messages.append, Inbox(here), TrainingRequest(shots, tmp_path / "m", "small", "M", samples=8))
    finally:
        torch.set_num_threads(threads)
    assert isinstance(messages[-1], Trained)
    steps = [message for message in messages if isinstance(message, TrainingStep)]
    assert list(dict.fromkeys(step.stage for step in steps if step.fraction)) == [
        "encoder",
        "correction",
        "toy",
        "obedience",
    ]
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    toys = [step for step in steps if step.stage == "toy"]
    assert {step.label for step in toys} == {"Building the toy"}
    assert toys[-1].fraction - toys[0].fraction > 0.2
    page = TrainPage()
    qtbot.addWidget(page)
    page.show_message(toys[-1])
    assert any(label.text().startswith("Building the toy") for label in page.findChildren(QLabel))
