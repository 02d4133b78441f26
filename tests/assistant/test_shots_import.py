"""Labelled photos from elsewhere, brought into a workspace: by the folder's own door, and by the page's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.training.shots import GeneratedPicture, GeneratedPictures, write_generated_pictures
from smis_desktop.training.shots_import import import_shots
from smis_desktop.training.workspace import Workspace, WorkspaceSettings
from smis_desktop.ui.assistant.import_shots_dialog import ImportShotsDialog
from smis_desktop.ui.assistant.label_page import LabelPage
from smis_desktop.ui.assistant.shots_page import ShotsPage
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from tests.assistant.conftest import CLASSES, picture_and_label
from tests.cli.conftest import files_below

OTHER_WEIGHTS = "f" * 64
WAIT = 20_000


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workshops", WorkspaceSettings("Things", "small"), CLASSES)


def shots_folder(path: Path, labels: dict[str, np.ndarray], classes: dict[int, str] | None = None) -> Path:
    """Photos of noise at 96², with these labels."""
    for part in ("images", "labels"):
        (path / part).mkdir(parents=True)
    for seed, (name, label) in enumerate(labels.items()):
        noise = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), np.uint8)
        Image.fromarray(noise).save(path / "images" / f"{name}.png")
        Image.fromarray(label).save(path / "labels" / f"{name}.png")
    if classes is not None:
        entries = [{"id": number, "name": name} for number, name in classes.items()]
        (path / "classes.json").write_text(json.dumps({"classes": entries}))
    return path


def halves(upper: int, lower: int, side: int = 48) -> np.ndarray:
    return np.repeat(np.array([upper, lower], np.uint8), side // 2)[:, None].repeat(side, 1)


def scribble(class_id: int) -> np.ndarray:
    label = np.zeros((96, 96), np.uint8)
    label[40:43, 20:70] = class_id
    return label


def ids_and_names(workspace: Workspace) -> dict[int, str]:
    return {c.class_id: c.name for c in workspace.palette.classes}


class TestBringing:
    def test_the_first_labels_bring_their_classes_whole(self, empty: Workspace, tmp_path: Path) -> None:
        labels = {"anna": halves(0, 7), "ben": halves(7, 0), "left out": halves(3, 3)}
        folder = shots_folder(tmp_path / "given", labels, {0: "sky", 7: "sea"})
        assert import_shots(empty, folder, ("anna", "ben"), "dense") == ("anna", "ben")
        assert ids_and_names(empty) == {0: "sky", 7: "sea"}
        for name in ("anna", "ben"):
            np.testing.assert_array_equal(empty.label(name), labels[name])
        assert [(shot.name, shot.is_labelled, shot.is_located) for shot in empty.shots()] == [
            ("anna", True, False),
            ("ben", True, False),
        ]
        assert empty.settings.label_kind == "dense"

    def test_in_scribbles_nothing_becomes_255(self, empty: Workspace, tmp_path: Path) -> None:
        folder = shots_folder(tmp_path / "given", {"cat": scribble(4)})
        import_shots(empty, folder, ("cat",), "sparse")
        assert empty.settings.label_kind == "sparse"
        label = empty.label("cat")
        assert label is not None
        np.testing.assert_array_equal(label == 4, scribble(4) == 4)
        assert set(np.unique(label)) == {4, 255}
        assert ids_and_names(empty) == {4: "class 4"}

    def test_later_labels_add_to_the_classes(self, workspace: Workspace, tmp_path: Path) -> None:
        folder = shots_folder(tmp_path / "given", {"anna": halves(2, 9)}, {9: "hat"})
        import_shots(workspace, folder, ("anna",), "dense")
        assert ids_and_names(workspace) == {1: "ground", 2: "thing", 9: "hat"}
        assert len(workspace.shots()) == 3

    @pytest.mark.parametrize(
        ("classes", "words"),
        [({2: "somebody"}, "class 2 'somebody'.*'thing'"), ({2: "thing", 9: "ground"}, "'ground'.*class 1.*class 9")],
    )
    def test_classes_at_odds_are_refused_and_nothing_is_brought(
        self, workspace: Workspace, tmp_path: Path, classes: dict[int, str], words: str
    ) -> None:
        folder = shots_folder(tmp_path / "given", {"anna": halves(2, 9)}, classes)
        before = files_below(workspace.path)
        with pytest.raises(UserError, match=words):
            import_shots(workspace, folder, ("anna",), "dense")
        assert files_below(workspace.path) == before

    def test_a_disk_that_refuses_leaves_it_as_it_was(
        self, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = shots_folder(tmp_path / "given", {"anna": halves(2, 1), "ben": halves(1, 2)})
        before = files_below(workspace.path)
        write = Workspace.set_label

        def full(self: Workspace, name: str, label_map: np.ndarray) -> None:
            if name == "ben":
                raise UserError("The disk is full.")
            write(self, name, label_map)

        monkeypatch.setattr(Workspace, "set_label", full)
        with pytest.raises(UserError, match="full"):
            import_shots(workspace, folder, ("anna", "ben"), "dense")
        assert files_below(workspace.path) == before

    @pytest.mark.parametrize("is_known", [False, True])
    def test_pictures_of_the_generator_need_no_search(
        self, empty: Workspace, tmp_path: Path, small: MobileStyleGAN, is_known: bool
    ) -> None:
        """is_known: whether the generator was open before, so that the workspace knows its weights."""
        if is_known:
            empty.change(generator_sha256=small.weights_sha256)
        folder = shots_folder(tmp_path / "given", {"own": halves(1, 2), "photo": halves(1, 2)})
        picture, _ = picture_and_label(small, 5)
        Image.fromarray(picture).save(folder / "images" / "own.png")
        listed = GeneratedPictures("small", small.weights_sha256, (GeneratedPicture("own", 5, 1.0),))
        write_generated_pictures(folder, listed)
        import_shots(empty, folder, ("own", "photo"), "dense")
        assert {shot.name: shot.seed for shot in empty.shots()} == {"own": 5, "photo": None}
        empty.change(generator_sha256=small.weights_sha256)
        assert {shot.name: shot.seed for shot in empty.shots()} == {"own": 5, "photo": None}
        empty.change(generator_sha256=OTHER_WEIGHTS)
        assert {shot.name: shot.seed for shot in empty.shots()} == {"own": None, "photo": None}
        assert empty.add_generated(picture, 6, 1.0) == "seed-000006"
        assert {shot.name: shot.seed for shot in empty.shots()} == {"own": None, "photo": None, "seed-000006": 6}

    def test_a_list_of_another_generator_is_passed_over(self, workspace: Workspace, tmp_path: Path) -> None:
        folder = shots_folder(tmp_path / "given", {"own": halves(1, 2)})
        write_generated_pictures(folder, GeneratedPictures("x", OTHER_WEIGHTS, (GeneratedPicture("own", 5, 1.0),)))
        import_shots(workspace, folder, ("own",), "dense")
        assert [shot.seed for shot in workspace.shots()] == [None, 1, 2]


@pytest.fixture
def host(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def page(qtbot: QtBot, host: QWidget, empty: Workspace) -> ShotsPage:
    made = ShotsPage(empty, FileDialogs(host))
    qtbot.addWidget(made)
    return made


def drop(page: ShotsPage, *paths: Path) -> None:
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    action = Qt.DropAction.CopyAction
    entering = QDragEnterEvent(QPoint(40, 40), action, dropped, left, none)
    QApplication.sendEvent(page, entering)
    assert entering.isAccepted()
    QApplication.sendEvent(page, QDropEvent(QPointF(40, 40), action, dropped, left, none))


def ready_dialog(page: ShotsPage, qtbot: QtBot) -> ImportShotsDialog:
    """The import's dialog, once it has read everything."""
    found = [dialog for dialog in page.findChildren(ImportShotsDialog) if dialog.isVisible()]
    assert len(found) == 1, "one dialog at a time"
    qtbot.waitUntil(lambda: "Reading" not in found[0].words.text(), timeout=WAIT)
    return found[0]


