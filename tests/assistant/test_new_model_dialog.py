"""What a person reads while the generator of a new model is shown."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog


@pytest.fixture
def host(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def test_a_process_that_dies_at_the_start_is_told(small_data: Path, qtbot: QtBot, host: QWidget) -> None:
    before = set(multiprocessing.active_children())
    dialog = NewModelDialog(("small",), "small", host)
    first_words = dialog.words.text()
    (showing,) = set(multiprocessing.active_children()) - before
    showing.kill()
    qtbot.waitUntil(lambda: dialog.words.text() != first_words, timeout=60_000)
    assert "ended unexpectedly" in dialog.words.text()
    dialog.reject()


def test_the_reason_is_not_talked_over_by_the_end_and_goes_with_the_generator(
    small_data: Path, qtbot: QtBot, host: QWidget
) -> None:
    dialog = NewModelDialog(("nobody", "small"), "nobody", host)
    first_words = dialog.words.text()
    qtbot.waitUntil(lambda: dialog.words.text() != first_words, timeout=60_000)
    qtbot.waitUntil(lambda: not multiprocessing.active_children(), timeout=60_000)
    qtbot.waitUntil(lambda: "nobody" in dialog.words.text(), timeout=1_000)
    dialog.choose_generator("small")
    assert dialog.words.text() == first_words
    dialog.reject()
