"""The second generator in the window: offered by the assistant, and painted with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.evaluation.ground_truth import exact_picture, train_briefly
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.generators.catalog import generator_names
from smis_desktop.generators.store import open_generator
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.personal_model.model import write_personal_model
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.workers.renderer import open_renderer
from tests.ui.conftest import MakeWindow, at, is_finished

WAIT = 60_000


@pytest.fixture(autouse=True)
def bare_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was ever fetched."""
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "bare"))


def test_a_layout_of_landscapes_is_painted_with(make_window: MakeWindow, qtbot: QtBot, tmp_path: Path) -> None:
    generator = open_generator("landscapes")
    shot = exact_picture(generator, 0)
    model, layout = tmp_path / "land.smismodel", tmp_path / "layout.png"
    write_personal_model(model, train_briefly(generator, [shot], "probe", 8, 1, lambda share: None))
    layout.write_bytes(encode_label_map(shot.label_map, PALETTE))
    window = make_window(open_first=open_renderer(model), layout=layout, palette=PALETTE)
    qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
    assert window.preview.about is not None
    assert window.preview.about.generator_name == "landscapes"
    assert window.controller.document is not None
    assert window.controller.document.palette == PALETTE
    before = window.preview_actions.pixels()
    canvas = window.canvas
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 20, 100))
    QTest.mouseMove(canvas, at(canvas, 100, 100))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at(canvas, 100, 100))
    qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
    assert window.preview.shown_ws is not None
    assert window.preview.shown_ws.shape == (generator.num_ws, generator.w_dim)
    assert not np.array_equal(window.preview_actions.pixels(), before), "the picture followed the brush"


def test_the_assistant_offers_landscapes_and_their_classes(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = NewModelDialog(generator_names(), "faces", parent)
    dialog.generator.setCurrentText("landscapes")
    assert dialog.initial_palette == PALETTE
    shown = [label for label in dialog.findChildren(QLabel) if label.property("role") == "picture"]
    qtbot.waitUntil(lambda: all(not label.pixmap().isNull() for label in shown), timeout=WAIT)
    dialog.reject()
