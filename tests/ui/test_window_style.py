"""The style from the window: thrown, typed, mixed; looks, the wall, the pad, classes in looks of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLineEdit, QPushButton, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from smis_desktop.document.document import Document
from smis_desktop.document.style import Look, Style
from smis_desktop.formats.project import KeptPicture, KeptStyle
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from smis_desktop.ui.dialogs.film_dialog import FilmDialog
from smis_desktop.ui.panels.variations_wall import VariationsWall
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import WAIT, answer_file_dialog, picture_on_screen, stroke, texts, wait_until_finished
from tests.ui.conftest import MakeWindow
from tests.workers.paint_by_palette import FACE, PaintByPalette


def test_a_new_style_changes_the_picture_and_typing_its_seed_brings_it_back(window: MainWindow, qtbot: QtBot) -> None:
    first, first_seed = picture_on_screen(window), window.style_controller.style_model.style.look.seed
    QTest.mouseClick(window.style_controller.bar.new_style_button, Qt.MouseButton.LeftButton)
    wait_until_finished(window, qtbot)
    assert window.style_controller.style_model.style.look.seed != first_seed
    assert (picture_on_screen(window) != first).any()
    field = window.style_controller.bar.findChild(QLineEdit)
    assert field.text() == str(window.style_controller.style_model.style.look.seed)
    field.setFocus()
    field.selectAll()
    chosen = window.classes.current_class_id
    QTest.keyClicks(field, "3")
    assert window.classes.current_class_id == chosen, "a digit typed into a field chose a class"
    field.selectAll()
    QTest.keyClicks(field, str(first_seed))
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.style_controller.style_model.style.look.seed == first_seed
    wait_until_finished(window, qtbot)
    np.testing.assert_array_equal(picture_on_screen(window), first)


def test_the_mixing_slider_changes_the_picture(window: MainWindow, qtbot: QtBot) -> None:
    first = picture_on_screen(window)
    window.style_controller.bar.findChild(QSlider).setValue(0)
    wait_until_finished(window, qtbot)
    assert window.style_controller.style_model.style.mix == 0.0
    assert (picture_on_screen(window) != first).any()


def test_throwing_a_style_never_throws_the_present_one(window: MainWindow) -> None:
    seen = [window.style_controller.style_model.style.look.seed]
    for _ in range(50):
        window.style_controller.style_model.choose_random_look()
        seen.append(window.style_controller.style_model.style.look.seed)
    assert all(a != b for a, b in pairwise(seen))


def finished_picture(window: MainWindow, qtbot: QtBot) -> np.ndarray:
    wait_until_finished(window, qtbot)
    return picture_on_screen(window)


def choose(button: QPushButton, words: str) -> None:
    """An entry of the button's menu, as if the menu had been opened."""
    menu = button.menu()
    menu.aboutToShow.emit()
    entries = {action.text(): action for action in menu.actions()}
    entries[words].trigger()


def test_the_faders_of_the_panel_are_strengths_of_the_style(window: MainWindow, qtbot: QtBot) -> None:
    panel, style_model = window.style_controller.panel, window.style_controller.style_model
    window.commands["view.style"].setChecked(True)
    assert panel.isVisible()
    for name, percent in (("coarse", 20), ("middle", 30), ("fine", 60)):
        panel.faders[name].slider.setValue(percent)
        assert getattr(style_model.style, name) == percent / 100
    style_model.set_style(Style())
    assert [panel.faders[name].slider.value() for name in ("coarse", "middle", "fine")] == [0, 0, 100]
    window.commands["view.style"].setChecked(False)
    assert not panel.isVisible()


def test_a_locked_style_stays_whatever_is_opened_or_thrown(window: MainWindow, qtbot: QtBot) -> None:
    wait_until_finished(window, qtbot)
    window.commands["picture.keep"].trigger()
    window.commands["picture.new_style"].trigger()
    locked = window.style_controller.style_model.style
    window.commands["picture.lock_style"].setChecked(True)
    window.commands["picture.new_style"].trigger()
    window.history.itemClicked.emit(window.history.item(0))
    assert window.style_controller.style_model.style == locked
    QTest.mouseClick(window.style_controller.bar.lock_button, Qt.MouseButton.LeftButton)
    assert not window.commands["picture.lock_style"].isChecked()
    window.history.itemClicked.emit(window.history.item(0))
    assert window.style_controller.style_model.style != locked


