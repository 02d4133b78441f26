"""The studio around the canvas: layers, classes, keys, files, kept pictures, recovery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.formats.project import Project, read_project
from smis_desktop.formats.recovery import RecoveryFolder
from smis_desktop.ui.dialogs.import_dialog import ImportDialog
from smis_desktop.ui.dialogs.key_dialogs import RebindDialog
from smis_desktop.ui.dialogs.small_dialogs import NewDialog, RecoveryDialog
from smis_desktop.ui.widgets.theme import THEMES, ThemeColors
from smis_desktop.ui.window.actions import CommandActions
from smis_desktop.ui.window.command_table import command_table
from smis_desktop.ui.window.main_window import MainWindow
from tests.ui.acting import WAIT, answer_file_dialog, pixels, stroke, texts
from tests.ui.conftest import MakeWindow, is_finished


def button(window: MainWindow, which: QMessageBox.StandardButton, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is not None, timeout=WAIT)
    box = window.findChild(QMessageBox)
    QTest.mouseClick(box.button(which), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(QMessageBox) is None, timeout=WAIT)


class TestLayersPanel:
    def test_layers_are_added_named_hidden_locked_and_ordered(self, window: MainWindow, qtbot: QtBot) -> None:
        rows = window.layers.list
        window.commands["layers.add"].trigger()
        assert [rows.item(i).text() for i in range(rows.count())] == ["Layer 2", "Layer 1"]
        rows.item(0).setText("Hair")
        document = window.controller.document
        assert document is not None
        assert document.layers[1].name == "Hair"
        stroke(window, (10, 10), (40, 10))
        shown = pixels(window)
        top = document.layers[1].layer_id
        rows.eye_clicked.emit(top)
        assert (pixels(window) != shown).any()
        rows.eye_clicked.emit(top)
        rows.lock_clicked.emit(top)
        assert document.layers[1].locked
        window.layers.list.dropped.emit(top, 1)
        assert [layer.name for layer in document.layers] == ["Hair", "Layer 1"]
        for _ in range(7):
            window.controller.undo()
        assert len(document.layers) == 1
        assert rows.count() == 1

    def test_choosing_a_row_chooses_the_layer(self, window: MainWindow) -> None:
        window.commands["layers.add"].trigger()
        document = window.controller.document
        assert document is not None
        window.layers.list.setCurrentRow(1)
        assert document.active_id == document.layers[0].layer_id
        window.commands["layers.raise"].trigger()
        assert document.layers[1].layer_id == document.active_id
        window.commands["layers.merge"].trigger()
        assert len(document.layers) == 1

    def test_f2_lets_the_name_be_typed_and_letters_stay_in_the_field(self, window: MainWindow, qtbot: QtBot) -> None:
        window.commands["layers.rename"].trigger()
        field = window.layers.list.findChild(QLineEdit)
        assert field is not None
        field.selectAll()
        QTest.keyClicks(field, "beige 3")
        assert window.options.tool == "brush"
        QTest.keyClick(field, Qt.Key.Key_Return)
        document = window.controller.document
        assert document is not None
        qtbot.waitUntil(lambda: document.layers[0].name == "beige 3", timeout=WAIT)


class TestClasses:
    def test_classes_are_added_renamed_recoloured_and_preserved(self, window: MainWindow) -> None:
        window.commands["classes.add"].trigger()
        document = window.controller.document
        assert document is not None
        assert document.palette.num_classes == 4
        item = window.classes.list.item(3)
        item.setText("scarf")
        assert document.palette.classes[3].name == "scarf"
        window.classes.choose_row(1)
        window.options.set_diameter(3)
        window.classes.toggle_preserved(0)
        before = pixels(window)
        stroke(window, (0, 2), (63, 2))
        np.testing.assert_array_equal(pixels(window), before)
        window.classes.toggle_preserved(0)
        stroke(window, (0, 2), (63, 2))
        assert (pixels(window) != before).any()

    def test_x_swaps_the_two_last_classes(self, window: MainWindow) -> None:
        window.classes.choose_row(1)
        window.classes.choose_row(2)
        chosen = window.options.class_id
        QTest.keyClick(window.canvas, Qt.Key.Key_X)
        assert window.options.class_id != chosen
        QTest.keyClick(window.canvas, Qt.Key.Key_X)
        assert window.options.class_id == chosen
        assert window.classes.current_class_id == chosen


class TestKeys:
    def test_every_tool_has_its_key(self, window: MainWindow) -> None:
        for key, tool in (("E", "eraser"), ("R", "rectangle"), ("O", "ellipse"), ("P", "polygon"), ("L", "lasso"),
                          ("G", "bucket"), ("F", "bucket"), ("I", "picker"), ("T", "move"), ("H", "pan"),
                          ("Z", "zoom"), ("B", "brush")):  # fmt: skip
            QTest.keyClick(window.canvas, getattr(Qt.Key, f"Key_{key}"))
            assert window.options.tool == tool

    def test_view_keys(self, window: MainWindow) -> None:
        canvas = window.canvas
        QTest.keyClick(canvas, Qt.Key.Key_M)
        assert canvas.viewport.mirrored
        QTest.keyClick(canvas, Qt.Key.Key_6, Qt.KeyboardModifier.KeypadModifier)
        assert canvas.viewport.angle == 15
        QTest.keyClick(canvas, Qt.Key.Key_5, Qt.KeyboardModifier.KeypadModifier)
        assert (canvas.viewport.angle, canvas.viewport.mirrored) == (0, False)
        QTest.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
        assert canvas.viewport.scale * canvas.devicePixelRatioF() == pytest.approx(1)
        QTest.keyClick(canvas, Qt.Key.Key_Tab)
        assert not window.classes.isVisible()
        QTest.keyClick(canvas, Qt.Key.Key_Tab)
        assert window.classes.isVisible()

    def test_keys_are_changed_kept_and_reset(self, qtbot: QtBot, tmp_path: Path) -> None:
        settings = QSettings(str(tmp_path / "keys.ini"), QSettings.Format.IniFormat)
        host = QWidget()
        qtbot.addWidget(host)
        shortcuts = CommandActions(host, settings, command_table())
        shortcuts.rebind("tools.brush", ("E",))
        assert shortcuts.keys("tools.eraser") == ()
        assert "(E)" in shortcuts["tools.brush"].toolTip()
        again = CommandActions(QWidget(host), settings, command_table())
        assert again.keys("tools.brush") == ("E",)
        assert again.keys("tools.eraser") == ()
        again.reset()
        assert CommandActions(QWidget(host), settings, command_table()).keys("tools.brush") == ("B",)

    def test_the_dialog_finds_commands_and_warns_of_conflicts(self, window: MainWindow, qtbot: QtBot) -> None:
        dialog = RebindDialog(window.commands, window)
        dialog.show()
        dialog.findChild(QLineEdit).setText("lasso")
        tree = dialog.tree
        shown = [
            tree.topLevelItem(g).child(i).text(0)
            for g in range(tree.topLevelItemCount())
            for i in range(tree.topLevelItem(g).childCount())
            if not tree.topLevelItem(g).child(i).isHidden()
        ]
        assert shown == ["Lasso"]
        dialog.reject()


class TestFiles:
    def test_save_and_open_bring_everything_back(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        window.commands["layers.add"].trigger()
        stroke(window, (4, 56), (60, 56))
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        window.commands["picture.keep"].trigger()
        assert window.isWindowModified()
        window.commands["file.save"].trigger()
        answer_file_dialog(window, tmp_path / "mine.smis", qtbot)
        assert not window.isWindowModified()
        assert "mine.smis" in window.windowTitle()
        document = window.controller.document
        assert document is not None
        saved = document.state()
        stroke(window, (4, 10), (60, 10))
        assert window.isWindowModified()
        window.controller.undo()
        assert not window.isWindowModified()
        window.commands["file.example"].trigger()
        window.files.open(tmp_path / "mine.smis")
        document = window.controller.document
        assert document is not None
        assert document.state().equals(saved)
        assert len(window.history.kept) == 1
        assert window.recent.paths() == (tmp_path / "mine.smis",)

    def test_unsaved_changes_are_asked_about(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        stroke(window, (4, 56), (60, 56))
        painted = pixels(window)
        window.close()
        button(window, QMessageBox.StandardButton.Cancel, qtbot)
        assert window.isVisible()
        np.testing.assert_array_equal(pixels(window), painted)
        window.close()
        button(window, QMessageBox.StandardButton.Save, qtbot)
        answer_file_dialog(window, tmp_path / "kept.smis", qtbot)
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT)
        np.testing.assert_array_equal(read_project(tmp_path / "kept.smis").document.label_map(), painted)

    def test_a_window_with_changes_can_be_closed_without_them(self, window: MainWindow, qtbot: QtBot) -> None:
        stroke(window, (4, 56), (60, 56))
        window.close()
        button(window, QMessageBox.StandardButton.Discard, qtbot)
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT)

    def test_files_that_bring_no_painting_put_none_at_risk(
        self, window: MainWindow, qtbot: QtBot, tmp_path: Path
    ) -> None:
        """A damaged one is told at once; a photograph is asked about when there is a layout of it, and not before."""
        stroke(window, (4, 56), (60, 56))
        painted = pixels(window)
        (tmp_path / "damaged.smis").write_bytes(b"no project")
        window.files.open(tmp_path / "damaged.smis")
        box = window.findChild(QMessageBox)
        assert box.standardButtons() == QMessageBox.StandardButton.Ok
        assert "damaged.smis" in box.text()
        button(window, QMessageBox.StandardButton.Ok, qtbot)
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photograph.png")
        window.files.photograph_found.disconnect()
        with qtbot.waitSignal(window.files.photograph_found, timeout=WAIT):
            window.files.open(tmp_path / "photograph.png")
        assert window.findChild(QMessageBox) is None
        np.testing.assert_array_equal(pixels(window), painted)
        assert window.isWindowModified()

    def test_an_exported_picture_opens_as_a_painting(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        stroke(window, (4, 56), (60, 56))
        painted = pixels(window)
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        with qtbot.waitSignal(window.preview.saved, timeout=WAIT):
            window.exports.save_picture(tmp_path / "photo.png")
        window.controller.undo()
        window.files.open(tmp_path / "photo.png")
        np.testing.assert_array_equal(pixels(window), painted)

    def test_a_foreign_layout_is_asked_about(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        Image.fromarray(np.full((64, 64), 200, np.uint8)).save(tmp_path / "foreign.png")
        window.files.open(tmp_path / "foreign.png")
        dialog = window.findChild(ImportDialog)
        assert dialog is not None
        dialog._choices[0].setCurrentIndex(2)
        QTest.mouseClick(
            dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok), Qt.MouseButton.LeftButton
        )
        assert (pixels(window) == 1).all()

    @pytest.mark.parametrize("name", ["layers.ora", "layers.psd", "index.png"])
    def test_layouts_are_exported_and_opened_again(
        self, window: MainWindow, qtbot: QtBot, tmp_path: Path, name: str
    ) -> None:
        stroke(window, (4, 56), (60, 56))
        painted = pixels(window)
        window.exports.save_layout(tmp_path / name)
        qtbot.waitUntil((tmp_path / name).exists, timeout=WAIT)
        window.controller.undo()
        window.files.open(tmp_path / name)
        np.testing.assert_array_equal(pixels(window), painted)

    def test_variations_come_with_a_contact_sheet(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        window.exports.save_variations(tmp_path, 3)
        qtbot.waitUntil(lambda: len(list(tmp_path.glob("*contact-sheet.png"))) == 1, timeout=WAIT)
        assert len(list(tmp_path.glob("Untitled-*.png"))) == 4

    def test_an_empty_layout_of_a_chosen_size(self, window: MainWindow) -> None:
        window.commands["file.new"].trigger()
        dialog = window.findChild(NewDialog)
        dialog.size_box.setCurrentIndex(1)
        dialog.accept()
        assert pixels(window).shape == (128, 128)
        assert (pixels(window) == 255).all()


class TestPictures:
    def test_kept_pictures_bring_their_layout_and_style_back(self, window: MainWindow, qtbot: QtBot) -> None:
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        first, seed = pixels(window), window.style_controller.style_model.style.look.seed
        window.commands["picture.keep"].trigger()
        stroke(window, (4, 56), (60, 56))
        window.commands["picture.new_style"].trigger()
        window.history.itemClicked.emit(window.history.item(0))
        np.testing.assert_array_equal(pixels(window), first)
        assert window.style_controller.style_model.style.look.seed == seed
        assert len(window.history.kept) == 2, "what was painted since is kept too"

    def test_the_picture_is_copied_and_compared(self, window: MainWindow, qtbot: QtBot) -> None:
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        window.commands["picture.copy"].trigger()
        assert not QApplication.clipboard().image().isNull()
        window.commands["picture.keep"].trigger()
        stroke(window, (0, 56), (63, 56))
        stroke(window, (0, 48), (63, 48))
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        after = window.panel.grab().toImage()
        window.commands["picture.compare"].setChecked(True)
        assert window.panel.grab().toImage() != after
        window.commands["picture.compare"].setChecked(False)
        assert window.panel.grab().toImage() == after

    def test_the_meter_tells_what_the_photograph_does_not_follow(self, window: MainWindow, qtbot: QtBot) -> None:
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        assert "Follows 100 %" in texts(window.status)
        plain = window.canvas.grab().toImage()
        window.commands["view.obedience"].setChecked(True)
        assert window.canvas.grab().toImage() == plain, "all is followed"
        assert "100 %" in window.classes.list.item(0).toolTip()

    def test_the_tied_picture_follows_the_canvas(self, window: MainWindow, qtbot: QtBot) -> None:
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
        whole = window.panel.grab().toImage()
        window.commands["picture.tie"].setChecked(True)
        window.commands["view.zoom_in"].trigger()
        assert window.panel.grab().toImage() != whole
        window.commands["picture.tie"].setChecked(False)
        assert window.panel.grab().toImage() == whole


class TestStart:
    def test_without_a_layout_the_start_page_shows_what_to_begin_with(
        self, make_window: MakeWindow, qtbot: QtBot
    ) -> None:
        window = make_window(layout=None)
        assert window.start_page.isVisible()
        assert window.controller.document is None
        QTest.mouseClick(window.start_page.paint_button, Qt.MouseButton.LeftButton)
        assert window.canvas.isVisible()
        assert (pixels(window) == 7).any()
        qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)

    def test_a_painting_that_was_lost_is_offered(self, make_window: MakeWindow, qtbot: QtBot, tmp_path: Path) -> None:
        lost = make_window()
        stroke(lost, (4, 56), (60, 56))
        painted = pixels(lost)
        autosave = lost.files.autosave
        assert autosave is not None
        autosave.save_now()
        autosave._wait()
        autosave._recovery._lock.close()  # as the system does when the process dies
        window = make_window()
        dialog = window.findChild(RecoveryDialog)
        assert dialog is not None
        QTest.mouseClick(
            next(b for b in dialog.findChildren(QPushButton) if b.text() == "Restore"), Qt.MouseButton.LeftButton
        )
        np.testing.assert_array_equal(pixels(window), painted)
        assert window.isWindowModified()

    def test_a_saved_painting_leaves_nothing_to_recover(self, window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
        stroke(window, (4, 56), (60, 56))
        assert window.files.autosave is not None
        window.files.autosave.save_now()
        window.commands["file.save"].trigger()
        answer_file_dialog(window, tmp_path / "a.smis", qtbot)
        with RecoveryFolder(tmp_path / "other"):
            assert not list((tmp_path / "data" / "recovery").glob("*/project.smis"))


def _luminance(color: str) -> float:
    parts = [(c / 255) for c in QColor(color).getRgb()[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colors", THEMES.values(), ids=THEMES.keys())
def test_text_stands_out_from_every_ground(colors: ThemeColors) -> None:
    """A contrast of 4.5 : 1 (WCAG 2.1, 1.4.3)."""
    for text in (colors.text, colors.muted, colors.accent, colors.danger):
        for ground in (colors.window, colors.surface):
            light, dark = sorted((_luminance(text), _luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    light, dark = sorted((_luminance(colors.accent_text), _luminance(colors.accent)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_theme_can_be_changed_and_is_remembered(window: MainWindow) -> None:
    window.commands["view.light"].setChecked(True)
    assert window.settings.value("window/theme") == "light"
    window.commands["view.light"].setChecked(False)


def test_a_project_says_which_model_it_was_painted_with(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
    project: Project = window.project_state.project()
    assert project.model_name == "Three colours"
    assert project.style.ws is not None
