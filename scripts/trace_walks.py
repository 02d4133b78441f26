"""Shows which files one stroke and one shot go through: `python scripts/trace_walks.py [--json] [stroke|shot]`.

The real program runs in this process, offscreen, with a profile function on every Python thread. It notes each file of
the package that a Python call enters, in the order of the first entries, and ends with 1 when a main path is longer
than `MOST_FILES`.

- **stroke**: from the press of the pointer on the canvas, over two moves and the release, until the preview pane has
  painted the first changed picture (a draft). Everything that listens to the stroke counts.
- **shot**: from the reading of a folder with one labelled photo, through inversion, label transfer, pseudo labels and
  the training of the encoder, to the written model: `smis train` with few steps and small batches. The function that
  reads the folder and the one that calls it come first.

What does not count:

- code that runs while a module is imported;
- the opening of networks (`OPENING`), which is start-up even where a command does it in the middle;
- timers of `PUT_OFF_MS` and more, which wait for a pause in painting: they are held back during the walk;
- what an idle window does as well: functions that Qt called while it was not used.

Methods that a dataclass generates count for the file that defines it.

The main path leaves out the files of `OFF_PATH`: the exception for people, package files, the log, the display of
progress, and the safe writing of files. A small file is no reason to leave it out.

A *return* is a step to a file that was entered before. Each pair of calling and called file counts once, so that loops
do not count.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))
os.environ["QT_QPA_PLATFORM"] = "offscreen"
for _variable in ("DISPLAY", "WAYLAND_DISPLAY"):
    os.environ.pop(_variable, None)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, Qt, QTimer  # noqa: E402
from PySide6.QtGui import QMouseEvent  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from scripts.call_recorder import QUIET_SECONDS, Recorder, Walk  # noqa: E402
from scripts.driven_window import Story, play  # noqa: E402
from smis_desktop import main as program  # noqa: E402
from smis_desktop.document.palette import Palette  # noqa: E402
from smis_desktop.formats.image_file import encode_label_map  # noqa: E402
from smis_desktop.storage.data_folder import data_folder  # noqa: E402
from smis_desktop.training.training import TrainingSettings  # noqa: E402
from smis_desktop.ui.canvas.canvas import Canvas  # noqa: E402
from smis_desktop.ui.window.main_window import MainWindow  # noqa: E402

PACKAGE = CHECKOUT / "smis_desktop"
MOST_FILES = {"stroke": 29, "shot": 29}
OPENING = frozenset({"open_generator", "open_perceptual", "open_perceptual_distance", "open_chosen_backend"})
"""Functions that open networks."""
OFF_PATH = frozenset({
    "errors.py", "__init__.py",
    "log_file.py",
    "console.py", "training_progress.py",
    "atomic.py",
})  # fmt: skip
SHOT_BEGINS, SHOT_ENDS = "read_shots", "write_personal_model"
PUT_OFF_MS = 100
FEW_STEPS: dict[str, Any] = {
    "encoder_width": 8, "steps_per_round": 2, "batch_size": 4, "consistency_steps": 2, "consistency_batch_size": 2,
}  # fmt: skip
"""Of `TrainingSettings`: a training of moments that goes through every stage."""


# The stroke


class _Paints(QObject):
    """Counts the paint events of a widget."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


