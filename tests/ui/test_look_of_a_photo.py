"""A style from a photo: chosen, framed, looked for in the generator, worn."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtWidgets import QDialog, QDialogButtonBox
from pytestqt.qtbot import QtBot

from smis_desktop.generators.generator import Generator, latents_of_seed, to_rgb8
from smis_desktop.generators.store import open_generator
from smis_desktop.personal_model.model import write_personal_model
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.dialogs.photo_search import PhotoInversionDialog
from smis_desktop.ui.window import style_controller as style_controller_module
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.workers.photo_inversion import photo_inversion
from smis_desktop.workers.renderer import open_renderer
from tests.small_model import PALETTE, small_model
from tests.ui.acting import close_complaint, picture_on_screen, wait_until_finished
from tests.ui.conftest import MakeWindow


@pytest.fixture(scope="module")
def landscapes() -> Generator:
    return open_generator("landscapes")


@pytest.fixture
def photo(landscapes: Generator, tmp_path: Path) -> Path:
    """A landscape, as somebody's photo."""
    with torch.inference_mode():
        found = to_rgb8(landscapes.synthesis(latents_of_seed(landscapes, 3, 1.0)[None])[0])
    path = tmp_path / "holiday.png"
    Image.fromarray(found).resize((200, 200)).save(path)
    return path


@pytest.fixture
def painting(
    landscapes: Generator, make_window: MakeWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MainWindow:
    """A window with a real model of the landscapes; photos are looked for in a few steps."""
    monkeypatch.setattr(style_controller_module, "photo_inversion", functools.partial(photo_inversion, steps=3))
    model = tmp_path / "small.smismodel"
    write_personal_model(model, small_model(landscapes))
    made = make_window(open_first=open_renderer(model), palette=PALETTE)
    wait_until_finished(made, qtbot)
    return made


def _framed(window: MainWindow) -> None:
    dialog = window.findChild(FramingDialog)
    assert dialog is not None
    dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok).click()


def test_the_look_of_a_photo_is_worn_by_the_layout(painting: MainWindow, photo: Path, qtbot: QtBot) -> None:
    before, style_controller = picture_on_screen(painting), painting.style_controller
    style_controller.look_of_photo(photo, style_controller.style_model.choose_look)
    _framed(painting)
    qtbot.waitUntil(lambda: style_controller.style_model.style.look.ws is not None, timeout=120_000)
    assert style_controller.style_model.style.look.name == "holiday.png"
    wait_until_finished(painting, qtbot)
    assert (picture_on_screen(painting) != before).any()


def test_a_search_that_is_closed_changes_nothing(painting: MainWindow, photo: Path, qtbot: QtBot) -> None:
    before, style_controller = picture_on_screen(painting), painting.style_controller
    style = style_controller.style_model.style
    style_controller.look_of_photo(photo, style_controller.style_model.choose_look)
    _framed(painting)
    search = painting.findChild(PhotoInversionDialog)
    assert isinstance(search, QDialog)
    search.reject()
    qtbot.waitUntil(lambda: not search.isVisible())
    assert style_controller.style_model.style == style
    np.testing.assert_array_equal(picture_on_screen(painting), before)


def test_what_is_no_picture_is_refused(painting: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    style_controller = painting.style_controller
    style_controller.look_of_photo(tmp_path / "notes.png", style_controller.style_model.choose_look)
    assert "notes.png" in close_complaint(painting, qtbot)
    assert painting.findChild(FramingDialog) is None
