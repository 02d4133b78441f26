"""A tool is one file, a command and a dock one row each: they are offered everywhere, without another file touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QDockWidget, QLabel, QSlider, QSpinBox, QTreeWidget, QWidget
from pytestqt.qtbot import QtBot

import smis_desktop.ui.tools
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet, RebindDialog
from smis_desktop.ui.panels.tool_bars import ToolsBar
from smis_desktop.ui.window import command_table, docks
from smis_desktop.ui.window.commands import Command
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import WAIT, pixels, texts
from tests.ui.conftest import MakeWindow, at

W = TypeVar("W", bound=QWidget)

TOY = '''
"""A stamp: a square of the current class at each click."""

from PySide6.QtCore import Qt

from smis_desktop.ui.tools.options import Choice, Fraction, Pixels, Toggle
from smis_desktop.ui.tools.tool import Tool, ToolGroup

SIDE = Pixels(label="Stamp side", default=4, minimum=2, maximum=40)
TWICE = Toggle(label="Stamp twice", default=False)
STRENGTH = Fraction(label="Strength", default=0.5)
INK = Choice(label="Ink", default="wet", choices=(("wet", "Wet"), ("dry", "Dry")))


class StampTool(Tool):
    name = "stamp"
    title = "&Stamp"
    icon = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z" fill="currentColor"/></svg>'
    keys = ("J",)
    group = ToolGroup.SHAPE
    order = 5
    hint = "Click to stamp"
    gestures = (("Stamp a square", "A mighty click"),)
    options = (SIDE, TWICE, STRENGTH, INK)
    cursor = Qt.CursorShape.PointingHandCursor
    paints_class = True

    def press(self, pen):
        class_id, side = self.class_to_paint(pen), self.context.options[SIDE]
        x, y = pen.at
        self.context.controller.do(
            lambda editor: editor.fill_rectangle((x, y), (x + side - 1, y + side - 1), class_id)
        )
'''


@pytest.fixture
def toy_window(make_window: MakeWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """A window of a program whose folder of tools holds one file more."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "stamp.py").write_text(TOY, encoding="utf-8")
    package = smis_desktop.ui.tools
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "tools")])
    yield make_window()
    sys.modules.pop(f"{package.__name__}.stamp", None)


def menu_texts(window: MainWindow, title: str) -> list[str]:
    menu = next(action.menu() for action in window.menuBar().actions() if action.text() == title)
    return [action.text() for action in menu.actions()]


def test_a_tool_in_one_file_is_offered_everywhere(toy_window: MainWindow, qtbot: QtBot) -> None:
    window = toy_window
    action = window.commands["tools.stamp"]
    assert action in window.findChild(ToolsBar).actions()
    assert not action.icon().isNull()
    assert action.toolTip() == "Stamp (J)"
    words = menu_texts(window, "&Tools")
    assert words[words.index("&Stamp") - 1] == "L&asso", "the last of its group"

    QTest.keyClick(window.canvas, Qt.Key.Key_J)
    assert window.options.tool == "stamp"
    assert action.isChecked()
    assert window.canvas.tool.cursor == Qt.CursorShape.PointingHandCursor


def test_its_options_are_in_the_options_bar_and_count(toy_window: MainWindow, qtbot: QtBot) -> None:
    window = toy_window
    window.commands["tools.stamp"].trigger()
    bar = window.tools
    qtbot.waitUntil(lambda: "Strength" in texts(bar), timeout=WAIT)
    assert {"Stamp side", "Strength", "Ink", "Click to stamp"} <= set(texts(bar).split(" | "))
    side = _shown(bar, QSpinBox, "Stamp side")
    assert (side.minimum(), side.value(), side.maximum()) == (2, 4, 40)
    assert _shown(bar, QSlider, "Strength").value() == 50
    assert not _shown(bar, QCheckBox, "Stamp twice").isChecked()
    ink = _shown(bar, QComboBox, "Ink")
    assert [ink.itemText(row) for row in range(ink.count())] == ["Wet", "Dry"]
    side.setValue(6)
    window.classes.choose_row(2)
    assert window.options.tool == "stamp", "a tool that paints classes stays when another class is chosen"
    before = pixels(window)
    QTest.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=at(window.canvas, 2, 54))
    assert (pixels(window)[54:60, 2:8] == 7).all()
    assert (pixels(window) != before).sum() <= 36
    window.commands["tools.brush"].trigger()
    qtbot.waitUntil(lambda: "Size" in texts(bar), timeout=WAIT)
    assert not side.isVisible()


def test_its_key_can_be_looked_up_and_changed(toy_window: MainWindow) -> None:
    window = toy_window
    sheet = CheatSheet(window.commands, window)
    rows = {label.text() for label in sheet.findChildren(QLabel)}
    assert {"Stamp", "J", "Stamp a square", "A mighty click"} <= rows
    dialog = RebindDialog(window.commands, window)
    tree = dialog.findChild(QTreeWidget)
    found = tree.findItems("Stamp", Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive, 0)
    assert [item.text(1) for item in found] == ["J"]
    window.commands.rebind("tools.stamp", ("Y", "J"))
    assert window.commands["tools.stamp"].toolTip() == "Stamp (Y)"
    window.commands.reset()


def test_a_command_and_a_dock_are_one_row_each(make_window: MakeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    row = Command("view.oracle", "Ask the &oracle…", ("Ctrl+Alt+O",), "eye", run=lambda w: heard.append(w.canvas))
    menus = [replace(m, rows=(*m.rows, row)) if m.title == "&View" else m for m in command_table.MENUS]
    monkeypatch.setattr(command_table, "MENUS", tuple(menus))
    toy = docks.Dock("toy", "Toy", docks.LEFT, lambda w: QLabel("A toy"), toggle_text="&Toy box", keys=("Ctrl+Alt+B",))
    monkeypatch.setattr(docks, "DOCKS", (*docks.DOCKS, toy))
    window = make_window()
    assert {"Ask the &oracle…", "&Toy box"} <= set(menu_texts(window, "&View"))
    window.commands["view.oracle"].trigger()
    assert heard == [window.canvas]
    assert window.commands["view.oracle"].toolTip() == "Ask the oracle (Ctrl+Alt+O)"
    sheet = CheatSheet(window.commands, window)
    assert {"Ask the oracle", "Toy box"} <= {label.text() for label in sheet.findChildren(QLabel)}
    box = window.findChild(QDockWidget, "toy")
    assert box.isVisible()
    for command_id, hides in (("view.toy", False), ("view.panels", True)):
        window.commands[command_id].setChecked(hides)
        assert not box.isVisible()
        window.commands[command_id].setChecked(not hides)
        assert box.isVisible()


def test_without_the_file_there_is_no_such_tool(window: MainWindow) -> None:
    assert "stamp" not in window.options.tools


def _shown(parent: QWidget, kind: type[W], name: str) -> W:
    return next(w for w in parent.findChildren(kind) if w.accessibleName() == name and w.isVisible())