class _HeldTimers(QObject):
    """Holds back timers that wait for a pause in painting."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        is_timer = event.type() == QEvent.Type.Timer and isinstance(watched, QTimer)
        return is_timer and watched.interval() >= PUT_OFF_MS  # type: ignore[attr-defined]


def walk_stroke(model: Path | None = None) -> Walk:
    """Paint one stroke in the program's own window. model: the model to paint with (default: the shipped one)."""
    recorder = Recorder(PACKAGE, OPENING)
    walks: list[Walk] = []

    def story(window: MainWindow) -> Story:
        yield lambda: window.start_page.isVisible()
        window.start_page.paint_button.click()
        yield lambda: window.preview.is_ready and window.preview.is_up_to_date
        size = window.canvas.viewport.document_size
        window.classes.choose_row(2)
        window.options.set_diameter(size // 6)
        places = [QPointF(*window.canvas.viewport.to_view(size * x, size * 0.2)) for x in (0.3, 0.4, 0.6)]
        _send(window.canvas, QEvent.Type.MouseMove, places[0], is_down=False)
        yield recorder.is_quiet
        recorder.learn_idle(True)
        until = time.monotonic() + QUIET_SECONDS
        yield lambda: time.monotonic() > until
        recorder.learn_idle(False)
        paints, held = _Paints(), _HeldTimers()
        window.panel.installEventFilter(paints)
        with recorder.observing():
            before = window.panel.grab().toImage()
        seen = paints.count

        def picture_has_changed() -> bool:
            nonlocal seen
            if paints.count == seen:
                return False
            with recorder.observing():
                now = window.panel.grab().toImage()
            seen = paints.count
            return now != before

        application = QCoreApplication.instance()
        assert application is not None
        application.installEventFilter(held)
        walks.append(recorder.begin())
        _send(window.canvas, QEvent.Type.MouseButtonPress, places[0])
        yield lambda: True
        for place in places[1:]:
            _send(window.canvas, QEvent.Type.MouseMove, place)
            yield lambda: True
        _send(window.canvas, QEvent.Type.MouseButtonRelease, places[-1], is_down=False)
        yield lambda: True
        yield picture_has_changed
        recorder.end()
        application.removeEventFilter(held)

    with recorder.installed():
        play(story, [] if model is None else ["--model", str(model)])
    return walks[0]


def _send(canvas: Canvas, kind: QEvent.Type, place: QPointF, is_down: bool = True) -> None:
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    held = Qt.MouseButton.LeftButton if is_down else Qt.MouseButton.NoButton
    event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


# The shot


def walk_shot() -> Walk:
    """Train a model from one labelled photo with `smis train`. Raises SystemExit when the command fails."""
    recorder = Recorder(PACKAGE, OPENING)
    walks: list[Walk] = []

    def called(name: str) -> None:
        if name == SHOT_BEGINS and not walks:
            walks.append(recorder.begin(depth=2))

    def returned(name: str) -> None:
        if name == SHOT_ENDS:
            recorder.end()

    recorder.on_call, recorder.on_return = called, returned
    errors = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, _small_trainings():
        shots, out = _labelled_photo(Path(folder) / "shots"), Path(folder) / "model.smismodel"
        words = ["train", shots, "--out", out, "--samples", 8, "--inversion-steps", 2]
        with recorder.installed(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            code = program.main([str(word) for word in words])
    if code:
        raise SystemExit(errors.getvalue())
    return walks[0]


def _labelled_photo(folder: Path) -> Path:
    """Make a shots folder: a colourful picture of nothing with a disc as its label."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    coarse = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC).save(folder / "images" / "photo.png")
    rows, columns = np.mgrid[:256, :256] / 256 - 0.5
    label_map = np.where(rows**2 + columns**2 < 0.16, 1, 2).astype(np.uint8)
    (folder / "labels" / "photo.png").write_bytes(encode_label_map(label_map, Palette(())))
    return folder


@contextlib.contextmanager
def _small_trainings() -> Iterator[None]:
    """Use the settings of `FEW_STEPS` where none are given."""
    original = TrainingSettings.__init__

    def small(self: TrainingSettings, **given: Any) -> None:
        original(self, **(FEW_STEPS | given))

    TrainingSettings.__init__ = small  # type: ignore[method-assign]
    try:
        yield
    finally:
        TrainingSettings.__init__ = original  # type: ignore[method-assign]


# The command


@contextlib.contextmanager
def _own_data_folder() -> Iterator[None]:
    """Use a data folder with the installed networks and nothing of a person's."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("generators", "networks", "backends"):
            (Path(folder) / part).symlink_to(data_folder(part))
        before = os.environ.get("SMIS_DATA_DIR")
        os.environ["SMIS_DATA_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["SMIS_DATA_DIR"]
            if before is not None:
                os.environ["SMIS_DATA_DIR"] = before


def _main_path(walk: Walk) -> list[str]:
    """Return the files that a reader of the story has to open."""
    return [file for file in walk.files if Path(file).name not in OFF_PATH]


def _facts(walk: Walk) -> dict[str, Any]:
    return {
        "files": [{"file": file, "first": function} for file, function in walk.files.items()],
        "entered": len(walk.files),
        "main_path": len(_main_path(walk)),
        "returns": walk.returns,
        "calls_between_files": sum(walk.steps.values()),
        "opening_only": sorted(walk.opening - set(walk.files)),
        "idle": sorted(walk.idle),
    }


def _print(name: str, walk: Walk, with_functions: bool) -> None:
    print(f"{name}: order, file: first function entered")
    for order, (file, function) in enumerate(walk.files.items(), 1):
        print(f"{order:4}  {file}: {function}{'  (off the path)' if Path(file).name in OFF_PATH else ''}")
        if with_functions:
            callers = [caller or "Qt or a thread" for caller, called in walk.steps if called == file]
            print(f"        called from {', '.join(callers)}\n        {', '.join(walk.functions[file])}")
    facts = _facts(walk)
    print(f"{facts['entered']} files, {facts['main_path']} of them on the main path; {facts['returns']} returns, "
          f"{facts['calls_between_files']} calls from file to file")  # fmt: skip
    if facts["opening_only"]:
        print(f"entered only to open networks: {', '.join(facts['opening_only'])}")
    if facts["idle"]:
        print(f"left out, as an idle window does it too: {', '.join(facts['idle'])}")


def main() -> int:
    """Record the walks, and print them."""
    parser = argparse.ArgumentParser(description="Show which files one stroke and one shot go through.")
    parser.add_argument("walk", nargs="?", choices=("stroke", "shot"), help="which one (default: both)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--functions", action="store_true", help="list all functions that ran, and who calls a file")
    parser.add_argument("--model", type=Path, help="the personal model to paint with (default: the one that ships)")
    parser.add_argument("--backend", default="torch", help="the backend (default: torch, the reference)")
    options = parser.parse_args()
    os.environ["SMIS_BACKEND"] = options.backend
    walks = {}
    with _own_data_folder():
        if options.walk != "shot":
            walks["stroke"] = walk_stroke(options.model)
        if options.walk != "stroke":
            walks["shot"] = walk_shot()
    if options.json:
        print(json.dumps({name: _facts(walk) for name, walk in walks.items()}))
    else:
        for name, walk in walks.items():
            _print(name, walk, options.functions)
    return 1 if any(len(_main_path(walk)) > MOST_FILES[name] for name, walk in walks.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
