"""Paints in the real window while a training runs: `python scripts/soak.py [--minutes 30]`; exits with 1 on a fault.

The window is the program's own, offscreen unless there is a display. The training learns from the labelled faces that
ship, in its own process, and its newest encoder is swapped into the window as the assistant does. Strokes come as mouse
events, at the pace of a person. At the end it prints JSON: how much memory the window's process has gained a minute
(straight line fitted to the resident memory after the warm-up), and how long pointer events took to be painted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))
if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
from PySide6.QtCore import QEvent, QEventLoop, QPointF, Qt  # noqa: E402
from PySide6.QtGui import QMouseEvent  # noqa: E402
from PySide6.QtWidgets import QApplication, QMessageBox  # noqa: E402

from scripts.driven_window import Story, StoryFailed, play  # noqa: E402
from scripts.sample_workspace import sample_workspace  # noqa: E402
from smis_desktop.document.brush import Point  # noqa: E402
from smis_desktop.malloc import keep_freed_memory  # noqa: E402
from smis_desktop.training.events import ModelImproved, TrainingRequest  # noqa: E402
from smis_desktop.ui.window.main_window import MainWindow  # noqa: E402
from smis_desktop.workers.process import WorkEnded, WorkFailed  # noqa: E402
from smis_desktop.workers.training_process import TrainingStep, training  # noqa: E402

GROWTH = 1.0
"""MiB a minute that the window's process may gain at most, unless --growth says otherwise: the undo of every stroke is
kept, and the allocator rounds up."""
STROKE_P99 = 33.0
"""Milliseconds from a pointer event to painted pixels."""
WARM_UP = 0.3
"""Share of the time that does not count for memory: both models open, caches filled."""
SHOTS = 5
ENDLESS = 5_000_000
"""Samples: the training is ended with the soak."""


@dataclass
class Seen:
    """Measurements of the soak so far. memory: (seconds, MiB). strokes: milliseconds of each pointer event."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    events: list[float] = field(default_factory=list)
    strokes: int = 0
    swaps: int = 0
    steps: int = 0
    failure: str = ""


def soak(window: MainWindow, folder: Path, minutes: float, seed: int, seen: Seen) -> Story:
    """Paint until the time is over, then quit."""
    yield lambda: window.start_page.isVisible()
    window.start_page.paint_button.click()
    yield lambda: window.preview.is_ready and window.preview.is_up_to_date

    messages: list[Any] = []
    workspace = sample_workspace(folder, "Soak", SHOTS)
    order = TrainingRequest(
        workspace.labelled_folder(), folder / "soak.smismodel", "faces", "Soak", samples=ENDLESS, seed=seed
    )
    trained = training(order, messages.append)
    trained.start()
    draws = random.Random(seed)
    began = time.monotonic()
    next_look = 0.0
    try:
        while (now := time.monotonic() - began) < 60 * minutes:
            if now >= next_look:
                seen.memory.append((now, _resident_mib()))
                next_look = now + 2
            for message in _taken(messages):
                if isinstance(message, ModelImproved):
                    window.model.open(message.path)
                    seen.swaps += 1
                elif isinstance(message, TrainingStep):
                    seen.steps += 1
                elif isinstance(message, WorkFailed | WorkEnded):
                    raise StoryFailed(f"the training ended: {message}")
            for _ in _stroke(window, draws, seen):
                yield lambda: True
            pause = time.monotonic() + draws.uniform(0.1, 1.2)
            yield lambda pause=pause: time.monotonic() >= pause
    finally:
        trained.cancel()
    window.close()
    box = window.findChild(QMessageBox)
    if box is not None:
        box.button(QMessageBox.StandardButton.Discard).click()


