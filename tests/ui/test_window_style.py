"""The style from the window: thrown, typed, mixed; looks, the wall, the pad, classes in looks of their own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QLineEdit,
    QSlider,
)
from pytestqt.qtbot import QtBot

from smis_desktop.ui.main_window import MainWindow
from tests.ui.acting import (
    picture_on_screen,
    wait_until_finished,
)


def test_a_new_style_changes_the_picture_and_typing_its_seed_brings_it_back(window: MainWindow, qtbot: QtBot) -> None:
    first, first_seed = picture_on_screen(window), window.style_desk.chosen.style.look.seed
    QTest.mouseClick(window.style_desk.bar.new_style_button, Qt.MouseButton.LeftButton)
    wait_until_finished(window, qtbot)
    assert window.style_desk.chosen.style.look.seed != first_seed
    assert (picture_on_screen(window) != first).any()
    field = window.style_desk.bar.findChild(QLineEdit)
    assert field.text() == str(window.style_desk.chosen.style.look.seed)
    field.setFocus()
    field.selectAll()
    chosen = window.classes.current_class_id
    QTest.keyClicks(field, "3")
    assert window.classes.current_class_id == chosen, "a digit typed into a field chose a class"
    field.selectAll()
    QTest.keyClicks(field, str(first_seed))
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.style_desk.chosen.style.look.seed == first_seed
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(picture_on_screen(window), first)


def test_the_mixing_slider_changes_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    first = picture_on_screen(window)
    window.style_desk.bar.findChild(QSlider).setValue(0)
    wait_until_finished(window, qtbot)
    assert window.style_desk.chosen.style.mix == 0.0
    assert (picture_on_screen(window) != first).any()


def test_throwing_a_style_never_throws_the_present_one(window: MainWindow) -> None:
    seen = [window.style_desk.chosen.style.look.seed]
    for _ in range(50):
        window.style_desk.chosen.throw_seed()
        seen.append(window.style_desk.chosen.style.look.seed)
    assert all(a != b for a, b in pairwise(seen))
