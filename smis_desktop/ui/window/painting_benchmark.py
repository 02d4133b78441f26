"""The painting benchmark: plays a recording as mouse events in a real window while the preview runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QPixmap
from PySide6.QtWidgets import QApplication, QLabel

from smis_desktop.document.document import Document
from smis_desktop.document.palette import Palette
from smis_desktop.document.recording import StrokeStep, read_recording
from smis_desktop.document.style import Style
from smis_desktop.formats.registry import read_layout
from smis_desktop.ui.canvas.canvas import Canvas
from smis_desktop.ui.widgets.qimage import picture_to_qimage
from smis_desktop.ui.window.document_controller import DocumentController
from smis_desktop.ui.window.preview_controller import PreviewController
from smis_desktop.workers.preview_jobs import PicturePainted
from smis_desktop.workers.renderer import OpenRenderer

_MAX_WAIT_SECONDS = 300.0
_MAX_STROKES = 12


@dataclass(frozen=True)
class PaintingTimes:
    """Latencies in milliseconds.

    to_canvas: from each pointer event to the canvas's painted pixels. to_preview: from each event that changed the
    layout to the first picture on screen that shows it.
    """

    to_canvas: list[float]
    to_preview: list[float]


class _Paints(QObject):
    """Counts the paint events of a widget."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def measure_painting(open_renderer: OpenRenderer, recording: Path, layout: Path | None = None) -> PaintingTimes:
    """Play a recording's first strokes at the pace they were recorded in. A QApplication must exist.

    Args:
        layout: where painting begins, if not on an empty layout. Each stroke is then put into a picture that rests.
    """
    found = read_recording(recording)
    painting = _Painting(open_renderer, lambda palette: _first_document(palette, found.size, layout))
    if layout is not None:
        painting.rest()
        painting.times.to_preview.clear()
    for step in [step for step in found.steps if isinstance(step, StrokeStep)][:_MAX_STROKES]:
        painting.play(step)
        if layout is not None:
            painting.rest()
    painting.close()
    return painting.times


class _Painting:
    """A canvas and a preview, and the times that pass between events and what they change."""

    def __init__(self, open_renderer: OpenRenderer, begin: Callable[[Palette], Document]) -> None:
        """Args: begin: returns the first document in the model's classes."""
        self.times = PaintingTimes([], [])
        self._preview, self._controller = PreviewController(open_renderer), DocumentController()
        documents: list[Document] = []
        self._preview.ready.connect(lambda ready: documents.append(begin(ready.palette)))
        self._preview.start()
        _wait(lambda: bool(documents))
        self._document = documents[0]
        self._canvas = Canvas(self._controller)
        self._canvas.resize(900, 900)
        self._controller.place(self._document)
        self._canvas.show()
        self._paints = _Paints()
        self._canvas.installEventFilter(self._paints)
        self._shown = QLabel()
        self._shown.resize(512, 512)
        self._shown.setScaledContents(True)
        self._shown.show()
        self._waiting: list[float] = []
        """When each event came that requested a picture, by revision."""
        self._answered = 0
        self._event_at = time.perf_counter()
        self._preview.painted.connect(self._show)
        self._controller.painted.connect(self._ask)

    def play(self, step: StrokeStep) -> None:
        """Paint a stroke with the mouse, at the pace it was recorded in."""
        canvas, class_ids = self._canvas, self._document.palette.class_ids
        canvas.options.set_diameter(round(step.diameter))
        canvas.options.choose_class(class_ids[step.class_id % len(class_ids)])
        for number, (x, y, _) in enumerate(step.points):
            kind = QEvent.Type.MouseButtonPress if number == 0 else QEvent.Type.MouseMove
            self._event_at = time.perf_counter()
            self.times.to_canvas.append(_send(canvas, kind, (x, y), self._paints))
            _idle(step.interval / 1000)
        self._event_at = time.perf_counter()
        _send(canvas, QEvent.Type.MouseButtonRelease, step.points[-1][:2], self._paints)

    def rest(self) -> None:
        """Wait for the full picture of what is painted."""
        self._ask()
        _wait(lambda: self._preview.is_up_to_date)

    def close(self) -> None:
        """Wait for the last picture, and end the preview."""
        _wait(lambda: self._preview.is_up_to_date or bool(self.times.to_preview))
        self._preview.close(_MAX_WAIT_SECONDS)
        self._preview.painted.disconnect(self._show)  # frees what it refers to
        self._controller.painted.disconnect(self._ask)
        self._canvas.close()
        self._shown.close()

    def _ask(self) -> None:
        assert self._controller.editor is not None
        mark = None if self._controller.is_painting else self._controller.editor.mark
        self._preview.request(self._document.snapshot(), Style(), mark)
        self._waiting.append(self._event_at)

    def _show(self, painted: PicturePainted) -> None:
        self._shown.setPixmap(QPixmap.fromImage(picture_to_qimage(painted.result.picture)))
        self._shown.repaint()
        now = time.perf_counter()
        answered = self._waiting[self._answered : painted.revision]
        self.times.to_preview.extend(1000 * (now - asked_at) for asked_at in answered)
        self._answered = max(self._answered, painted.revision)


def _send(canvas: Canvas, kind: QEvent.Type, at: tuple[float, float], paints: _Paints) -> float:
    """Send an event; returns the milliseconds until its change has been painted."""
    place = QPointF(*canvas.viewport.to_view(*at))
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    event = QMouseEvent(
        kind, place, canvas.mapToGlobal(place), button, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    before, started = paints.count, time.perf_counter()
    QApplication.sendEvent(canvas, event)
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    if paints.count == before:
        canvas.repaint()
    return 1000 * (time.perf_counter() - started)


def _first_document(palette: Palette, size: int, layout: Path | None) -> Document:
    if layout is None:
        return Document.blank(palette, size)
    label_map = read_layout(layout).label_map
    under = (np.arange(size) * 2 + 1) * len(label_map) // (2 * size)
    return Document.of_label_map(label_map[np.ix_(under, under)], palette)


def _idle(seconds: float) -> None:
    """Wait in the event loop, as the window does between two events."""
    loop, alarm = QEventLoop(), QTimer()
    alarm.setTimerType(Qt.TimerType.PreciseTimer)
    alarm.setSingleShot(True)
    alarm.timeout.connect(loop.quit)
    alarm.start(max(0, round(1000 * seconds)))
    loop.exec()


def _wait(condition: object) -> None:
    until = time.perf_counter() + _MAX_WAIT_SECONDS
    assert callable(condition)
    while not condition() and time.perf_counter() < until:
        _idle(0.02)
