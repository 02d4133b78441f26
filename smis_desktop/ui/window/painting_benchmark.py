"""The painting benchmark: plays a recording as mouse events in a real window while the preview runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QEventLoop, QObject, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QPixmap
from PySide6.QtWidgets import QApplication, QLabel

from smis_desktop.document.document import Document
from smis_desktop.document.recording import StrokeStep, read_recording
from smis_desktop.document.style import Style
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


def measure_painting(open_renderer: OpenRenderer, recording: Path) -> PaintingTimes:
    """Play a recording's first strokes at the pace they were recorded in. A QApplication must exist."""
    found = read_recording(recording)
    preview, controller = PreviewController(open_renderer), DocumentController()
    canvas = Canvas(controller)
    canvas.resize(900, 900)
    palettes: list[Document] = []
    preview.ready.connect(lambda ready: palettes.append(Document.blank(ready.palette, found.size)))
    preview.start()
    _wait(lambda: bool(palettes))
    controller.place(palettes[0])
    canvas.show()
    paints = _Paints()
    canvas.installEventFilter(paints)
    to_canvas: list[float] = []
    to_preview: list[float] = []
    shown = QLabel()
    shown.resize(512, 512)
    shown.setScaledContents(True)
    shown.show()
    waiting: list[float] = []
    """When each event came that requested a picture, by revision."""
    answered = 0
    event_at = time.perf_counter()

    def ask() -> None:
        assert controller.editor is not None
        mark = None if controller.is_painting else controller.editor.mark
        preview.request(_document(controller).snapshot(), Style(), mark)
        waiting.append(event_at)

    def show(painted: PicturePainted) -> None:
        nonlocal answered
        shown.setPixmap(QPixmap.fromImage(picture_to_qimage(painted.result.picture)))
        shown.repaint()
        now = time.perf_counter()
        to_preview.extend(1000 * (now - asked_at) for asked_at in waiting[answered : painted.revision])
        answered = max(answered, painted.revision)

    preview.painted.connect(show)
    controller.painted.connect(ask)
    class_ids = palettes[0].palette.class_ids
    strokes = [step for step in found.steps if isinstance(step, StrokeStep)][:_MAX_STROKES]
    for step in strokes:
        canvas.options.set_diameter(round(step.diameter))
        canvas.options.choose_class(class_ids[step.class_id % len(class_ids)])
        for number, (x, y, _) in enumerate(step.points):
            kind = QEvent.Type.MouseButtonPress if number == 0 else QEvent.Type.MouseMove
            event_at = time.perf_counter()
            to_canvas.append(_send(canvas, kind, (x, y), paints))
            _idle(step.interval / 1000)
        _send(canvas, QEvent.Type.MouseButtonRelease, step.points[-1][:2], paints)
    _wait(lambda: preview.is_up_to_date or bool(to_preview))
    preview.close(_MAX_WAIT_SECONDS)
    preview.painted.disconnect(show)  # frees what it refers to
    controller.painted.disconnect(ask)
    canvas.close()
    shown.close()
    return PaintingTimes(to_canvas, to_preview)


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


def _document(controller: DocumentController) -> Document:
    assert controller.document is not None
    return controller.document


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
