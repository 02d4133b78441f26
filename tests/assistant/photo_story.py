"""A person drops a photo on the window and repaints what was found in it.

Run as a program of its own on an X display: `python photo_story.py FOLDER PHOTO [ARGUMENTS OF THE PROGRAM]`. It leaves
`facts.json`.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from scripts.driven_window import Mouse, Story, on_screen, play
from smis_desktop.ui.assistant.framing import FramingDialog
from smis_desktop.ui.window import photo_start
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.workers.photo_inversion import photo_layout


def story(window: MainWindow, folder: Path, photo: Path) -> Story:
    photo_start.photo_layout = partial(photo_layout, steps=8)  # a look at the photo, not a search
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date
    _drop(window, photo)
    yield lambda: window.findChild(FramingDialog) is not None
    window.findChild(FramingDialog).accept()
    yield lambda: window.preview.is_up_to_date and _layers(window) > 1
    document = window.controller.document
    assert document is not None
    found, size = np.float32(window.preview_actions.pixels()), document.size
    facts = {"layers": [layer.name for layer in document.layers], "classes": [c.name for c in document.palette.classes]}

    window.classes.choose_row(1)
    window.options.set_tool("brush")
    window.options.set_diameter(size // 3)
    yield Mouse().stroke(on_screen(window, [(size * (0.2 + 0.6 * step / 20), size * 0.4) for step in range(21)]))
    yield lambda: window.controller.can_undo and not window.controller.is_painting
    yield lambda: window.preview.is_up_to_date
    moved = np.abs(np.float32(window.preview_actions.pixels()) - found).mean()
    facts["moved"] = float(moved / np.abs(found).mean())
    (folder / "facts.json").write_text(json.dumps(facts))


def _layers(window: MainWindow) -> int:
    return 0 if window.controller.document is None else len(window.controller.document.layers)


def _drop(window: MainWindow, path: Path) -> None:
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path))])
    action, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    middle = window.rect().center()
    QApplication.sendEvent(window, QDragEnterEvent(middle, action, dropped, left, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(middle), action, dropped, left, none))


if __name__ == "__main__":
    sys.exit(play(lambda window: story(window, Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3:], patience=300))