def ok(dialog: ImportShotsDialog) -> bool:
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_a_dropped_folder_is_imported_and_its_photos_are_searched_for(
    qtbot: QtBot, page: ShotsPage, empty: Workspace, tmp_path: Path
) -> None:
    folder = shots_folder(tmp_path / "given", {"anna": halves(3, 7), "ben": halves(7, 3)}, {3: "sky", 7: "sea"})
    wanted: list[str] = []
    page.inversion_wanted.connect(lambda name, start: wanted.append(name))
    drop(page, folder)
    dialog = ready_dialog(page, qtbot)
    assert dialog.label_kind == "dense"
    with qtbot.waitSignal(page.changed):
        dialog.accept()
    assert wanted == ["anna", "ben"]
    assert [page.list.item(row).text() for row in range(page.list.count())] == ["searching, labelled"] * 2
    assert ids_and_names(empty) == {3: "sky", 7: "sea"}


def test_the_button_imports_scribbles_of_which_five_are_taken(
    qtbot: QtBot, host: QWidget, page: ShotsPage, empty: Workspace, tmp_path: Path
) -> None:
    folder = shots_folder(tmp_path / "given", {f"cat {number}": scribble(4) for number in range(1, 8)})
    (folder / "labels" / "cat 2.png").write_text("no picture")
    page.import_button.click()
    chooser = host.findChild(QFileDialog)
    assert chooser is not None
    chooser.fileSelected.emit(str(folder))
    chooser.reject()
    dialog = ready_dialog(page, qtbot)
    assert dialog.label_kind == "sparse"
    assert dialog.chosen == ("cat 1", "cat 3", "cat 4", "cat 5")
    assert "cat 2.png" in dialog.words.text()
    for row in (5, 6):
        dialog.list.item(row).setCheckState(Qt.CheckState.Checked)
    assert not ok(dialog), "six are one too many"
    dialog.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert ok(dialog)
    dialog.accept()
    assert [shot.name for shot in empty.shots()] == [f"cat-{number}" for number in range(3, 8)]
    assert empty.settings.label_kind == "sparse"


