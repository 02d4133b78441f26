"""A running preview thread, heard through its messages; every wait is for an event, none for time to pass."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Quality
from smis_desktop.workers.preview_jobs import PicturePainted, PreviewMessage
from smis_desktop.workers.preview_thread import PreviewThread
from tests.workers.paint_by_palette import PaintByPalette

PATIENCE = 30.0
"""Seconds after which a message that should have come is called missing. Never waited for when all is well."""


def layout(class_id: int) -> np.ndarray:
    return np.full((64, 64), class_id, np.uint8)


def request(class_id: int = 0, **changes: object) -> PictureRequest:
    return replace(PictureRequest(layout(class_id), size=512), **changes)  # type: ignore[arg-type]


@dataclass
class Gated:
    """A renderer that stops at the door of every render until the test lets it in."""

    inner: PaintByPalette = field(default_factory=PaintByPalette)
    entered: queue.Queue[PictureRequest] = field(default_factory=queue.Queue)
    passes: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def render(self, request: PictureRequest) -> PictureResult:
        self.entered.put(request)
        assert self.passes.acquire(timeout=PATIENCE)
        return self.inner.render(request)

    def next_entered(self) -> PictureRequest:
        return self.entered.get(timeout=PATIENCE)


@dataclass
class Window:
    """The receiving end: everything the worker told, in order."""

    messages: queue.Queue[PreviewMessage] = field(default_factory=queue.Queue)

    def next(self) -> PreviewMessage:
        return self.messages.get(timeout=PATIENCE)

    def next_painted(self) -> tuple[int, int, Quality]:
        message = self.next()
        assert isinstance(message, PicturePainted)
        return message.session, message.revision, message.quality


@contextmanager
def running(open_renderer: Callable[..., object], refine_steps: int = 0) -> Iterator[tuple[PreviewThread, Window]]:
    window = Window()
    worker = PreviewThread(open_renderer, window.messages.put, refine_steps=refine_steps, settle_seconds=0.0)  # type: ignore[arg-type]
    worker.start()
    try:
        yield worker, window
    finally:
        assert worker.close(PATIENCE)
