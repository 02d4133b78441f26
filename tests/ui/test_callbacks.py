"""Messages for a dialog that Qt has deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from smis_desktop.ui.dialogs.photo_search import PhotoInversionDialog
from smis_desktop.ui.widgets.callbacks import weak_callback
from smis_desktop.workers.process import Inbox, Send, WorkerProcess

PATIENCE = 60.0


def talk_on(send: Send, inbox: Inbox) -> None:
    send("begun")
    inbox.take(wait=True)
    for _ in range(20):
        send("more")


class Listener(QObject):
    told = Signal(str)


def test_a_listener_hears_and_one_that_is_gone_does_not() -> None:
    listener = Listener()
    heard: list[str] = []
    listener.told.connect(heard.append)
    tell = weak_callback(listener, listener.told.emit)
    tell("hello")
    delete(listener)
    tell("are you there?")
    assert heard == ["hello"]


def test_a_fault_of_the_message_is_a_fault() -> None:
    def stumble(message: str) -> None:
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="no such"):
        weak_callback(Listener(), stumble)("no such thing")


def test_a_search_outlives_its_deleted_dialog(qtbot: QtBot, tmp_path: Path) -> None:
    """An exception in the thread that listens would fail this test."""
    host = QWidget()
    qtbot.addWidget(host)
    begun: list[WorkerProcess] = []
    heard: list[object] = []

    def work(deliver: Callable[[object], None]) -> WorkerProcess:
        def noted(message: object) -> None:
            heard.append(message)
            deliver(message)

        begun.append(WorkerProcess(talk_on, (), noted))
        return begun[0]

    dialog = PhotoInversionDialog(np.zeros((8, 8, 3), np.uint8), work, "Words", host)
    dialog.start()
    qtbot.waitUntil(lambda: bool(heard), timeout=60_000)
    delete(dialog)
    begun[0].send("go on")
    assert begun[0].join(PATIENCE)
    assert heard[1:-1] == ["more"] * 20