def test_a_locked_look_stays_whatever_is_clicked_and_the_window_says_why(window: MainWindow, qtbot: QtBot) -> None:
    panel, style_model = window.style_controller.panel, window.style_controller.style_model
    style_model.pin(style_model.style.look)
    style_model.choose_random_look()
    window.commands["picture.wall"].trigger()
    wall = window.style_controller.variations
    assert wall is not None
    window.commands["picture.lock_style"].setChecked(True)
    locked = style_model.style
    wear = next(b for b in panel.findChildren(QPushButton) if b.toolTip() == "Use this look")
    for act in (lambda: wall.list.itemClicked.emit(wall.list.item(3)), wear.click, style_model.choose_random_look):
        window.status.notify("")
        act()
        assert style_model.style == locked
        assert "The style is locked" in window.status.currentMessage()
    menus = (panel.look_button, panel.second_button, panel.class_button)
    assert not any(button.isEnabled() for button in menus)
    panel.faders["fine"].slider.setValue(30)
    assert style_model.style == replace(locked, fine=0.3), "strengths are free"
    window.commands["picture.lock_style"].setChecked(False)
    assert all(button.isEnabled() for button in menus)
    wall.list.itemClicked.emit(wall.list.item(3))
    assert style_model.style.look != locked.look
    wall.close()


def test_a_look_is_pinned_used_again_and_unpinned(window: MainWindow, qtbot: QtBot) -> None:
    panel, style_model = window.style_controller.panel, window.style_controller.style_model
    window.commands["view.style"].setChecked(True)
    first = style_model.style.look
    QTest.mouseClick(panel.pin_button, Qt.MouseButton.LeftButton)
    window.commands["picture.pin"].trigger()  # once is enough
    assert style_model.pins == (first,)
    style_model.choose_random_look()
    named = next(b for b in panel.findChildren(QPushButton) if b.text() == f"Seed {first.seed}")
    QTest.mouseClick(named, Qt.MouseButton.LeftButton)
    assert style_model.style.look == first
    assert window.project_state.project().style.pins == (first,)
    forget = next(b for b in panel.findChildren(QToolButton) if b.toolTip() == "Unpin this look")
    QTest.mouseClick(forget, Qt.MouseButton.LeftButton)
    assert style_model.pins == ()


def test_the_pad_lies_between_two_looks(window: MainWindow, qtbot: QtBot) -> None:
    panel, style_model = window.style_controller.panel, window.style_controller.style_model
    window.commands["view.style"].setChecked(True)
    assert not panel.pad.isVisible()
    choose(panel.second_button, "Random look")
    second = style_model.style.second
    assert second is not None
    assert (style_model.style.blend, panel.pad.isVisible()) == (0.5, True)
    panel.ensurePolished()
    QApplication.processEvents()
    right_top = panel.pad.rect().topRight() + QPoint(-2, 2)
    QTest.mouseClick(panel.pad, Qt.MouseButton.LeftButton, pos=right_top)
    assert (style_model.style.blend, style_model.style.mix) == (1.0, 1.0)
    QTest.keyClick(panel.pad, Qt.Key.Key_Left)
    QTest.keyClick(panel.pad, Qt.Key.Key_Down)
    assert (style_model.style.blend, style_model.style.mix) == (pytest.approx(0.95), pytest.approx(0.95))
    assert window.style_controller.bar.mix.fraction == pytest.approx(0.95)
    choose(panel.second_button, "No second look")
    assert style_model.style.second is None
    assert not panel.pad.isVisible()


def test_a_class_gets_a_look_of_its_own_from_a_kept_picture(window: MainWindow, qtbot: QtBot) -> None:
    panel, style_model = window.style_controller.panel, window.style_controller.style_model
    wait_until_finished(window, qtbot)
    window.commands["picture.keep"].trigger()
    window.commands["view.style"].setChecked(True)
    menu = panel.class_button.menu()
    menu.aboutToShow.emit()
    hair = next(action.menu() for action in menu.actions() if action.text() == "hair")
    next(action for action in hair.actions() if action.text() == "Kept picture 1").trigger()
    ((class_id, look),) = style_model.style.class_looks
    assert (class_id, look.name) == (7, "Kept picture 1")
    np.testing.assert_array_equal(look.ws, window.history.kept[0].style.ws)
    qtbot.waitUntil(lambda: "hair: Kept picture 1" in texts(panel), timeout=WAIT)
    undress = next(b for b in panel.findChildren(QToolButton) if b.toolTip() == "Remove this class's own look")
    QTest.mouseClick(undress, Qt.MouseButton.LeftButton)
    assert style_model.style.class_looks == ()


