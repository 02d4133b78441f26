"""Makes the pictures of the program in docs/images: `python scripts/screenshots.py`.

Needs Xvfb and xdotool (Debian packages of these names). The program is run as it is, with a real mouse, on a display of
its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtWidgets import QLabel, QWidget

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from scripts.driven_window import Mouse, Story, StoryFailed, middle_of, on_screen, play, save_screen  # noqa: E402
from scripts.teaching_story import teaching  # noqa: E402
from scripts.virtual_display import virtual_display  # noqa: E402
from smis_desktop.document.brush import Point  # noqa: E402
from smis_desktop.storage.data_folder import data_folder  # noqa: E402
from smis_desktop.ui.dialogs.key_dialogs import CheatSheet  # noqa: E402
from smis_desktop.ui.window.main_window import MainWindow  # noqa: E402

PICTURES = CHECKOUT / "docs" / "images"
WIDTH, HEIGHT = 1440, 900
SCALE = int(os.environ.get("QT_SCALE_FACTOR", "1"))


def painting(window: MainWindow) -> Story:
    """Show the start page, then the example layout with a fringe on its own layer in another style, then the light
    theme."""
    mouse = Mouse()
    yield lambda: window.start_page.isVisible() and window.preview.is_ready
    save_screen(window, _picture("start"))
    yield mouse.click(middle_of(window.start_page.paint_button))
    yield lambda: window.preview.is_up_to_date
    window.commands["picture.keep"].trigger()
    window.commands["layers.add"].trigger()
    document = window.controller.document
    assert document is not None, "a picture was made of nothing"
    rows = [c.name for c in document.palette.classes]
    window.classes.choose_row(rows.index("hair"))
    window.options.set_diameter(document.size // 7)
    yield mouse.stroke(on_screen(window, _fringe(document.size)))
    yield lambda: window.controller.can_undo and not window.controller.is_painting
    yield mouse.move(on_screen(window, [(document.size * 0.72, document.size * 0.3)])[0])
    yield lambda: window.preview.is_up_to_date
    _hide_latency(window)
    save_screen(window, _picture("painting"))
    yield mouse.click(middle_of(window.style_controller.bar.new_style_button))
    yield lambda: window.style_controller.style_model.style.look.seed != 0 and window.preview.is_up_to_date
    save_screen(window, _picture("new-style"))
    window.commands["view.light"].setChecked(True)
    window.commands["edit.mirror"].setChecked(True)
    window.options.set_tool("bucket")
    yield mouse.move(on_screen(window, [(document.size * 0.9, document.size * 0.1)])[0])
    save_screen(window, _picture("light"))
    window.commands["help.shortcuts"].trigger()
    yield lambda: window.findChild(CheatSheet) is not None
    sheet = window.findChild(CheatSheet)
    sheet.grab().save(str(_picture("keys")))
    sheet.reject()
    window.commands["view.light"].setChecked(False)
    window.commands["edit.mirror"].setChecked(False)
    window.options.set_tool("brush")
    window.commands["picture.keep"].trigger()
    with tempfile.TemporaryDirectory() as scratch:
        yield from teaching(window, Path(scratch), _save)


def _hide_latency(window: MainWindow) -> None:
    """Hide how long the last preview took: this machine renders, grabs and moves the mouse at the same time."""
    for label in window.statusBar().findChildren(QLabel):
        if label.text().startswith("Preview "):
            label.hide()


def _save(widget: QWidget, name: str) -> None:
    if isinstance(widget, MainWindow):
        save_screen(widget, _picture(name))
    elif not widget.grab().save(str(_picture(name))):
        raise StoryFailed(f"{_picture(name)} cannot be written")


@contextmanager
def data_of_their_own() -> Iterator[None]:
    """Use a separate data folder, so that the pictures show nothing of the person's and nothing is added to it.

    The networks are those that are installed already.
    """
    networks = {part: data_folder(part) for part in ("generators", "networks")}
    with tempfile.TemporaryDirectory(prefix="smis-screenshots-") as folder:
        for part, path in networks.items():
            (Path(folder) / part).symlink_to(path, target_is_directory=True)
        os.environ["SMIS_DATA_DIR"] = folder
        yield


def _picture(name: str) -> Path:
    """Return the path of a picture: `name.png`, or `name@2x.png` on a screen of double density."""
    return PICTURES / (f"{name}.png" if SCALE == 1 else f"{name}@{SCALE}x.png")


def _fringe(size: int) -> list[Point]:
    """Return the outline of a fringe: from temple to temple, an arc above the brows."""
    across = [2 * step / 40 - 1 for step in range(41)]
    return [(size * (0.505 + 0.185 * t), size * (0.245 + 0.065 * t * t)) for t in across]


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    if SCALE == 1:
        subprocess.run([sys.executable, __file__], env={**os.environ, "QT_SCALE_FACTOR": "2"}, check=True)
    with data_of_their_own(), virtual_display(WIDTH * SCALE, HEIGHT * SCALE) as display:
        os.environ |= {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        sys.exit(play(painting, sys.argv[1:]))
