"""A format that one module adds is found by the window's dialogs, and by drag and drop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from smis_desktop.ui.window.main_window import MainWindow
from tests.formats.toy_format import add_toy_format
from tests.ui.acting import WAIT, answer_file_dialog, pixels, stroke
from tests.ui.conftest import MakeWindow


def test_the_window_opens_drops_and_exports_it(
    make_window: MakeWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    toy = add_toy_format(tmp_path, monkeypatch)
    window = make_window()
    filters = []
    for command in ("file.open", "file.export_layout"):
        window.commands[command].trigger()
        (dialog,) = window.findChildren(QFileDialog)
        filters.append(" ".join(dialog.nameFilters()))
        dialog.reject()
        qtbot.waitUntil(lambda: not window.findChildren(QFileDialog), timeout=WAIT)
    assert all("*.digits" in text for text in filters)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(toy))])
    with qtbot.waitSignal(window.controller.replaced, timeout=WAIT):
        window.dropEvent(
            QDropEvent(
                QPoint(5, 5).toPointF(), Qt.DropAction.CopyAction, data,
                Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
            )
        )  # fmt: skip
    assert set(np.unique(pixels(window))) == {0, 1}


def test_a_folder_format_has_menu_entries(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    stroke(window, (4, 56), (60, 56))
    painted = pixels(window)
    window.commands["file.export_masks"].trigger()
    with qtbot.waitSignal(window.exports.message, timeout=WAIT):
        answer_file_dialog(window, tmp_path, qtbot)
    assert list(tmp_path.glob("*_classes.json"))
    window.controller.undo()
    with qtbot.waitSignal(window.controller.replaced, timeout=WAIT):
        window.commands["file.import_masks"].trigger()
        answer_file_dialog(window, tmp_path, qtbot)
    np.testing.assert_array_equal(pixels(window), painted)
