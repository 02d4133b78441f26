"""A person's own window: theme, keys and places of panels as an earlier version left them."""

from __future__ import annotations

import random
from pathlib import Path

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication, QDockWidget
from pytestqt.qtbot import QtBot

from smis_desktop.resources import example_layout_path
from smis_desktop.ui.widgets.theme import DARK, LIGHT, apply_theme, current_colors
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.ui.window.preview_controller import PreviewController
from tests.golden.conftest import Golden
from tests.workers.paint_by_palette import FACE, PaintByPalette


def test_the_window_is_as_it_was_left(golden: Golden, qtbot: QtBot) -> None:
    settings = QSettings(str(golden.data / "window.ini"), QSettings.Format.IniFormat)
    preview = PreviewController(lambda progress: PaintByPalette(), 0)
    window = MainWindow(
        preview, lambda path: lambda progress: PaintByPalette(), example_layout_path(), random.Random(1), settings,
        golden.data / "paintings",
    )  # fmt: skip
    qtbot.addWidget(window)
    window.start(Path("first.smismodel"), None, FACE)
    window.show()
    qtbot.waitExposed(window)
    try:
        assert current_colors() == LIGHT
        assert window.commands["view.light"].isChecked()
        assert window.commands.keys("edit.undo") == ("Ctrl+Alt+U", "F9")
        assert window.commands.keys("file.new") == ()
        assert window.commands.keys("file.open") == ("Ctrl+O",), "as it comes"
        places = {name: window.findChild(QDockWidget, name) for name in ("palette", "layers", "photograph", "style")}
        right, left = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.LeftDockWidgetArea
        assert window.dockWidgetArea(places["layers"]) == right
        assert window.dockWidgetArea(places["palette"]) == left
        assert window.dockWidgetArea(places["photograph"]) == right
        assert places["style"].isVisible()
        assert len(window.files.offers()) == 1
    finally:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        apply_theme(application, DARK)
        window.close()
        window.files.close()
        assert preview.close(30.0)
