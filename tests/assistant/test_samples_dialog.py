"""The sheet of generated pictures never ends, however large it is made."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.ui.assistant.samples_dialog import SamplesDialog
from smis_desktop.workers.shot_messages import SampleShown

GREY = np.full((256, 256, 3), 128, np.uint8)


@pytest.fixture
def sheet(qtbot: QtBot) -> Iterator[SamplesDialog]:
    """All that it asks for is there at once."""
    host = QWidget()
    qtbot.addWidget(host)
    dialog = SamplesDialog(host)
    dialog.wanted.connect(
        lambda seeds, truncation: [dialog.show_picture(SampleShown(seed, truncation, GREY)) for seed in seeds]
    )
    dialog.start()
    yield dialog
    dialog.reject()


def _can_be_scrolled(sheet: SamplesDialog) -> bool:
    return sheet.list.verticalScrollBar().maximum() > 0


def _settled(qtbot: QtBot, sheet: SamplesDialog) -> int:
    qtbot.waitUntil(lambda: _can_be_scrolled(sheet))
    qtbot.wait(100)
    return sheet.list.count()


@pytest.mark.parametrize("height", [620, 1600])
def test_it_asks_until_it_is_full_and_then_as_one_scrolls(qtbot: QtBot, sheet: SamplesDialog, height: int) -> None:
    sheet.resize(740, height)
    sheet.open()
    filled = _settled(qtbot, sheet)
    rows = height / sheet.list.gridSize().height()
    assert filled < 5 * rows + 45, "no more than about a row and a batch below"
    for _ in range(3):
        bar = sheet.list.verticalScrollBar()
        before = _settled(qtbot, sheet)
        bar.setValue(bar.maximum())
        qtbot.waitUntil(lambda before=before: sheet.list.count() > before)
    seeds = [sheet.list.item(row).toolTip() for row in range(sheet.list.count())]
    assert len(set(seeds)) == len(seeds), "each another one"


def test_it_is_filled_again_when_it_is_made_larger(qtbot: QtBot, sheet: SamplesDialog) -> None:
    sheet.open()
    before = _settled(qtbot, sheet)
    sheet.resize(1500, 1500)
    qtbot.waitUntil(lambda: sheet.list.count() > before and _can_be_scrolled(sheet))


def test_another_variety_is_filled_too(qtbot: QtBot, sheet: SamplesDialog) -> None:
    sheet.resize(740, 1200)
    sheet.open()
    _settled(qtbot, sheet)
    with qtbot.waitSignal(sheet.wanted) as wanted:
        sheet.truncation.slider.setValue(40)
    assert wanted.args == [tuple(range(15)), 0.4]
    _settled(qtbot, sheet)


def test_nothing_is_asked_for_that_nobody_looks_at(qtbot: QtBot, sheet: SamplesDialog) -> None:
    qtbot.wait(100)
    assert sheet.list.count() == 15, "before it is shown"
    sheet.open()
    before = _settled(qtbot, sheet)
    sheet.reject()
    sheet.resize(2000, 2000)
    qtbot.wait(100)
    assert sheet.list.count() == before
