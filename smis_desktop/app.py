"""Builds the window from its parts, or renders the example layout where there is no display."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from smis_desktop import __version__
from smis_desktop.diagnostics.crash_marks import marked_as_running, take_crashes
from smis_desktop.diagnostics.log_file import kept_log
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import write_picture
from smis_desktop.formats.registry import read_layout
from smis_desktop.personal_model.library import read_palette
from smis_desktop.resources import MODEL_SUFFIX, default_model_path, example_layout_path
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.workers.preview_thread import STEPS_AT_REST
from smis_desktop.workers.renderer import open_renderer

if TYPE_CHECKING:
    from smis_desktop.ui.window.painting_benchmark import PaintingTimes

log = logging.getLogger(__name__)

EXAMPLE_PICTURE = "smis-example.png"
"""The file that is written to the current folder if there is no display."""

_SECONDS_TO_FINISH = 30.0


def main(argv: Sequence[str]) -> int:
    """Open the window and stay until it is closed; without a display, render the example layout to a file instead.

    Args:
        argv: The arguments without the program's name.

    Returns:
        The exit code: 0, or 2 when the person has to put something right first.
    """
    options = _options(argv)
    model, layout = _what_to_open(options)
    with kept_log(logging.INFO if options.verbose else logging.WARNING):
        log.info("SMIS Desktop %s begins on %s", __version__, platform.platform())
        try:
            if _has_display():
                return _run_window(model, layout)
            return _render_without_display(model, layout or example_layout_path())
        except UserError as error:
            print(error, file=sys.stderr)
            return 2


def measure_painting(model: Path, recording: Path, layout: Path | None) -> PaintingTimes:
    """Play a recording in a window while that model makes the preview; offscreen if there is no display.

    Args:
        layout: where painting begins, if not on an empty layout.
    """
    if not _has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    from smis_desktop.ui.window import painting_benchmark

    application = QApplication.instance() or QApplication(["smis"])
    times = painting_benchmark.measure_painting(open_renderer(model), recording, layout)
    application.processEvents()
    return times


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="smis", description="Open the painting window.")
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="a personal model (.smismodel), or a painting to open"
    )
    parser.add_argument("--model", type=Path, metavar="FILE", help="a personal model")
    parser.add_argument(
        "--layout", type=Path, metavar="FILE", help="a painting or layout to open, instead of the start page"
    )
    parser.add_argument("--verbose", action="store_true", help="log what the preview does to stderr")
    return parser.parse_args(argv)


def _what_to_open(options: argparse.Namespace) -> tuple[Path, Path | None]:
    """Return the model and the layout to open, if any. A file given without an option may be either of them."""
    model, layout, file = options.model, options.layout, options.file
    if file is not None and file.suffix.lower() == MODEL_SUFFIX:
        model = model or file
    else:
        layout = layout or file
    return model or default_model_path(), layout


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _render_without_display(model: Path, layout: Path) -> int:
    print(
        f"There is no display to open a window on, so the example layout is rendered to {EXAMPLE_PICTURE} instead.",
        file=sys.stderr,
    )
    label_map = read_layout(layout).label_map
    renderer = open_renderer(model)(_print_progress())

    from smis_desktop.inference.synthesizer import PictureRequest

    target = Path.cwd() / EXAMPLE_PICTURE
    write_picture(target, renderer.render(PictureRequest(label_map, size=renderer.full_size)).picture)
    print(target)
    return 0


def _print_progress() -> Callable[[str, float], None]:
    said = ""

    def progress(text: str, fraction: float) -> None:
        nonlocal said
        if text != said:
            said = text
            print(f"{text}…", file=sys.stderr)

    return progress


def _run_window(model: Path, layout: Path | None) -> int:
    from PySide6.QtCore import QCoreApplication, QSettings, Qt
    from PySide6.QtWidgets import QApplication

    from smis_desktop.ui.widgets.theme import THEMES, application_icon, apply_theme
    from smis_desktop.ui.window.document_files import OpenRequests
    from smis_desktop.ui.window.main_window import MainWindow
    from smis_desktop.ui.window.preview_controller import PreviewController

    # Keep every position of a fast stroke, also those that come while Python is busy elsewhere.
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents, False)
    application = QApplication.instance() or QApplication(["smis"])
    assert isinstance(application, QApplication)
    application.setApplicationName("SMIS Desktop")
    application.setDesktopFileName("smis-desktop")
    application.setWindowIcon(application_icon())
    settings = QSettings(str(data_folder() / "window.ini"), QSettings.Format.IniFormat)
    apply_theme(application, THEMES.get(str(settings.value("window/theme")), THEMES["dark"]))

    preview = PreviewController(open_renderer(model), refine_steps=STEPS_AT_REST)
    window = MainWindow(
        preview, open_renderer, example_layout_path(), random.Random(), settings, data_folder("paintings")
    )
    requests = OpenRequests(application, window.open_any)
    window.start(model, layout, read_palette(model))
    window.show()
    window.fault_reporting.show_crashes(take_crashes())
    with marked_as_running(), window.fault_reporting.catching(), _interrupt_closes(window.close):
        code = application.exec()
    application.removeEventFilter(requests)
    # The window is gone from the screen; a picture that is being rendered may take a moment to end.
    if not preview.close(_SECONDS_TO_FINISH):
        log.warning("the preview thread has not ended within %.0f s", _SECONDS_TO_FINISH)
        # Everything is saved. Shutting the interpreter down while a network runs would abort it: end at once.
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


@contextmanager
def _interrupt_closes(close: Callable[[], object]) -> Iterator[None]:
    """Let SIGINT (Ctrl+C in the terminal) and SIGTERM close the window as its own button would."""
    from PySide6.QtCore import QTimer

    def handler(number: int, frame: FrameType | None) -> None:
        close()

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    # Python runs signal handlers between its own instructions; while Qt waits for events there are none.
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(250)
    try:
        yield
    finally:
        heartbeat.stop()
        for number, previous in before.items():
            signal.signal(number, previous)
