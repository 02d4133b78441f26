"""Faults in the window: shown in words, the painting saved; and what the next start knows of a crash."""

from __future__ import annotations

import threading
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from smis_desktop.diagnostics.crash_marks import Crash
from smis_desktop.formats.project import read_project
from smis_desktop.ui.dialogs.help_dialogs import AboutDialog
from smis_desktop.ui.window.fault_reporting import FaultDialog
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import stroke

WAIT = 30_000


def stumble() -> None:
    raise ZeroDivisionError("of all things")


def fault_dialogs(window: MainWindow) -> list[FaultDialog]:
    return [dialog for dialog in window.findChildren(FaultDialog) if dialog.isVisible()]


def raise_in_window(window: MainWindow, qtbot: QtBot) -> None:
    """A fault in a slot, as the program meets it."""
    begun: list[bool] = []

    def slot() -> None:
        begun.append(True)
        stumble()

    QTimer.singleShot(0, window, slot)
    with window.fault_reporting.catching():
        qtbot.waitUntil(lambda: bool(begun), timeout=WAIT)


def test_a_fault_is_shown_and_the_painting_is_saved(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    stroke(window, (20, 20), (40, 40))
    raise_in_window(window, qtbot)
    (dialog,) = fault_dialogs(window)
    dialog.copy_button.click()
    details = QGuiApplication.clipboard().text()
    assert "ZeroDivisionError: of all things" in details
    assert "Model: " in details
    assert dialog.focusWidget() is dialog.action_buttons[0], "Enter goes on"
    (recovered,) = (tmp_path / "data" / "recovery").glob("*/project.smis")
    assert window.controller.document is not None
    assert read_project(recovered).document.equals(window.controller.document.state())
    dialog.action_buttons[0].click()
    assert not dialog.isVisible()
    assert window.isVisible()


def test_a_fault_with_nothing_unsaved_offers_no_saving(window: MainWindow, qtbot: QtBot) -> None:
    raise_in_window(window, qtbot)
    (dialog,) = fault_dialogs(window)
    assert [button.text() for button in dialog.action_buttons] == ["Continue", "Quit"]
    dialog.reject()


def test_the_same_fault_is_said_once(window: MainWindow, qtbot: QtBot) -> None:
    raise_in_window(window, qtbot)
    raise_in_window(window, qtbot)
    raise_in_window(window, qtbot)
    assert len(fault_dialogs(window)) == 1
    fault_dialogs(window)[0].reject()


def test_faults_of_other_threads_are_said_too(window: MainWindow, qtbot: QtBot) -> None:
    with window.fault_reporting.catching():
        thread = threading.Thread(target=stumble)
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: len(fault_dialogs(window)) == 1, timeout=WAIT)
    fault_dialogs(window)[0].reject()


def test_after_a_crash_the_next_start_tells(window: MainWindow) -> None:
    window.fault_reporting.show_crashes([Crash("Fatal Python error: Segmentation fault\n  in_the_brush", 0.0)])
    (dialog,) = fault_dialogs(window)
    assert "in_the_brush" in dialog.details.toPlainText()
    dialog.action_buttons[0].click()


def test_after_a_kill_or_a_peaceful_end_no_dialog_is_in_the_way(window: MainWindow) -> None:
    window.fault_reporting.show_crashes([])
    assert window.status.currentMessage() == ""
    window.fault_reporting.show_crashes([Crash("", 0.0)])
    assert fault_dialogs(window) == []
    assert "ended unexpectedly" in window.status.currentMessage()


def test_diagnostics_are_on_the_clipboard(window: MainWindow) -> None:
    window.commands["help.diagnostics"].trigger()
    text = QGuiApplication.clipboard().text()
    assert "Device and backend: " in text
    assert "PySide6_Essentials 6." in text


def test_the_about_box_tells_whose_work_it_is(window: MainWindow) -> None:
    window.commands["help.about"].trigger()
    about = window.findChild(AboutDialog)
    assert about is not None
    named = [about.parts.item(row).text() for row in range(about.parts.count())]
    torch_row = next(row for row, text in enumerate(named) if text.startswith("torch "))
    assert "BSD-3-Clause" in named[torch_row]
    about.parts.setCurrentRow(torch_row)
    assert "Redistribution and use" in about.licence.toPlainText()
    networks = [about.networks.item(row).text() for row in range(about.networks.count())]
    assert any("licence: Apache-2.0" in text for text in networks)
    assert any("personal model" in text and "MIT" in text for text in networks)
    about.reject()
