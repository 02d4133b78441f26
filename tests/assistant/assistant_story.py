"""A person teaches the program classes of their own, from the menu to painting with them.

Run as a program of its own on an X display: `python assistant_story.py FOLDER [ARGUMENTS OF THE PROGRAM]`. It leaves
`facts.json` with what was seen on the way. The generator is the small one of the tests, the mouse is real.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtWidgets import QDialogButtonBox, QListWidgetItem

from scripts.driven_window import Mouse, Story, middle_of, on_screen, play
from smis_desktop.training.events import TrainingRequest
from smis_desktop.ui.assistant import window as assistant_window
from smis_desktop.ui.assistant.label_page import LabelPage
from smis_desktop.ui.assistant.models_dialog import ModelsDialog
from smis_desktop.ui.assistant.new_model_dialog import NewModelDialog
from smis_desktop.ui.assistant.samples_dialog import SamplesDialog
from smis_desktop.ui.assistant.window import LABELS, LEARNED, TRAIN, AssistantWindow
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.workers.process import WorkerProcess
from smis_desktop.workers.training_process import training

Facts = dict[str, Any]


def briefly(order: TrainingRequest, deliver: Callable[[Any], None]) -> WorkerProcess:
    """The training in its own process as ever, of one round and a few steps."""
    return training(replace(order, samples=64, consistency_steps=60), deliver)


def story(window: MainWindow, folder: Path) -> Story:
    facts: Facts = {}
    mouse = Mouse()
    assistant_window.training = briefly
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date

    window.commands["model.new"].trigger()
    yield lambda: window.findChild(NewModelDialog) is not None
    beginning = window.findChild(NewModelDialog)
    beginning.name.setText("Things of mine")
    beginning.choose_generator("small")
    begin = beginning.buttons.button(QDialogButtonBox.StandardButton.Ok)
    yield mouse.click(middle_of(begin))
    yield lambda: len(window.workspaces.windows) == 1
    assistant = window.workspaces.windows[0]
    facts["generator"] = assistant.workspace.settings.generator
    facts["classes to begin with"] = assistant.workspace.palette.num_classes

    yield from _pick(assistant, mouse)
    facts["shots"] = [shot.name for shot in assistant.workspace.shots()]
    assistant.open_step(LABELS)
    for name in facts["shots"]:
        assistant.labels.show_shot(name)
        yield from _label(assistant.labels, mouse, name)

    assistant.open_step(LEARNED)
    yield lambda: assistant.learned.list.count() > 0
    facts["tried"] = assistant.learned.list.count()
    assistant.learned.list.setCurrentRow(0)
    yield mouse.click(middle_of(assistant.learned.correct_button))
    yield lambda: assistant.stack.currentIndex() == LABELS
    corrected = str(assistant.labels.choice.currentData())
    before = assistant.workspace.label(corrected)
    yield from _label(assistant.labels, mouse, corrected)
    assistant.labels.keep()
    facts["corrected"] = corrected
    facts["correction"] = float((assistant.workspace.label(corrected) != before).mean())
    assistant.open_step(LEARNED)
    yield lambda: assistant.learned.list.count() == facts["tried"]

    assistant.open_step(TRAIN)
    yield mouse.click(middle_of(assistant.train.train_button))
    yield lambda: assistant.is_training
    yield lambda: window.model.name == "Things of mine"  # with the encoder as it is by then
    facts["painted while training"] = assistant.is_training
    window.raise_()
    yield from _paint_on(window, mouse, facts)
    assistant.raise_()
    yield mouse.click(middle_of(assistant.train.use_button))
    yield lambda: not assistant.is_training
    yield lambda: window.model.path == assistant.workspace.model_path(window.workspaces.library.folder)
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date
    assistant.close()

    window.commands["model.manage"].trigger()
    yield lambda: window.findChild(ModelsDialog) is not None
    models = window.findChild(ModelsDialog)
    facts["library"] = [models.list.item(row).text() for row in range(models.list.count())]
    facts["has a picture"] = not models.picture.pixmap().isNull()
    models.reject()
    (folder / "facts.json").write_text(json.dumps(facts))


def _pick(assistant: AssistantWindow, mouse: Mouse) -> Story:
    """Two pictures of the sheet."""
    yield mouse.click(middle_of(assistant.shots.samples_button))
    yield lambda: assistant.findChild(SamplesDialog) is not None
    sheet = assistant.findChild(SamplesDialog)
    yield lambda: all(_is_shown(sheet.list.item(seed)) for seed in (0, 1))
    for row in (0, 1):
        sheet.list.item(row).setSelected(True)
    yield mouse.click(middle_of(sheet.buttons.button(QDialogButtonBox.StandardButton.Ok)))
    yield lambda: assistant.shots.list.count() == 2


def _is_shown(item: QListWidgetItem) -> bool:
    """Whether the picture has taken the place of the blank one."""
    return len(np.unique(qimage_to_picture(item.icon().pixmap(128, 128).toImage()))) > 8


def _label(page: LabelPage, mouse: Mouse, name: str) -> Story:
    """The ground with the bucket, a thing on it with the brush."""
    yield lambda: page.choice.currentData() == name and page.controller.document is not None
    document = page.controller.document
    assert document is not None
    size = document.size
    page.options.set_tool("bucket")
    page.classes.choose_row(0)
    page.options.set_tool("bucket")
    yield mouse.click(on_screen(page, [(size * 0.04, size * 0.04)])[0])
    yield lambda: 1 in document.label_map
    page.classes.choose_row(1)
    page.options.set_tool("brush")
    page.options.set_diameter(size // 3)
    before = document.snapshot()
    across = [(size * (0.3 + 0.4 * step / 20), size * 0.5) for step in range(21)]
    yield mouse.stroke(on_screen(page, across))
    yield lambda: not page.controller.is_painting and bool((document.snapshot() != before).any())


def _paint_on(window: MainWindow, mouse: Mouse, facts: Facts) -> Story:
    """A stroke with the new classes changes the photograph."""
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date
    document = window.controller.document
    assert document is not None
    facts["classes"] = [c.name for c in document.palette.classes]
    before = window.preview_actions.pixels()
    window.classes.choose_row(1)
    window.options.set_diameter(document.size // 4)
    size = document.size
    yield mouse.stroke(on_screen(window, [(size * (0.2 + 0.6 * step / 20), size * 0.2) for step in range(21)]))
    yield lambda: window.controller.can_undo and not window.controller.is_painting
    yield lambda: window.preview.is_up_to_date and window.preview.shown_ws is not None
    facts["photograph followed"] = not np.array_equal(window.preview_actions.pixels(), before)


if __name__ == "__main__":
    sys.exit(play(lambda window: story(window, Path(sys.argv[1])), sys.argv[2:], patience=300))
