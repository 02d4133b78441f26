"""A person repaints the example's photograph, undoes and redoes, keeps and returns, saves, and opens the project again.

Run as a program of its own on an X display: `python repaint_story.py paint|reopen FOLDER [ARGUMENTS OF THE PROGRAM]`.
`paint` leaves `NAME.npy`, the full picture of each moment, `NAME-mask.npy`, the mask of its last patch where there is
one, `painted.smis`, and `words.json`, what the status bar said. `reopen` opens the project and leaves `reopened.npy`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QLabel

from scripts.driven_window import Mouse, Story, middle_of, on_screen, play, save_screen
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.workers.preview_jobs import PicturePainted

_QUIET = 4.0
"""Seconds without another picture after which it rests: refinement has nothing better."""


class Moments:
    """Waits for the picture to rest, and writes what is seen then."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        self._window, self._folder = window, folder
        self._last = time.monotonic()
        self.words: dict[str, str] = {}
        window.preview.painted.connect(self._note)

    def at_rest(self) -> bool:
        """Whether the full picture of what is painted is on screen, and no better one comes."""
        preview, controller = self._window.preview, self._window.controller
        if not preview.is_up_to_date or controller.is_painting:
            self._last = time.monotonic()
        return time.monotonic() - self._last > _QUIET

    def restart(self) -> None:
        """Wait for quiet from now on."""
        self._last = time.monotonic()

    def write(self, name: str) -> None:
        window, composition = self._window, self._window.preview.beginning.composition
        assert window.preview.image is not None
        assert composition is not None
        np.save(self._folder / f"{name}.npy", qimage_to_picture(window.preview.image))
        if composition.patches:
            np.save(self._folder / f"{name}-mask.npy", composition.patches[-1].mask)
        shown = [label.text() for label in window.status.findChildren(QLabel)]
        self.words[name] = next(words for words in shown if words.startswith("Follows"))

    def _note(self, painted: PicturePainted) -> None:
        self._last = time.monotonic()


def painting(window: MainWindow, folder: Path) -> Story:
    mouse, moments = Mouse(), Moments(window, folder)

    def stroke(class_name: str, *points: tuple[float, float], width: float) -> Callable[[], bool]:
        """Paint from point to point; places are parts of the layout's side."""
        document = window.controller.document
        assert document is not None
        window.classes.choose_row([c.name for c in document.palette.classes].index(class_name))
        window.options.set_diameter(round(width * document.size))
        path = [
            ((a + (b - a) * n / 12) * document.size, (c + (d - c) * n / 12) * document.size)
            for (a, c), (b, d) in pairwise(points)
            for n in range(13)
        ]
        return mouse.stroke(on_screen(window, path))

    def after(name: str, act: Callable[[], object]) -> Story:
        moments.restart()
        act()
        yield moments.at_rest
        moments.write(name)

    yield lambda: window.start_page.isVisible()
    yield mouse.click(middle_of(window.start_page.paint_button))
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date
    yield from after("example", lambda: None)
    yield stroke("hair", (0.33, 0.3), (0.5, 0.25), (0.68, 0.3), width=0.13)
    yield from after("fringe", lambda: None)
    save_screen(window, folder / "fringe.png")
    yield from after("undone", window.commands["edit.undo"].trigger)
    yield from after("redone", window.commands["edit.redo"].trigger)
    window.commands["picture.keep"].trigger()
    yield stroke("hat", (0.3, 0.12), (0.5, 0.08), (0.7, 0.12), width=0.12)
    yield from after("hat", lambda: None)
    yield mouse.click(middle_of(window.repaint_actions.bar.follow_button))
    yield from after("followed", lambda: None)
    yield from after("unfollowed", window.commands["edit.undo"].trigger)
    item = window.history.item(0)
    yield from after("returned", lambda: window.history.itemClicked.emit(item))
    window.files.path = folder / "painted.smis"
    window.commands["file.save"].trigger()
    assert not window.isWindowModified()
    yield mouse.click(middle_of(window.repaint_actions.bar.keep_box))
    assert not window.preview.repainting.keeps_rest
    yield stroke("mouth", (0.45, 0.62), (0.55, 0.62), width=0.05)
    yield from after("off", lambda: None)
    save_screen(window, folder / "off.png")
    (folder / "words.json").write_text(json.dumps(moments.words))


def reopening(window: MainWindow, folder: Path) -> Story:
    moments = Moments(window, folder)
    yield moments.at_rest
    moments.write("reopened")


if __name__ == "__main__":
    chapter, where = {"paint": painting, "reopen": reopening}[sys.argv[1]], Path(sys.argv[2])
    sys.exit(play(lambda window: chapter(window, where), sys.argv[3:]))
