"""Runs the real program on an X display and uses it as a person would: with the mouse, by xdotool.

A *story* is a generator that uses the open window: it acts, and yields conditions that have to come true before it goes
on. The program itself knows nothing about it.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from smis_desktop import app
from smis_desktop.document.brush import Point
from smis_desktop.ui.window.main_window import MainWindow

Story = Generator[Callable[[], bool], None, None]

log = logging.getLogger(__name__)

_POLL_MS = 20


class StoryFailed(Exception):
    """Raised when a condition did not become true in time, or the story raised an exception."""


def play(story: Callable[[MainWindow], Story], arguments: Sequence[str], patience: float = 120.0) -> int:
    """Run the program's `main(arguments)` and play `story` in its window, which is closed at the end.

    patience: seconds that one condition may take. Returns the program's exit code. Raises StoryFailed.
    """
    application = QApplication(["smis"])
    player = _Player(story, patience)
    code = app.main(arguments)
    player.stop()
    if player.failure is not None:
        raise StoryFailed(player.failure)
    application.processEvents()
    return code


class Mouse:
    """The pointer of the X display. Every call moves the real one; the events come back through X."""

    def __init__(self) -> None:
        tool = shutil.which("xdotool")
        if tool is None:
            raise StoryFailed("xdotool is missing: install the package xdotool")
        self._tool = tool

    def stroke(self, points: Sequence[QPoint], button: int = 1) -> Callable[[], bool]:
        """Press at the first point of the screen, drag through the others, release.

        The returned condition is true when it is done.
        """
        first, *rest = points
        words = [*_move(first), "mousedown", str(button)]
        for point in rest:
            words += [*_move(point), "sleep", "0.008"]
        return self._run([*words, "mouseup", str(button)])

    def click(self, point: QPoint) -> Callable[[], bool]:
        """Left-click the point. The returned condition is true when it is done."""
        return self._run([*_move(point), "click", "1"])

    def move(self, point: QPoint) -> Callable[[], bool]:
        """Move the pointer. The returned condition is true when it is there."""
        return self._run(_move(point))

    def _run(self, words: list[str]) -> Callable[[], bool]:
        process = subprocess.Popen([self._tool, *words])

        def is_done() -> bool:
            code = process.poll()
            if code:
                raise StoryFailed(f"xdotool ended with {code}")
            return code is not None

        return is_done


def on_screen(window: MainWindow, points: Sequence[Point]) -> list[QPoint]:
    """Convert layout pixels to points of the screen, in device pixels."""
    ratio = window.devicePixelRatioF()
    found = []
    for point in points:
        x, y = window.canvas.viewport.to_view(*point)
        at = window.canvas.mapToGlobal(QPoint(round(x), round(y)))
        found.append(QPoint(round(at.x() * ratio), round(at.y() * ratio)))
    return found


def middle_of(widget: QWidget) -> QPoint:
    """Return the widget's middle on the screen, in device pixels."""
    at = widget.mapToGlobal(widget.rect().center())
    ratio = widget.devicePixelRatioF()
    return QPoint(round(at.x() * ratio), round(at.y() * ratio))


def save_screen(window: MainWindow, path: Path) -> None:
    """Save the window as the X server shows it."""
    window.repaint()
    picture = window.screen().grabWindow(0, window.x(), window.y(), window.width(), window.height())
    if not picture.save(str(path)):
        raise StoryFailed(f"{path} cannot be written")


def _move(point: QPoint) -> list[str]:
    return ["mousemove", str(point.x()), str(point.y())]


class _Player(QObject):
    def __init__(self, story: Callable[[MainWindow], Story], patience: float) -> None:
        super().__init__()
        self.failure: str | None = None
        self._story = story
        self._patience = patience
        self._running: Story | None = None
        self._window: MainWindow | None = None
        self._condition: Callable[[], bool] = self._window_is_there
        self._deadline = time.monotonic() + patience
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)
        self._timer.start(_POLL_MS)

    def stop(self) -> None:
        self._timer.stop()

    def _window_is_there(self) -> bool:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, MainWindow) and widget.windowHandle() and widget.windowHandle().isExposed():
                self._window = widget
                return True
        return False

    def _step(self) -> None:
        try:
            if self._condition():
                self._advance()
            elif time.monotonic() > self._deadline:
                raise StoryFailed(f"waited {self._patience:.0f} s in vain")
        except Exception as error:
            where = self._running.gi_frame if self._running is not None else None
            place = f" (line {where.f_lineno} of the story)" if where is not None else ""
            self.failure = f"{error}{place}"
            log.exception("the story failed")
            self._end()

    def _advance(self) -> None:
        assert self._window is not None
        if self._running is None:
            self._running = self._story(self._window)
        try:
            self._condition = next(self._running)
            self._deadline = time.monotonic() + self._patience
        except StopIteration:
            self._end()

    def _end(self) -> None:
        self._timer.stop()
        if self._window is not None:
            self._window.close()
            box = self._window.findChild(QMessageBox)
            if box is not None:  # the story painted, and nobody wants to keep that
                box.button(QMessageBox.StandardButton.Discard).click()
        else:
            QApplication.exit(1)
