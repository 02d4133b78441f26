"""A story for the screenshots: shots, labels and what was learned, the library, the style panel, a film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from scripts.driven_window import Story
from scripts.sample_workspace import sample_workspace
from smis_desktop.resources import default_model_path
from smis_desktop.ui.assistant.models_dialog import ModelsDialog
from smis_desktop.ui.assistant.window import LABELS, LEARNED, SHOTS, AssistantWindow
from smis_desktop.ui.dialogs.film_dialog import FilmDialog
from smis_desktop.ui.window.main_window import MainWindow

SHOTS_SHOWN = 4


def teaching(window: MainWindow, scratch: Path, save: Callable[[QWidget, str], None]) -> Story:
    """Yield the steps of the story. The window shows a painting with two kept pictures. scratch: an empty folder. save:
    saves a widget under a name."""
    window.commands["view.style"].setChecked(True)
    yield lambda: window.style_controller.panel.isVisible() and window.preview.is_up_to_date
    save(window.style_controller.panel, "style-panel")
    window.commands["view.style"].setChecked(False)
    window.commands["picture.film"].trigger()
    yield lambda: window.findChild(FilmDialog) is not None
    film = window.findChild(FilmDialog)
    assert film is not None
    save(film, "film")
    film.reject()

    assistant = window.workspaces.open(sample_workspace(scratch, "Faces of mine", SHOTS_SHOWN))
    assert assistant is not None
    yield from _steps(assistant, save)
    assistant.close()

    window.workspaces.library.add(default_model_path())
    window.commands["model.manage"].trigger()
    yield lambda: window.findChild(ModelsDialog) is not None
    models = window.findChild(ModelsDialog)
    assert models is not None
    yield lambda: not models.picture.pixmap().isNull()
    save(models, "models")
    models.reject()


def _steps(assistant: AssistantWindow, save: Callable[[QWidget, str], None]) -> Story:
    assistant.resize(1200, 800)
    assistant.open_step(SHOTS)
    assistant.shots.list.setCurrentRow(1)
    yield lambda: assistant.shots.list.count() == SHOTS_SHOWN
    save(assistant, "assistant-shots")
    assistant.open_step(LABELS)
    yield lambda: assistant.labels.controller.document is not None
    save(assistant, "assistant-labels")
    assistant.open_step(LEARNED)
    yield lambda: assistant.learned.list.count() > 0
    save(assistant, "assistant-learned")
