"""A window with a small renderer behind it, and ways to act on it as a person does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSettings
from pytestqt.qtbot import QtBot

from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.workers.renderer import OpenRenderer
from tests.workers.paint_by_palette import FACE, PaintByPalette

SIZE = 64

MakeWindow = Callable[..., MainWindow]


@pytest.fixture
def example_layout(tmp_path: Path) -> Path:
    """A head of skin on a ground, with hair above."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    label_map = np.zeros((SIZE, SIZE), np.uint8)
    label_map[(rows - 30) ** 2 + (columns - 32) ** 2 < 24**2] = 7
    label_map[(rows - 36) ** 2 + (columns - 32) ** 2 < 18**2] = 1
    path = tmp_path / "example.png"
    path.write_bytes(encode_label_map(label_map, FACE))
    return path


@pytest.fixture
def make_window(qtbot: QtBot, example_layout: Path, tmp_path: Path) -> Iterator[MakeWindow]:
    """Opens windows whose model is opened by `open_first`, and further ones by `open_model(path)`."""
    opened: list[MainWindow] = []

    def make(
        open_first: OpenRenderer = lambda progress: PaintByPalette(),
        open_model: Callable[[Path], OpenRenderer] = lambda path: lambda progress: PaintByPalette(),
        layout: Path | None = example_layout,
        palette: object = FACE,
        refine_steps: int = 0,
    ) -> MainWindow:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(
            PreviewController(open_first, refine_steps),
            open_model,
            example_layout,
            random.Random(1),
            settings,
            tmp_path / "data",
        )
        qtbot.addWidget(window)
        opened.append(window)
        window.resize(1200, 800)
        window.start(Path("first.smismodel"), layout, palette)  # type: ignore[arg-type]
        window.show()
        qtbot.waitExposed(window)
        return window

    yield make
    for window in opened:
        window.files.close()
        assert window.preview.close(30.0), "the preview thread did not end"


@pytest.fixture
def window(make_window: MakeWindow, qtbot: QtBot) -> MainWindow:
    """A window that shows the finished picture of the example layout."""
    made = make_window()
    qtbot.waitUntil(lambda: is_finished(made), timeout=30_000)
    return made


def is_finished(window: MainWindow) -> bool:
    """Whether the full picture of what is painted is on screen."""
    return window.preview.is_ready and window.preview.is_up_to_date


def at(canvas: Canvas, column: float, row: float) -> QPoint:
    """The middle of a layout pixel, in the canvas's coordinates."""
    x, y = canvas.viewport.to_view(column + 0.5, row + 0.5)
    return QPoint(round(x), round(y))
