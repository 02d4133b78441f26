"""The assistant's window, with its process behind it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.jobs.workshop_messages import FindShot
from smis_desktop.storage.workshop import Workshop
from smis_desktop.ui.workshop import window as window_module
from smis_desktop.ui.workshop.window import LABELS, LEARNED, TRAIN, WorkshopWindow
from tests.ui.conftest import at

WAIT = 60_000


def opened(workshop: Workshop, tmp_path: Path, qtbot: QtBot) -> WorkshopWindow:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = WorkshopWindow(workshop, tmp_path / "models", settings)
    qtbot.addWidget(window)
    return window


def test_a_process_that_dies_is_told(small_data: Path, workshop: Workshop, tmp_path: Path, qtbot: QtBot) -> None:
    before = set(multiprocessing.active_children())
    window = opened(workshop, tmp_path, qtbot)
    (hand,) = set(multiprocessing.active_children()) - before
    hand.kill()
    qtbot.waitUntil(
        lambda: any("ended from outside (signal 9" in label.text() for label in window.findChildren(QLabel)),
        timeout=60_000,
    )
    window.shut_down()


def test_photos_found_before_they_were_labelled_are_searched_for_once_more(
    workshop: Workshop, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    hand = SimpleNamespace(start=lambda: None, tell=told.append, cancel=lambda: None)
    monkeypatch.setattr(window_module, "workshop_hand", lambda name, deliver: hand)
    monkeypatch.setattr(window_module, "are_parts_known", lambda weights_sha256: True)
    ws = np.zeros((2, 4), np.float32)
    before, after, bare = (workshop.add_photo(name, np.zeros((64, 64, 3), np.uint8)) for name in ("b", "c", "d"))
    for name in (before, after, bare):
        workshop.set_latents(name, ws, ws, 20.0, 0.2, by_label=name == after)
    for name in (before, after):
        workshop.set_label(name, np.ones((64, 64), np.uint8))
    window = opened(workshop, tmp_path, qtbot)
    window.open_step(LABELS)
    assert not any(isinstance(wish, FindShot) for wish in told)
    window.open_step(TRAIN)
    assert "photos to search for first, a minute each: 1" in window.train.summary.text()
    window.open_step(LEARNED)
    window.open_step(TRAIN)
    assert [wish for wish in told if isinstance(wish, FindShot)] == [
        FindShot(workshop.path, before, only_by_label=True)
    ]
    window.shut_down()


def test_what_scribbles_reach_is_seen_while_sliders_move_and_one_scribbles(
    small_data: Path, workshop: Workshop, tmp_path: Path, qtbot: QtBot
) -> None:
    for shot in workshop.shots():
        workshop.set_label(shot.name, np.full((64, 64), 255, np.uint8))
    workshop.change(label_kind="sparse")
    window = opened(workshop, tmp_path, qtbot)
    window.show()
    reach, canvas = window.labels.reach, window.labels.canvas
    window.open_step(LABELS)
    qtbot.waitUntil(lambda: "No shot is labelled" in reach.words.text(), timeout=WAIT)
    assert reach.isVisible()

    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 200, 120))
    QTest.mouseMove(canvas, at(canvas, 300, 400))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 300, 400))
    qtbot.waitUntil(lambda: "nobody labelled" in reach.words.text(), timeout=WAIT)
    assert all(not label.pixmap().isNull() for label in reach.pictures)

    assert not reach.top_k.isEnabled(), "a scribble does not claim pixels one by one"

    told = reach.words.text()
    for percent in range(50, 91, 2):  # as a pulled slider does
        reach.threshold.slider.setValue(percent)
    qtbot.waitUntil(lambda: reach.words.text() != told, timeout=WAIT)
    assert workshop.facts.threshold == 0.9
    reach.threshold.slider.setValue(100)
    qtbot.waitUntil(lambda: "Nothing is reached" in reach.words.text(), timeout=WAIT)

    window.labels.kind.setCurrentIndex(window.labels.kind.findData("dense"))
    assert not reach.isVisible()
    assert workshop.facts.label_kind == "dense"
    window.shut_down()
