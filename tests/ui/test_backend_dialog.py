"""The backend: shown as the self-test found it, and changed by the person."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialog, QRadioButton
from pytestqt.qtbot import QtBot

from smis_desktop.inference.backend_selection import choose_backend, read_backend_choice
from smis_desktop.ui.dialogs.backend_dialog import BackendDialog
from smis_desktop.ui.window.main_window import MainWindow

TESTS = (
    {"backend": "openvino", "milliseconds": 41.2, "fault": ""},
    {"backend": "torch", "milliseconds": 130.0, "fault": ""},
    {"backend": "openvino-bf16", "milliseconds": 0.0, "fault": "this processor has no bfloat16"},
)


def test_what_was_measured_is_shown_and_what_cannot_run_is_no_choice(qtbot: QtBot) -> None:
    dialog = BackendDialog("torch", TESTS)
    qtbot.addWidget(dialog)
    buttons = {button.objectName(): button for button in dialog.findChildren(QRadioButton)}
    assert list(buttons) == ["auto", "openvino", "torch", "openvino-bf16"]
    assert buttons["torch"].isChecked()
    assert dialog.chosen == "torch"
    assert "41 ms" in buttons["openvino"].text()
    assert not buttons["openvino-bf16"].isEnabled()
    assert "no bfloat16" in buttons["openvino-bf16"].text()
    buttons["auto"].click()
    assert dialog.chosen == "auto"


def test_a_choice_is_kept_and_the_model_opened_again(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    choose_backend("torch")
    window.commands["picture.backend"].trigger()
    dialog = next(found for found in window.findChildren(QDialog) if isinstance(found, BackendDialog))
    assert dialog.chosen == "torch"
    dialog.findChildren(QRadioButton)[0].click()
    with qtbot.waitSignal(window.preview.ready, timeout=30_000):
        dialog.accept()
    assert read_backend_choice().chosen == "auto"