def test_a_picture_kept_as_a_draft_is_in_the_menu_of_looks_and_says_why_it_gives_none(window: MainWindow) -> None:
    window.history.keep(KeptPicture(b"", Document.blank(FACE).state(), KeptStyle()))
    menu = window.style_controller.panel.look_button.menu()
    menu.aboutToShow.emit()
    (draft,) = (action for action in menu.actions() if action.text().startswith("Kept picture 1"))
    assert "draft" in draft.text()
    assert not draft.isEnabled()


@pytest.fixture
def wall(window: MainWindow, qtbot: QtBot) -> VariationsWall:
    """With all its pictures painted."""
    wait_until_finished(window, qtbot)
    window.commands["picture.wall"].trigger()
    wall = window.style_controller.variations
    assert wall is not None
    wait_for_pictures(window, wall, qtbot)
    return wall


def wait_for_pictures(window: MainWindow, wall: VariationsWall, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: wall.missing == 0, timeout=WAIT)


def on_wall(wall: VariationsWall, number: int) -> np.ndarray:
    icon = wall.list.item(number).icon()
    return qimage_to_picture(icon.pixmap(wall.list.iconSize()).toImage())


def test_the_wall_shows_what_each_look_gives_and_a_click_takes_it(
    window: MainWindow, wall: VariationsWall, qtbot: QtBot
) -> None:
    seeds = [wall.list.item(number).text() for number in range(wall.list.count())]
    assert len(set(seeds)) == 12
    before = finished_picture(window, qtbot)
    QTest.mouseClick(
        wall.list.viewport(), Qt.MouseButton.LeftButton, pos=wall.list.visualItemRect(wall.list.item(3)).center()
    )
    after = finished_picture(window, qtbot)
    assert seeds[3] == f"Seed {window.style_controller.style_model.style.look.seed}"
    assert (after != before).any()
    middle = on_wall(wall, 3)[90, 90].astype(int)
    assert abs(middle - after[after.shape[0] // 2, after.shape[1] // 2]).max() <= 3
    QTest.mouseClick(wall.pin_button, Qt.MouseButton.LeftButton)
    assert window.style_controller.style_model.pins == (window.style_controller.style_model.style.look,)
    wall.close()


@pytest.mark.parametrize("mix", [0.0, 0.6])
def test_a_place_on_the_wall_is_painted_in_the_very_style_that_a_click_takes(
    make_window: MakeWindow, qtbot: QtBot, mix: float
) -> None:
    asked: list[PictureRequest] = []

    class Listening(PaintByPalette):
        def render(self, request: PictureRequest) -> PictureResult:
            asked.append(request)
            return super().render(request)

    window = make_window(lambda progress: Listening())
    style_model = window.style_controller.style_model
    rich = Style(Look(1), mix, 0.2, 0.3, 0.8, Look(2), 0.4, ((7, Look(3)),), 0.9)
    style_model.set_style(rich)
    wait_until_finished(window, qtbot)
    asked.clear()
    window.commands["picture.wall"].trigger()
    wall = window.style_controller.variations
    assert wall is not None
    wait_for_pictures(window, wall, qtbot)
    place = asked[3].style
    assert len(asked) == 12
    wall.list.itemClicked.emit(wall.list.item(3))
    assert style_model.style == place
    assert replace(place, look=rich.look, mix=mix) == rich
    assert place.mix == (mix or 1.0)
    wait_until_finished(window, qtbot)
    assert wall.missing == 0, "nothing on the wall has changed"
    wall.close()


def test_the_wall_follows_the_painting_and_other_looks_can_be_thrown(
    window: MainWindow, wall: VariationsWall, qtbot: QtBot
) -> None:
    before = [on_wall(wall, number) for number in range(12)]
    seeds = [wall.list.item(number).text() for number in range(12)]
    window.options.set_diameter(30)
    stroke(window, (4, 56), (60, 56))
    qtbot.waitUntil(lambda: wall.missing > 0, timeout=WAIT)
    wait_for_pictures(window, wall, qtbot)
    after = [on_wall(wall, number) for number in range(12)]
    assert all((a[150] != b[150]).any() for a, b in zip(before, after, strict=True))
    assert seeds == [wall.list.item(number).text() for number in range(12)]
    QTest.mouseClick(wall.others_button, Qt.MouseButton.LeftButton)
    assert not {*seeds} & {wall.list.item(number).text() for number in range(12)}
    wait_for_pictures(window, wall, qtbot)
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert not wall.isVisible()


def test_a_film_is_made_of_the_chosen_kept_pictures(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    wait_until_finished(window, qtbot)
    window.commands["picture.film"].trigger()
    assert window.findChild(FilmDialog) is None
    assert "Keep two pictures first" in window.status.currentMessage()
    for _ in range(3):
        window.commands["picture.keep"].trigger()
        window.style_controller.style_model.choose_random_look()
        wait_until_finished(window, qtbot)
    window.commands["picture.film"].trigger()
    dialog = window.findChild(FilmDialog)
    save = dialog.buttons.button(QDialogButtonBox.StandardButton.Save)
    dialog.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    dialog.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert not save.isEnabled(), "one picture is no film"
    dialog.list.item(1).setCheckState(Qt.CheckState.Checked)
    dialog.seconds.setValue(0.4)
    dialog.size_box.setCurrentIndex(0)
    dialog.loop.setChecked(False)
    QTest.mouseClick(save, Qt.MouseButton.LeftButton)
    target = tmp_path / "film.webp"
    answer_file_dialog(window, target, qtbot)
    qtbot.waitUntil(lambda: target.exists() and not window.preview.is_saving, timeout=WAIT)
    with Image.open(target) as film:
        assert film.size == (256, 256)
        shown = 0
        for number in range(getattr(film, "n_frames", 1)):
            film.seek(number)
            film.load()  # only now WebP knows how long a picture is shown
            shown += film.info["duration"]
    assert shown == pytest.approx(440, abs=2), "ten steps of 40 ms, and the last picture"
    assert "film.webp" in window.status.currentMessage()


def test_without_variety_a_new_look_leaves_a_refined_face_exactly_as_it_is(
    make_window: MakeWindow, qtbot: QtBot
) -> None:
    asked: list[PictureRequest] = []

    class Listening(PaintByPalette):
        def render(self, request: PictureRequest) -> PictureResult:
            asked.append(request)
            return super().render(request)

    window = make_window(lambda progress: Listening(), refine_steps=6)
    refined = []
    window.preview.painted.connect(lambda painted: refined.append(painted) if painted.refined else None)
    qtbot.waitUntil(lambda: len(refined) == 1, timeout=WAIT)
    window.style_controller.style_model.change(variety=0.0)
    qtbot.waitUntil(lambda: len(refined) == 2, timeout=WAIT)
    del refined[0]
    asked.clear()
    window.style_controller.style_model.choose_random_look()
    qtbot.waitUntil(lambda: len(refined) == 2, timeout=WAIT)
    assert [request.refine_steps for request in asked] == [0, 0], "nothing is refined again"
    np.testing.assert_array_equal(refined[1].result.ws, refined[0].result.ws)
    asked.clear()
    stroke(window, (4, 56), (60, 56))
    qtbot.waitUntil(lambda: len(refined) == 3, timeout=WAIT)
    assert asked[0].composition is None
    assert asked[0].repaint is not None, "painting goes on from the picture that rests"
    assert asked[0].repaint.beneath.digest == refined[1].result.composition.digest
    assert asked[-1].refine_steps == 6


def test_a_film_can_be_called_off(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    wait_until_finished(window, qtbot)
    for _ in range(2):
        window.commands["picture.keep"].trigger()
        window.style_controller.style_model.choose_random_look()
        wait_until_finished(window, qtbot)
    window.commands["picture.film"].trigger()
    dialog = window.findChild(FilmDialog)
    dialog.seconds.setValue(20)
    QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Save), Qt.MouseButton.LeftButton)
    answer_file_dialog(window, tmp_path / "film.mp4", qtbot)
    qtbot.waitUntil(lambda: window.style_controller.film_progress is not None, timeout=WAIT)
    progress = window.style_controller.film_progress
    assert progress is not None
    qtbot.waitUntil(lambda: "film.mp4: 1 %" in texts(progress), timeout=WAIT)
    with qtbot.waitSignal(window.preview.film_cancelled, timeout=WAIT):
        QTest.mouseClick(progress.cancel_button, Qt.MouseButton.LeftButton)
    assert not window.preview.is_saving
    assert not list(tmp_path.glob("*film.mp4*"))
    assert "film.mp4 was cancelled" in window.status.currentMessage()


def test_everything_has_room_on_a_small_screen(window: MainWindow) -> None:
    window.commands["view.style"].setChecked(True)
    QApplication.processEvents()
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 720
