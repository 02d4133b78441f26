"""What painters see of repainting: what stays, other looks, frozen classes, the meter and the outline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from smis_desktop.document.composition import Composition
from smis_desktop.errors import UserError
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet
from smis_desktop.ui.panels.class_list import FROZEN
from smis_desktop.ui.panels.region_outline import region_outline
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.workers.preview_jobs import PicturePainted
from tests.ui.acting import WAIT, picture_on_screen, stroke, texts, wait_until_finished
from tests.ui.conftest import MakeWindow
from tests.ui.paint_by_composition import PaintByComposition

SKIN, HAIR, HAT = 1, 2, 3
"""Rows of the classes; the last one is added."""


@pytest.fixture
def window(make_window: MakeWindow, qtbot: QtBot) -> MainWindow:
    """A window whose pictures change everywhere unless the rest is kept."""
    return opened(make_window, qtbot)


def opened(make_window: MakeWindow, qtbot: QtBot) -> MainWindow:
    made = make_window(lambda progress: PaintByComposition(), lambda path: lambda progress: PaintByComposition())
    wait_until_finished(made, qtbot)
    return made


def cannot_be_opened(progress: object) -> PaintByComposition:
    raise UserError("there is no model")


def picture(window: MainWindow) -> np.ndarray:
    assert window.preview.image is not None
    return qimage_to_picture(window.preview.image)


def composition(window: MainWindow) -> Composition:
    found = window.preview.beginning.composition
    assert found is not None
    return found


def paint(window: MainWindow, qtbot: QtBot, row: int = HAIR) -> None:
    """Paint a short stroke at the left, low."""
    window.classes.choose_row(row)
    window.options.set_diameter(6)
    stroke(window, (6, 50), (9, 50))
    wait_until_finished(window, qtbot)


def trigger(window: MainWindow, name: str, qtbot: QtBot) -> None:
    window.commands[name].trigger()
    wait_until_finished(window, qtbot)


def fidelity_words(window: MainWindow) -> str:
    return next(words for words in texts(window.status).split(" | ") if words.startswith("Follows"))


def differs(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where two pictures differ, bool [S, S]."""
    return (before != after).any(axis=2)


class TestKeepTheRest:
    def test_only_what_is_repainted_changes(self, window: MainWindow, qtbot: QtBot) -> None:
        before = picture(window)
        paint(window, qtbot)
        changed = differs(before, picture(window))
        assert changed[400:, :80].any()
        assert not changed[:, 300:].any()
        assert fidelity_words(window) == "Follows 100 % · kept 100 % of the rest"

    def test_switched_off_the_whole_picture_follows(self, window: MainWindow, qtbot: QtBot) -> None:
        window.repaint_actions.bar.keep_box.click()
        assert not window.commands["picture.keep_rest"].isChecked()
        before = picture(window)
        paint(window, qtbot)
        assert differs(before, picture(window))[:, 300:].mean() > 0.5
        assert not composition(window).patches
        kept = int(fidelity_words(window).split("kept ")[1].split(" %")[0])
        assert kept < 70

    def test_the_meter_says_nothing_where_there_is_nothing_to_compare(self, window: MainWindow, qtbot: QtBot) -> None:
        assert fidelity_words(window) == "Follows 100 %"
        trigger(window, "picture.new_style", qtbot)
        assert fidelity_words(window) == "Follows 100 %"

    def test_a_wider_edge_counts_from_the_next_change_on(self, window: MainWindow, qtbot: QtBot) -> None:
        paint(window, qtbot)
        narrow = composition(window).patches[-1].mask
        window.commands["edit.undo"].trigger()
        window.repaint_actions.bar.edge.slider.setValue(15)
        wait_until_finished(window, qtbot)
        paint(window, qtbot)
        wide = composition(window).patches[-1].mask
        assert (wide > 0).sum() > 2 * (narrow > 0).sum()
        assert (wide >= narrow).all()

    def test_both_are_stored(self, window: MainWindow, make_window: MakeWindow, qtbot: QtBot, tmp_path: Path) -> None:
        bar = window.repaint_actions.bar
        bar.keep_box.click()
        bar.edge.slider.setValue(11)
        window.commands["view.region"].trigger()
        window.close()
        again = opened(make_window, qtbot)
        assert not again.repaint_actions.bar.keep_box.isChecked()
        assert not again.preview.repainting.keeps_rest
        assert again.repaint_actions.bar.edge.fraction == again.preview.repainting.edge == 0.11
        assert again.commands["view.region"].isChecked()

    @pytest.mark.parametrize(("stored", "edge"), [("3", 0.03), ("900", 0.2), ("0", 0.02), ("-5", 0.06), ("x", 0.06)])
    def test_a_stored_width_out_of_range_is_not_taken(
        self, make_window: MakeWindow, qtbot: QtBot, tmp_path: Path, stored: str, edge: float
    ) -> None:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        settings.setValue("picture/edge", stored)
        settings.sync()
        assert opened(make_window, qtbot).preview.repainting.edge == edge

    def test_the_row_says_what_it_does_and_by_which_keys(self, window: MainWindow) -> None:
        bar = window.repaint_actions.bar
        assert bar.keep_box.toolTip().startswith("On: only what you repaint changes. Off: the whole photograph follows")
        assert bar.keep_box.toolTip().endswith("(Alt+K)")
        window.commands.rebind("picture.keep_rest", ("Ctrl+Alt+K",))
        assert bar.keep_box.toolTip().endswith("(Ctrl+Alt+K)")
        bar.keep_box.click()
        assert not bar.edge.isEnabled()