def test_a_folder_without_labels_is_said_and_the_next_goes_on(
    qtbot: QtBot, host: QWidget, page: ShotsPage, tmp_path: Path
) -> None:
    (tmp_path / "holiday").mkdir()
    folder = shots_folder(tmp_path / "given", {"anna": halves(3, 7)})
    drop(page, tmp_path / "holiday", folder)
    complaint = host.findChild(QMessageBox)
    assert complaint is not None
    assert "images/" in complaint.text()
    complaint.close()
    ready_dialog(page, qtbot).reject()


def test_the_label_page_shows_what_an_import_brought(
    qtbot: QtBot, host: QWidget, page: ShotsPage, empty: Workspace, tmp_path: Path
) -> None:
    empty.add_photo("anna", np.full((64, 64, 3), 90, np.uint8))
    labels = LabelPage(empty, FileDialogs(host), QSettings(str(tmp_path / "keys.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(labels)
    labels.fill()
    assert labels.controller.document is not None
    assert labels.controller.document.palette == CLASSES
    folder = shots_folder(tmp_path / "given", {"ben": scribble(4)}, {0: "nothing", 4: "tail"})
    import_shots(empty, folder, ("ben",), "sparse")
    labels.fill()
    assert labels.choice.currentData() == "anna"
    assert labels.controller.document.palette == Palette((SemanticClass(4, "tail", empty.palette.by_id(4).color),))
    assert labels.kind.currentData() == "sparse"
    labels.keep()
    assert ids_and_names(empty) == {4: "tail"}


def test_another_photo_under_a_removed_ones_name_is_shown_with_its_own_label(
    qtbot: QtBot, host: QWidget, workspace: Workspace, tmp_path: Path
) -> None:
    labels = LabelPage(workspace, FileDialogs(host), QSettings(str(tmp_path / "keys.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(labels)
    labels.show_shot("seed-000001")
    workspace.remove_shot("seed-000001")
    assert workspace.add_photo("seed-000001", np.zeros((64, 64, 3), np.uint8)) == "seed-000001"
    labels.fill()
    assert labels.controller.document is not None
    assert (labels.controller.document.snapshot() == 255).all(), "the removed one's label is gone"
    labels.keep()
    assert workspace.label("seed-000001") is None
