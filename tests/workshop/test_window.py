"""The assistant's window, with its process behind it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.storage.workshop import Workshop
from smis_desktop.ui.workshop.window import LABELS, WorkshopWindow
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
