"""Models opened in the window, slowly, anew, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QPushButton,
)
from pytestqt.qtbot import QtBot

from smis_desktop.document.document import Document
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.formats.project import Project, write_project
from smis_desktop.ui.panels.palette_dock import COLOR
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import (
    WAIT,
    answer_file_dialog,
    close_complaint,
    picture_on_screen,
    pixels,
    stroke,
    texts,
    wait_until_finished,
)
from tests.ui.conftest import MakeWindow, at
from tests.workers.paint_by_palette import PaintByPalette


def test_classes_and_layout_can_wait_for_the_model(make_window: MakeWindow, qtbot: QtBot) -> None:
    may_open = threading.Event()

    def open_first(progress: Callable[[str, float], None]) -> PaintByPalette:
        assert may_open.wait(30)
        return PaintByPalette()

    window = make_window(open_first, palette=None)
    stroke(window, (4, 56), (60, 56))  # nothing to paint with yet: nothing happens
    assert window.controller.document is None
    may_open.set()
    wait_until_finished(window, qtbot)
    assert set(np.unique(pixels(window))) == {0, 1, 7}


def test_one_can_paint_while_the_model_is_still_being_opened(make_window: MakeWindow, qtbot: QtBot) -> None:
    told, may_open = threading.Event(), threading.Event()

    def open_first(progress: Callable[[str, float], None]) -> PaintByPalette:
        progress("Fetching the generator", 0.4)
        told.set()
        assert may_open.wait(30)
        return PaintByPalette()

    window = make_window(open_first)
    qtbot.waitUntil(lambda: "Fetching the generator" in texts(window.panel), timeout=WAIT)
    assert told.is_set()
    stroke(window, (4, 56), (60, 56))
    painted = pixels(window)
    assert (painted[56, 4:60] == 1).all()
    assert not window.commands["file.export_picture"].isEnabled()
    may_open.set()
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(pixels(window), painted)
    assert "Fetching" not in texts(window.panel)
    assert window.commands["file.export_picture"].isEnabled()
    window.commands["edit.undo"].trigger()
    assert (pixels(window) != painted).any(), "opening the model lost the history"


def test_a_generator_that_cannot_be_fetched_is_said_in_place_and_can_be_tried_again(
    make_window: MakeWindow, qtbot: QtBot
) -> None:
    def no_network(progress: Callable[[str, float], None]) -> PaintByPalette:
        raise UserError("The face generator could not be fetched: there is no network.")

    window = make_window(no_network)
    qtbot.waitUntil(lambda: "there is no network" in texts(window.panel), timeout=WAIT)
    retry = next(button for button in window.panel.findChildren(QPushButton) if button.isVisible())
    QTest.mouseClick(retry, Qt.MouseButton.LeftButton)
    wait_until_finished(window, qtbot)
    assert "there is no network" not in texts(window.panel)


OTHER = Palette((SemanticClass(1, "wool", (250, 250, 240)), SemanticClass(40, "grass", (60, 160, 70))))


def test_opening_a_personal_model_brings_its_classes_and_keeps_the_painting(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    def open_model(path: Path) -> Callable[[Callable[[str, float], None]], PaintByPalette]:
        return lambda progress: PaintByPalette(name=path.stem, palette=OTHER)

    window = make_window(open_model=open_model)
    wait_until_finished(window, qtbot)
    painted = pixels(window)
    (tmp_path / "sheep.smismodel").touch()
    with qtbot.waitSignal(window.preview.ready, timeout=WAIT):
        window.commands["file.model"].trigger()
        answer_file_dialog(window, tmp_path / "sheep.smismodel", qtbot)
    names = window.classes.list
    assert [names.item(row).text() for row in range(names.count())] == ["wool", "grass"]
    assert "sheep" in window.windowTitle()
    np.testing.assert_array_equal(pixels(window), painted)
    wait_until_finished(window, qtbot)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT)
    QTest.keyClick(window.canvas, Qt.Key.Key_2)
    stroke(window, (4, 56), (60, 56))
    assert (pixels(window)[56, 4:60] == 40).all()
    wait_until_finished(window, qtbot)


STREET = Palette((SemanticClass(1, "background", (20, 30, 90)), SemanticClass(7, "road", (90, 90, 90))))
"""Ids that the faces have too, and other things by them."""


def classes_on_show(window: MainWindow) -> list[tuple[str, tuple[int, int, int]]]:
    rows = window.classes.list
    items = [rows.item(row) for row in range(rows.count())]
    colors = [item.data(COLOR) for item in items]
    return [(i.text(), (c.red(), c.green(), c.blue())) for i, c in zip(items, colors, strict=True)]


def of_palette(palette: Palette) -> list[tuple[str, tuple[int, int, int]]]:
    return [(c.name, c.color) for c in palette.classes]


def open_street(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.preview.ready, timeout=WAIT):
        window.open_any(Path("street.smismodel"))


@pytest.fixture
def window_of_models(make_window: MakeWindow, qtbot: QtBot) -> MainWindow:
    """Paints faces; whatever else is opened paints streets."""
    window = make_window(open_model=lambda path: lambda progress: PaintByPalette(name=path.stem, palette=STREET))
    wait_until_finished(window, qtbot)
    return window


def test_the_same_ids_are_called_and_coloured_as_by_the_model_in_use(
    window_of_models: MainWindow, qtbot: QtBot
) -> None:
    window = window_of_models
    unpainted = pixels(window)
    stroke(window, (4, 56), (60, 56))
    painted = pixels(window)
    open_street(window, qtbot)
    assert classes_on_show(window) == of_palette(STREET)
    np.testing.assert_array_equal(pixels(window), painted)
    wait_until_finished(window, qtbot)
    for _ in range(2):  # the classes, then the stroke
        window.commands["edit.undo"].trigger()
    np.testing.assert_array_equal(pixels(window), unpainted)


def test_a_stroke_in_hand_outlives_the_coming_of_other_classes(window_of_models: MainWindow, qtbot: QtBot) -> None:
    window = window_of_models
    stroke(window, (4, 56), (60, 56), lift=False)
    open_street(window, qtbot)
    assert window.controller.is_painting
    QTest.mouseRelease(window.canvas, Qt.MouseButton.LeftButton, pos=at(window.canvas, 60, 56))
    assert (pixels(window)[56, 4:60] == 1).all()
    assert classes_on_show(window) == of_palette(STREET)


def test_a_kept_picture_returns_in_the_classes_of_the_model_in_use(window_of_models: MainWindow, qtbot: QtBot) -> None:
    window = window_of_models
    window.commands["picture.keep"].trigger()
    kept = pixels(window)
    open_street(window, qtbot)
    wait_until_finished(window, qtbot)
    stroke(window, (4, 56), (60, 56))
    window.history.itemClicked.emit(window.history.item(0))
    assert classes_on_show(window) == of_palette(STREET)
    np.testing.assert_array_equal(pixels(window), kept)


def test_names_that_a_project_gives_outlive_the_opening_of_its_model(
    window_of_models: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    window = window_of_models
    model = tmp_path / "street.smismodel"
    model.touch()
    own = Palette((SemanticClass(1, "sky", (20, 30, 90)), SemanticClass(7, "lane", (90, 90, 90))))
    project = Project(Document.blank(own).state(), model_name="street", model_path=str(model))
    write_project(tmp_path / "street.smis", project)
    with qtbot.waitSignal(window.preview.ready, timeout=WAIT):
        window.open_any(tmp_path / "street.smis")
    assert classes_on_show(window) == of_palette(own)


def test_a_model_that_cannot_be_opened_is_said_so_and_the_one_before_goes_on(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    def open_model(path: Path) -> Callable[[Callable[[str, float], None]], PaintByPalette]:
        def refuse(progress: Callable[[str, float], None]) -> PaintByPalette:
            progress("Reading", -1.0)
            raise UserError(f"{path.name} is damaged.")

        return refuse

    window = make_window(open_model=open_model)
    wait_until_finished(window, qtbot)
    (tmp_path / "broken.smismodel").touch()
    window.commands["file.model"].trigger()
    answer_file_dialog(window, tmp_path / "broken.smismodel", qtbot)
    assert close_complaint(window, qtbot) == "broken.smismodel is damaged."
    assert "Reading" not in texts(window.panel)
    before = picture_on_screen(window)
    stroke(window, (4, 56), (60, 56))
    wait_until_finished(window, qtbot)
    assert (picture_on_screen(window) != before).any()
