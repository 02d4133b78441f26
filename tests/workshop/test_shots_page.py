"""The page of the shots, without the process that searches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.storage.workshop import Workshop, WorkshopFacts
from smis_desktop.ui.file_dialogs import FileDialogs
from smis_desktop.ui.workshop.shots_page import ShotsPage
from tests.workshop.conftest import CLASSES


def test_a_search_that_was_given_up_can_be_begun_again(qtbot: QtBot, tmp_path: Path) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    workshop = Workshop.create(tmp_path, WorkshopFacts("Things", "small"), CLASSES)
    page = ShotsPage(workshop, FileDialogs(host))
    qtbot.addWidget(page)
    page.add_square("photo", np.zeros((64, 64, 3), np.uint8))
    assert not page.again_button.isEnabled()
    page.forget_searches()
    with qtbot.waitSignal(page.search_wanted) as wanted:
        page.again_button.click()
    assert wanted.args == ["photo", 1]