class TestFollow:
    def test_the_whole_picture_follows_and_undo_brings_the_old_one_back(self, window: MainWindow, qtbot: QtBot) -> None:
        paint(window, qtbot)
        before = picture(window)
        window.repaint_actions.bar.follow_button.click()
        wait_until_finished(window, qtbot)
        after = picture(window)
        assert differs(before, after)[:, 300:].mean() > 0.5
        assert not composition(window).patches
        assert window.commands["edit.undo"].text() == "&Undo let the whole picture follow"
        trigger(window, "edit.undo", qtbot)
        assert picture(window).tobytes() == before.tobytes()
        trigger(window, "edit.redo", qtbot)
        assert picture(window).tobytes() == after.tobytes()

    def test_it_waits_for_a_picture(self, make_window: MakeWindow, qtbot: QtBot) -> None:
        window = make_window(cannot_be_opened)
        for name in ("picture.follow", "picture.change_look", "picture.class_look"):
            assert not window.commands[name].isEnabled()
        assert not window.repaint_actions.bar.follow_button.isEnabled()


class TestOtherLooks:
    def test_of_the_last_change(self, window: MainWindow, qtbot: QtBot) -> None:
        window.commands["picture.change_look"].trigger()
        assert "Repaint something first" in window.status.currentMessage()
        assert not window.controller.can_undo
        paint(window, qtbot)
        before = picture(window)
        trigger(window, "picture.change_look", qtbot)
        changed = differs(before, picture(window))
        assert changed[400:, :80].any()
        assert not changed[:, 300:].any()
        assert fidelity_words(window).endswith("kept 100 % of the rest")
        assert window.commands["edit.undo"].text() == "&Undo another look for the last change"
        trigger(window, "edit.undo", qtbot)
        assert picture(window).tobytes() == before.tobytes()

    def test_each_time_another_one_for_the_same_region(self, window: MainWindow, qtbot: QtBot) -> None:
        paint(window, qtbot)
        looks = set()
        for _ in range(3):
            trigger(window, "picture.change_look", qtbot)
            (patch,) = composition(window).patches
            looks.add(patch.look)
        assert len(looks) == 3

    def test_of_a_class(self, window: MainWindow, qtbot: QtBot) -> None:
        window.classes.choose_row(HAIR)
        before = picture(window)
        trigger(window, "picture.class_look", qtbot)
        changed = differs(before, picture(window))
        assert changed[60:90, 240:270].all(), "the top of the head"
        assert not changed[:, :20].any()
        trigger(window, "edit.undo", qtbot)
        assert picture(window).tobytes() == before.tobytes()

    def test_of_several_classes_while_one_stays_to_paint_with(self, window: MainWindow, qtbot: QtBot) -> None:
        window.classes.choose_row(HAIR)
        click(window, SKIN, Qt.KeyboardModifier.ControlModifier)
        assert window.options.class_id == window.classes.current_class_id == 7
        assert window.classes.list.chosen_ids == {1, 7}
        before = picture(window)
        trigger(window, "picture.class_look", qtbot)
        assert differs(before, picture(window))[280, 256], "the middle of the face"
        click(window, SKIN, Qt.KeyboardModifier.ControlModifier)
        assert window.classes.list.chosen_ids == {7}
        click(window, 0, Qt.KeyboardModifier.ShiftModifier)
        assert window.classes.list.chosen_ids == {0, 1, 7}
        click(window, SKIN)
        assert window.classes.list.chosen_ids == {1}
        assert window.options.class_id == 1

    def test_of_a_class_that_does_not_show(self, window: MainWindow) -> None:
        window.commands["classes.add"].trigger()
        steps = window.commands["edit.undo"].text()
        window.commands["picture.class_look"].trigger()
        assert window.status.currentMessage() == "The layout shows no class 4: paint it first."
        assert window.commands["edit.undo"].text() == steps


