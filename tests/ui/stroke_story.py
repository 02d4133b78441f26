"""A person opens the program, paints one stroke with the mouse, and closes it.

Run as a program of its own on an X display: `python stroke_story.py FOLDER [ARGUMENTS OF THE PROGRAM]`. It leaves
`before.png` and `after.png`, what the screen showed, and `regions.json`, where on them canvas and photograph are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from scripts.driven_window import Mouse, Story, middle_of, on_screen, play, save_screen
from smis_desktop.ui.window.main_window import MainWindow


def story(window: MainWindow, folder: Path) -> Story:
    mouse = Mouse()
    yield lambda: window.start_page.isVisible()
    yield mouse.click(middle_of(window.start_page.paint_button))
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date
    size = window.canvas.viewport.document_size
    start, end = (size * 0.2, size * 0.12), (size * 0.8, size * 0.2)
    hair = next(row for row, c in enumerate(window.controller.document.palette.classes) if c.name == "hair")  # type: ignore[union-attr]
    window.classes.choose_row(hair)
    window.options.set_diameter(size // 6)
    yield mouse.move(on_screen(window, [start])[0])
    save_screen(window, folder / "before.png")
    regions = {
        "canvas": _corners(window, window.canvas, window.canvas.rect()),
        "photograph": _corners(window, window.panel, window.panel.picture_rect()),
    }
    (folder / "regions.json").write_text(json.dumps(regions))
    steps = [tuple(a + (b - a) * n / 30 for a, b in zip(start, end, strict=True)) for n in range(31)]
    yield mouse.stroke(on_screen(window, steps))
    yield lambda: window.controller.can_undo and not window.controller.is_painting
    yield lambda: window.preview.is_up_to_date
    save_screen(window, folder / "after.png")


def _corners(window: MainWindow, widget: QWidget, rect: QRect) -> list[int]:
    """Left, top, right, bottom in the window's pictures, which begin at its corner."""
    corner = widget.mapTo(window, rect.topLeft())
    return [corner.x(), corner.y(), corner.x() + rect.width(), corner.y() + rect.height()]


if __name__ == "__main__":
    sys.exit(play(lambda window: story(window, Path(sys.argv[1])), sys.argv[2:]))