def _stroke(window: MainWindow, draws: random.Random, seen: Seen) -> Iterator[None]:
    """Paint one stroke in another class and width, an event at each turn; sometimes undo it."""
    document = window.controller.document
    if document is None:
        raise StoryFailed("nothing is open to paint on")
    size = window.canvas.viewport.document_size
    window.classes.choose_row(draws.randrange(len(document.palette.classes)))
    window.options.set_diameter(draws.randint(max(2, size // 64), size // 8))
    x, y = draws.uniform(0.1, 0.9) * size, draws.uniform(0.1, 0.9) * size
    heading = draws.uniform(-np.pi, np.pi)
    _timed(window, QEvent.Type.MouseButtonPress, (x, y), seen)
    for _ in range(draws.randint(8, 40)):
        yield
        heading += draws.uniform(-0.5, 0.5)
        x = float(np.clip(x + np.cos(heading) * size / 60, 0, size - 1))
        y = float(np.clip(y + np.sin(heading) * size / 60, 0, size - 1))
        _timed(window, QEvent.Type.MouseMove, (x, y), seen)
    yield
    _timed(window, QEvent.Type.MouseButtonRelease, (x, y), seen)
    seen.strokes += 1
    if draws.random() < 0.2:
        window.controller.undo()


def _timed(window: MainWindow, kind: QEvent.Type, point: Point, seen: Seen) -> None:
    """Send one event, and wait until its change is on the canvas."""
    canvas = window.canvas
    place = QPointF(*canvas.viewport.to_view(*point))
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
    event = QMouseEvent(kind, place, canvas.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
    started = time.perf_counter()
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    seen.events.append(1000 * (time.perf_counter() - started))


def verdict(seen: Seen, minutes: float, growth: float, stroke_p99: float) -> dict[str, Any]:
    """Return the figures, and in `faults` a sentence for each that is too large."""
    after = [(seconds / 60, mib) for seconds, mib in seen.memory if seconds >= WARM_UP * 60 * minutes]
    times, mib = np.array(after).T
    slope = float(np.polyfit(times, mib, 1)[0])
    median, p99 = (float(value) for value in np.percentile(seen.events, [50, 99]))
    faults = [seen.failure] if seen.failure else []
    if slope > growth:
        faults.append(f"memory grows by {slope:.2f} MiB a minute, {growth:g} are allowed")
    if p99 > stroke_p99:
        faults.append(f"one pointer event in a hundred takes {p99:.1f} ms or more, {stroke_p99:g} are allowed")
    if not seen.swaps:
        faults.append("no newer encoder came to paint with: the soak was too short to say anything")
    return {
        "minutes": minutes,
        "strokes": seen.strokes,
        "pointer_events": len(seen.events),
        "encoders_swapped_in": seen.swaps,
        "training_steps_told": seen.steps,
        "memory_mib": {"after_warm_up": round(float(mib[0]), 1), "end": round(float(mib[-1]), 1)},
        "growth_mib_per_minute": round(slope, 3),
        "stroke_ms": {"median": round(median, 2), "p99": round(p99, 2), "max": round(max(seen.events), 2)},
        "faults": faults,
    }


def _taken(messages: list[Any]) -> Iterator[Any]:
    while messages:
        yield messages.pop(0)


def _resident_mib() -> float:
    """Return the memory of this process, without the training's."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Run the soak test and print its report."""
    parser = argparse.ArgumentParser(description="Paint while a training runs, and watch memory and strokes.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--growth", type=float, default=GROWTH, help=f"MiB a minute at most (default: {GROWTH:g})")
    parser.add_argument("--stroke-p99", type=float, default=STROKE_P99, help=f"ms at most (default: {STROKE_P99:g})")
    parser.add_argument("--seed", type=int, default=0, help="of the strokes and of the training (default: 0)")
    options = parser.parse_args()
    keep_freed_memory()  # as `smis` does
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:

        def story(window: MainWindow) -> Story:
            return soak(window, Path(folder), options.minutes, options.seed, seen)

        try:
            play(story, [], patience=600)
        except StoryFailed as failure:
            seen.failure = str(failure)
    if not seen.events or not seen.memory:
        print(seen.failure or "nothing was painted", file=sys.stderr)
        return 1
    facts = verdict(seen, options.minutes, options.growth, options.stroke_p99)
    print(json.dumps(facts))
    return 1 if facts["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
