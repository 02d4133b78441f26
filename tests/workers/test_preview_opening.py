"""The preview thread opens models, survives what fails, and ends when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from smis_desktop.errors import UserError
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from smis_desktop.workers.preview_jobs import DeviceChanged, Failed, LoadingProgress, PicturePainted, Ready
from smis_desktop.workers.preview_thread import PreviewThread
from tests.workers.paint_by_palette import PaintByPalette
from tests.workers.preview_thread import PATIENCE, Gated, Window, request, running


@dataclass
class Stumbling:
    """Raises the given error for class 1, paints everything else."""

    error: Exception
    inner: PaintByPalette = field(default_factory=PaintByPalette)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def render(self, request: PictureRequest) -> PictureResult:
        if request.layout[0, 0] == 1:
            raise self.error
        return self.inner.render(request)


@dataclass
class Shrinking:
    """Paints on another device from class 1 on."""

    inner: PaintByPalette = field(default_factory=PaintByPalette)
    device: str = "card"

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def render(self, request: PictureRequest) -> PictureResult:
        if request.layout[0, 0] == 1:
            self.device = "processor"
        return self.inner.render(request)


def test_another_device_is_told_once_and_before_its_first_picture() -> None:
    with running(lambda progress: Shrinking()) as (worker, window):
        ready = window.next()
        assert isinstance(ready, Ready)
        assert ready.device == "card"
        worker.submit(1, 1, request(0), draft_only=True)
        assert window.next_painted() == (1, 1, "draft")
        worker.submit(1, 2, request(1))
        assert window.next() == DeviceChanged("processor")
        assert [window.next_painted() for _ in range(2)] == [(1, 2, "draft"), (1, 2, "full")]
        worker.submit(1, 3, request(1), draft_only=True)
        assert isinstance(window.next(), PicturePainted)


def test_a_fault_in_a_render_is_told_once_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    with running(lambda progress: Stumbling(RuntimeError("shapes differ"))) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(1))
        failed = window.next()
        assert isinstance(failed, Failed)
        assert (failed.is_bug, failed.stage) == (True, "painting")
        assert "shapes differ" in failed.text
        worker.submit(1, 2, request(2))
        assert [window.next_painted() for _ in range(2)] == [(1, 2, "draft"), (1, 2, "full")]
    assert "Traceback" in caplog.text
    assert "shapes differ" in caplog.text


def test_what_a_person_can_put_right_is_told_in_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    with running(lambda progress: Stumbling(UserError("The layout is not square."))) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(1))
        assert window.next() == Failed("The layout is not square.", is_bug=False, stage="painting")
        worker.submit(1, 2, request(2))
        assert window.next_painted() == (1, 2, "draft")
    assert "Traceback" not in caplog.text


def test_opening_tells_its_progress_and_a_request_made_meanwhile_is_painted_afterwards() -> None:
    may_open = threading.Event()

    def open_slowly(progress: Callable[[str, float], None]) -> PaintByPalette:
        progress("Fetching faces", 0.25)
        assert may_open.wait(PATIENCE)
        return PaintByPalette()

    with running(open_slowly) as (worker, window):
        assert window.next() == LoadingProgress("Fetching faces", 0.25)
        worker.submit(1, 1, request(0))
        may_open.set()
        assert isinstance(window.next(), Ready)
        assert window.next_painted() == (1, 1, "draft")


def test_a_model_that_cannot_be_opened_leaves_the_one_before_at_work() -> None:
    def refuse(progress: Callable[[str, float], None]) -> PaintByPalette:
        raise UserError("broken.smismodel is not a personal model file.")

    with running(lambda progress: PaintByPalette()) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.open(refuse)
        assert window.next() == Failed("broken.smismodel is not a personal model file.", is_bug=False, stage="opening")
        worker.submit(1, 1, request(0))
        assert window.next_painted() == (1, 1, "draft")


def test_after_a_failed_first_opening_another_try_serves_the_waiting_request() -> None:
    def fail(progress: Callable[[str, float], None]) -> PaintByPalette:
        raise ConnectionError("no network")

    with running(fail) as (worker, window):
        failed = window.next()
        assert isinstance(failed, Failed)
        assert (failed.is_bug, failed.stage) == (True, "opening")
        worker.submit(1, 1, request(0))
        worker.open(lambda progress: PaintByPalette())
        assert isinstance(window.next(), Ready)
        assert window.next_painted() == (1, 1, "draft")


def test_opening_another_model_gives_up_a_download_that_nobody_waits_for_any_more() -> None:
    asked_again, given_up = threading.Event(), threading.Event()

    def download(progress: Callable[[str, float], None]) -> PaintByPalette:
        progress("Fetching", 0.0)
        assert asked_again.wait(PATIENCE)
        try:
            progress("Fetching", 0.5)
        except BaseException:
            given_up.set()
            raise
        raise AssertionError("an abandoned download went on")

    with running(download) as (worker, window):
        assert window.next() == LoadingProgress("Fetching", 0.0)
        worker.open(lambda progress: PaintByPalette(name="Second"))
        asked_again.set()
        ready = window.next()
        assert isinstance(ready, Ready)
        assert ready.name == "Second"
        assert given_up.is_set()


def test_closing_in_the_middle_of_a_render_returns_at_once_and_nothing_is_told_afterwards() -> None:
    renderer, window = Gated(), Window()
    worker = PreviewThread(lambda progress: renderer, window.messages.put)  # type: ignore[arg-type, return-value]
    worker.start()
    assert isinstance(window.next(), Ready)
    worker.submit(1, 1, request(0))
    renderer.next_entered()
    assert not worker.close(0.0), "the render is still under way"
    worker.submit(1, 2, request(1))
    renderer.passes.release(10)
    assert worker.close(PATIENCE)
    assert window.messages.empty()
    assert renderer.entered.empty(), "a closed worker began another picture"


def test_closing_in_the_middle_of_a_download_stops_it() -> None:
    closing, told = threading.Event(), Window()

    def download(progress: Callable[[str, float], None]) -> PaintByPalette:
        progress("Fetching", 0.0)
        assert closing.wait(PATIENCE)
        progress("Fetching", 0.5)
        raise AssertionError("went on after closing")

    worker = PreviewThread(download, told.messages.put)
    worker.start()
    assert told.next() == LoadingProgress("Fetching", 0.0)
    worker.close(0.0)
    closing.set()
    assert worker.close(PATIENCE)
    assert told.messages.empty()


def test_closing_before_starting_and_twice_is_harmless() -> None:
    worker = PreviewThread(lambda progress: PaintByPalette(), Window().messages.put)
    assert worker.close(0.0)
    assert worker.close(0.0)