class TestFreeze:
    def test_a_frozen_class_keeps_its_look(self, window: MainWindow, qtbot: QtBot) -> None:
        before = picture(window)
        assert not menu_entry(window, HAIR, "Freeze its look (never change how it looks)", choose=True)
        wait_until_finished(window, qtbot)
        assert window.classes.list.item(HAIR).data(FROZEN)
        assert "Its look is frozen" in window.classes.list.item(HAIR).toolTip()
        assert not window.classes.list.item(SKIN).data(FROZEN)
        assert window.isWindowModified()
        window.commands["picture.class_look"].trigger()
        assert window.status.currentMessage().startswith("Frozen, so its look stays: hair.")
        assert not window.controller.can_undo
        trigger(window, "picture.new_style", qtbot)
        changed = differs(before, picture(window))
        assert not changed[60:90, 240:270].any(), "the top of the head"
        assert changed[300, 256], "the middle of the face"

    def test_it_is_saved_with_the_project(
        self, window: MainWindow, make_window: MakeWindow, qtbot: QtBot, tmp_path: Path
    ) -> None:
        menu_entry(window, HAIR, "Freeze its look (never change how it looks)", choose=True)
        trigger(window, "picture.new_style", qtbot)
        before = picture(window)
        window.files.path = tmp_path / "frozen.smis"
        window.commands["file.save"].trigger()
        assert not window.isWindowModified()
        other = opened(make_window, qtbot)
        assert not other.classes.list.item(HAIR).data(FROZEN)
        other.files.open(tmp_path / "frozen.smis")
        wait_until_finished(other, qtbot)
        assert other.classes.list.item(HAIR).data(FROZEN)
        assert picture(other).tobytes() == before.tobytes()

    def test_its_mark_lets_it_change_again(self, window: MainWindow, qtbot: QtBot) -> None:
        name = "Freeze its look (never change how it looks)"
        menu_entry(window, HAIR, name, choose=True)
        menu_entry(window, SKIN, name, choose=True)
        wait_until_finished(window, qtbot)
        assert menu_entry(window, HAIR, name)
        frozen = picture(window)
        trigger(window, "picture.new_style", qtbot)
        for row in (SKIN, HAIR):
            rect = window.classes.list.visualItemRect(window.classes.list.item(row))
            QTest.mouseClick(
                window.classes.list.viewport(),
                Qt.MouseButton.LeftButton,
                pos=QPoint(rect.right() - 68, rect.center().y()),
            )
            wait_until_finished(window, qtbot)
            assert not window.classes.list.item(row).data(FROZEN)
        assert differs(frozen, picture(window))[60:90, 240:270].all()

    def test_what_does_not_show_cannot_be_frozen(self, window: MainWindow, qtbot: QtBot) -> None:
        window.commands["classes.add"].trigger()
        window.repaint_actions.freeze(frozenset({8}), True)
        assert "no look to freeze" in window.status.currentMessage()
        assert not window.classes.list.item(HAT).data(FROZEN)

    def test_classes_are_frozen_from_one_picture(self, window: MainWindow, qtbot: QtBot) -> None:
        window.repaint_actions.freeze(frozenset({7}), True)
        trigger(window, "picture.new_style", qtbot)
        before = picture(window)
        window.repaint_actions.freeze(frozenset({1}), True)
        assert window.status.currentMessage().startswith("Frozen in another picture: hair.")
        wait_until_finished(window, qtbot)
        assert picture(window).tobytes() == before.tobytes()

    def test_without_a_picture_there_is_nothing_to_freeze(self, make_window: MakeWindow, qtbot: QtBot) -> None:
        window = make_window(cannot_be_opened)
        menu_entry(window, HAIR, "Freeze its look (never change how it looks)", choose=True)
        assert "no photograph of this yet" in window.status.currentMessage()
        assert not window.classes.list.item(HAIR).data(FROZEN)


