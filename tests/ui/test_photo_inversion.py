"""The small window in which a photo is looked for: it goes when the photo is found, and when nobody wants it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialogButtonBox, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.errors import UserError
from smis_desktop.ui.dialogs.photo_search import PhotoInversionDialog
from smis_desktop.workers.photo_inversion import Inverted, Inverting
from smis_desktop.workers.process import Inbox, Send, WorkerProcess

WAIT = 60_000
SQUARE = np.zeros((8, 8, 3), np.uint8)


def find(send: Send, inbox: Inbox) -> None:
    send(Inverting(0.5, SQUARE))
    ws = np.ones((2, 4), np.float32)
    send(Inverted(ws, reconstruction_ws=ws, picture=SQUARE, psnr=20.0, perceptual=0.1))


def give_up(send: Send, inbox: Inbox) -> None:
    raise UserError("There is no such generator; fetch it.")


def look_for_ever(send: Send, inbox: Inbox) -> None:
    send(Inverting(0.1))
    inbox.take(wait=True)


class Begun:
    """A search under way, and the work behind it."""

    def __init__(self, work: Callable[..., None], qtbot: QtBot) -> None:
        self.host = QWidget()
        qtbot.addWidget(self.host)
        self.work: list[WorkerProcess] = []

        def begin(tell: Callable[[object], None]) -> WorkerProcess:
            self.work.append(WorkerProcess(work, (), tell))
            return self.work[0]

        self.dialog = PhotoInversionDialog(SQUARE, begin, "Words", self.host)
        self.found: list[object] = []
        self.failed: list[str] = []
        self.dialog.found.connect(self.found.append)
        self.dialog.failed.connect(self.failed.append)
        self.dialog.show()
        self.dialog.start()


def test_it_goes_when_the_photo_is_found(qtbot: QtBot) -> None:
    begun = Begun(find, qtbot)
    qtbot.waitUntil(lambda: not begun.dialog.isVisible(), timeout=WAIT)
    (found,) = begun.found
    assert isinstance(found, Inverted)
    assert begun.failed == []


def test_it_goes_with_a_sentence_when_it_cannot_be(qtbot: QtBot) -> None:
    begun = Begun(give_up, qtbot)
    qtbot.waitUntil(lambda: not begun.dialog.isVisible(), timeout=WAIT)
    assert begun.failed == ["There is no such generator; fetch it."]
    assert begun.found == []


@pytest.mark.parametrize("way", ["the button", "Esc", "the title bar"])
def test_it_goes_and_its_work_ends_when_nobody_wants_it(qtbot: QtBot, way: str) -> None:
    begun = Begun(look_for_ever, qtbot)
    dialog = begun.dialog
    if way == "the button":
        dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Cancel).click()
    elif way == "Esc":
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
    else:
        dialog.close()
    assert not dialog.isVisible()
    assert begun.work[0].join(60.0)
    assert begun.found == []
    assert begun.failed == []