class TestOutline:
    def test_it_surrounds_what_was_repainted(self, window: MainWindow, qtbot: QtBot) -> None:
        paint(window, qtbot)
        without = picture_on_screen(window)
        window.commands["view.region"].trigger()
        outlined = differs(without, picture_on_screen(window))
        assert 0 < outlined.mean() < 0.05
        assert not outlined[:, outlined.shape[1] // 2 :].any()
        rows = np.flatnonzero(outlined.any(axis=1)) / len(outlined)
        assert rows[0] < 50 / 64 < rows[-1]
        window.commands["view.region"].trigger()
        assert (picture_on_screen(window) == without).all()

    def test_it_is_a_smooth_line(self) -> None:
        rows, columns = np.mgrid[:128, :128]
        distance = np.hypot(rows - 63.5, columns - 63.5) / 128
        path = region_outline((255 * (0.5 - 4 * (distance - 0.3))).clip(0, 255).astype(np.uint8))
        corners = [path.elementAt(number) for number in range(path.elementCount())]
        assert max(abs(float(np.hypot(at.x - 0.5, at.y - 0.5)) - 0.3) for at in corners) < 0.002  # type: ignore[attr-defined]

    def test_it_moves_with_a_linked_view(self, window: MainWindow, qtbot: QtBot) -> None:
        window.classes.choose_row(HAIR)
        window.options.set_diameter(6)
        stroke(window, (30, 32), (34, 32))
        wait_until_finished(window, qtbot)
        window.commands["picture.tie"].trigger()
        window.commands["view.zoom_in"].trigger()
        QApplication.processEvents()
        without = picture_on_screen(window)
        window.commands["view.region"].trigger()
        assert differs(without, picture_on_screen(window)).any()

    def test_a_whole_picture_has_none(self, window: MainWindow, qtbot: QtBot) -> None:
        before = picture_on_screen(window)
        window.commands["view.region"].trigger()
        assert (picture_on_screen(window) == before).all()
        paint(window, qtbot)
        trigger(window, "picture.follow", qtbot)
        with_switch = picture_on_screen(window)
        window.commands["view.region"].trigger()
        assert (picture_on_screen(window) == with_switch).all()

    def test_it_is_there_while_the_pen_is_down(self, window: MainWindow, qtbot: QtBot) -> None:
        window.commands["view.region"].trigger()
        seen: list[PicturePainted] = []
        window.preview.painted.connect(seen.append)
        window.options.set_diameter(6)
        stroke(window, (6, 50), (9, 50), lift=False)
        qtbot.waitUntil(lambda: bool(seen), timeout=WAIT)
        now = picture_on_screen(window)
        window.commands["view.region"].trigger()
        assert differs(now, picture_on_screen(window)).any()
        window.commands["edit.undo"].trigger()


def test_the_sheet_of_keys_lists_the_commands(window: MainWindow) -> None:
    words = texts_of(CheatSheet(window.commands, window))
    for command in ("Keep the rest", "Let the whole picture follow", "Another look for the last change"):
        assert command in words
    assert "Outline the repainted region" in words


def test_messages_have_room_on_a_small_screen(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1024, 700)
    paint(window, qtbot)
    window.status.show_device("CPU, 2 threads, OpenVINO, bfloat16")
    window.status.notify("Frozen in another picture: hair. Unfreeze that first, then freeze all of it together.")
    assert "OpenVINO" not in texts(window.status)
    assert "kept 100 % of the rest" in texts(window.status)
    window.status.clearMessage()
    assert "OpenVINO" in texts(window.status)
    window.status.notify("Short")
    assert "OpenVINO" in texts(window.status)


def test_the_window_fits_on_a_small_screen(window: MainWindow) -> None:
    assert window.minimumSizeHint().width() <= 1024
    window.resize(1024, 700)
    QApplication.processEvents()
    assert window.width() == 1024


def test_beside_the_style_panel_layout_and_photograph_share_the_room(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1440, 900)
    QApplication.processEvents()
    window.commands["view.style"].trigger()
    qtbot.waitUntil(lambda: abs(window.layout_pane.width() - window.picture_pane.width()) < 24, timeout=WAIT)
    assert window.style_controller.bar.mix.value_label.isVisible()


def test_the_rows_below_the_picture_are_never_cut_off(window: MainWindow) -> None:
    window.commands["view.style"].trigger()
    for width in (1440, window.minimumSizeHint().width()):
        window.resize(width, 700)
        QApplication.processEvents()
        for bar in (window.style_controller.bar, window.repaint_actions.bar):
            assert bar.row.minimumSize().width() <= bar.width()
            shown = [child for child in bar.children() if child.isWidgetType() and child.isVisible()]  # type: ignore[attr-defined]
            assert max(child.geometry().right() for child in shown) < bar.width()  # type: ignore[attr-defined]


def click(window: MainWindow, row: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    names = window.classes.list
    place = names.visualItemRect(names.item(row)).topLeft() + QPoint(60, 12)
    QTest.mouseClick(names.viewport(), Qt.MouseButton.LeftButton, modifiers, place)


def menu_entry(window: MainWindow, row: int, words: str, choose: bool = False) -> bool:
    """Open the menu of a class. Returns whether an entry is checked; chooses it if asked to."""
    names = window.classes.list
    window.classes.choose_row(row)
    names.customContextMenuRequested.emit(names.visualItemRect(names.item(row)).center())
    menu = names.findChildren(QMenu)[-1]
    (entry,) = (action for action in menu.actions() if action.text() == words)
    is_checked = entry.isChecked()
    if choose:
        entry.trigger()
    menu.close()
    return bool(is_checked)


def texts_of(sheet: CheatSheet) -> str:
    sheet.show()
    try:
        return texts(sheet)
    finally:
        sheet.close()
