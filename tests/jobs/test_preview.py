"""The preview thread, heard through its messages; every wait is for an event, none for time to pass."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.jobs.morph import FilmSettings
from smis_desktop.jobs.preview import (
    DRAFT_SIZE,
    AsidePainted,
    Failed,
    FilmProgress,
    LoadingProgress,
    OnScreen,
    PicturePainted,
    PictureSaved,
    PreviewMessage,
    PreviewWorker,
    Ready,
    is_news,
)
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.style import Style
from smis_desktop.synthesis import PictureRequest, PictureResult, Quality
from tests.jobs.paint_by_palette import PaintByPalette

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
def running(open_renderer: Callable[..., object], refine_steps: int = 0) -> Iterator[tuple[PreviewWorker, Window]]:
    window = Window()
    worker = PreviewWorker(open_renderer, window.messages.put, refine_steps=refine_steps, settle_seconds=0.0)  # type: ignore[arg-type]
    worker.start()
    try:
        yield worker, window
    finally:
        assert worker.close(PATIENCE)


def test_a_request_is_answered_by_a_draft_and_then_by_the_full_picture() -> None:
    renderer = PaintByPalette()
    with running(lambda progress: renderer) as (worker, window):
        assert window.next() == Ready("Three colours", renderer.palette, "paper", 512, "paper")
        worker.submit(3, 8, request(7, style=Style.of_seed(5)))
        draft, full = window.next(), window.next()
    assert isinstance(draft, PicturePainted)
    assert isinstance(full, PicturePainted)
    assert (draft.session, draft.revision, draft.quality) == (3, 8, "draft")
    assert (full.session, full.revision, full.quality) == (3, 8, "full")
    expected_draft = renderer.render(request(7, style=Style.of_seed(5), size=DRAFT_SIZE, quality="draft"))
    expected_full = renderer.render(request(7, style=Style.of_seed(5), quality="full"))
    np.testing.assert_array_equal(draft.result.picture, expected_draft.picture)
    np.testing.assert_array_equal(full.result.picture, expected_full.picture)
    assert 0 <= draft.latency <= full.latency


def test_of_the_requests_that_wait_only_the_newest_is_painted() -> None:
    renderer = Gated()
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(0))
        renderer.next_entered()
        for revision in range(2, 50):
            worker.submit(1, revision, request(revision))
        renderer.passes.release(3)
        answers = [window.next_painted() for _ in range(3)]
    assert answers == [(1, 1, "draft"), (1, 49, "draft"), (1, 49, "full")]


def test_a_newer_request_comes_before_the_full_picture_of_an_older_one() -> None:
    renderer = Gated()
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(0))
        renderer.next_entered()
        worker.submit(1, 2, request(1))
        renderer.passes.release()
        assert window.next_painted() == (1, 1, "draft")
        entered = renderer.next_entered()
        assert (entered.quality, int(entered.layout[0, 0])) == ("draft", 1)
        renderer.passes.release(2)
        assert [window.next_painted() for _ in range(2)] == [(1, 2, "draft"), (1, 2, "full")]


def test_while_the_pen_is_down_only_drafts_are_made_and_lifting_it_brings_the_full_picture() -> None:
    renderer = Gated()
    renderer.passes.release(100)
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        for revision in (1, 2):
            worker.submit(1, revision, request(revision), draft_only=True)
            assert window.next_painted() == (1, revision, "draft")
        worker.submit(1, 2, request(2))
        assert window.next_painted() == (1, 2, "full")
    assert [renderer.next_entered().quality for _ in range(3)] == ["draft", "draft", "full"]
    assert renderer.entered.empty()


def test_a_long_stroke_never_starves_the_screen() -> None:
    """While requests come faster than pictures, every picture is shown although none is ever the newest."""
    renderer = Gated()
    shown: OnScreen | None = None
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 0, request(0))
        for step in range(20):
            renderer.next_entered()
            worker.submit(1, 2 * step + 1, request(1))
            worker.submit(1, 2 * step + 2, request(2))
            renderer.passes.release()
            message = window.next()
            assert isinstance(message, PicturePainted)
            assert is_news(message, 1, shown), f"picture {message.revision} was held back"
            shown = OnScreen(message.session, message.revision, message.quality)
        renderer.passes.release(2)


@pytest.mark.parametrize(
    ("painted", "shown", "news"),
    [
        ((1, 5, "draft"), None, True),
        ((1, 5, "draft"), (1, 4, "full"), True),
        ((1, 5, "full"), (1, 5, "draft"), True),
        ((1, 5, "draft"), (1, 5, "full"), False),
        ((1, 5, "full"), (1, 5, "full"), False),
        ((1, 4, "full"), (1, 5, "draft"), False),
        ((1, 4, "full"), (0, 9, "full"), True),
        ((0, 9, "full"), (1, 5, "draft"), False),
        ((0, 9, "full"), None, False),
    ],
)
def test_what_counts_as_news(
    painted: tuple[int, int, Quality], shown: tuple[int, int, Quality] | None, news: bool
) -> None:
    result = PaintByPalette().render(request())
    message = PicturePainted(*painted, result=result, latency=0.0)
    assert is_news(message, 1, OnScreen(*shown) if shown else None) is news


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
    worker = PreviewWorker(lambda progress: renderer, window.messages.put)  # type: ignore[arg-type, return-value]
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

    worker = PreviewWorker(download, told.messages.put)
    worker.start()
    assert told.next() == LoadingProgress("Fetching", 0.0)
    worker.close(0.0)
    closing.set()
    assert worker.close(PATIENCE)
    assert told.messages.empty()


def test_closing_before_starting_and_twice_is_harmless() -> None:
    worker = PreviewWorker(lambda progress: PaintByPalette(), Window().messages.put)
    assert worker.close(0.0)
    assert worker.close(0.0)


def test_a_saved_picture_is_the_one_asked_for_whatever_is_painted_meanwhile(tmp_path: Path) -> None:
    renderer = Gated()
    target = tmp_path / "portrait.png"
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(7))
        renderer.next_entered()
        worker.save(target, request(7))
        worker.submit(1, 2, request(1))
        renderer.passes.release(4)
        told = [window.next() for _ in range(4)]
    assert PictureSaved(target) in told
    expected = renderer.inner.render(request(7, quality="full")).picture
    np.testing.assert_array_equal(np.asarray(Image.open(target)), expected)


def test_a_picture_is_saved_by_the_model_it_was_asked_for_with(tmp_path: Path) -> None:
    renderer = Gated()
    gentle = Palette((SemanticClass(7, "wool", (250, 250, 250)),))
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(7))
        renderer.next_entered()
        worker.save(tmp_path / "portrait.png", request(7))
        worker.open(lambda progress: PaintByPalette(palette=gentle))
        renderer.passes.release(2)
        assert [type(window.next()) for _ in range(3)] == [PicturePainted, PictureSaved, Ready]
    expected = renderer.inner.render(request(7, quality="full")).picture
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "portrait.png")), expected)


def test_a_picture_that_cannot_be_saved_is_said_so_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with running(lambda progress: PaintByPalette()) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.save(tmp_path / "portrait.bmp", request(), np.zeros((8, 8, 3), np.uint8))
        failed = window.next()
    assert isinstance(failed, Failed)
    assert (failed.is_bug, failed.stage) == (False, "saving")
    assert "portrait.bmp" in failed.text
    assert list(tmp_path.iterdir()) == []


def test_when_the_hand_rests_the_picture_is_refined_step_by_step_and_shown_again() -> None:
    gated = Gated()
    with running(lambda progress: gated, refine_steps=8) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request())
        gated.passes.release(10)
        assert [window.next_painted()[2] for _ in range(2)] == ["draft", "full"]
        better, best = window.next(), window.next()
        assert isinstance(better, PicturePainted)
        assert isinstance(best, PicturePainted)
        assert [(p.quality, p.refined) for p in (better, best)] == [("full", 6), ("full", 8)]
        assert is_news(best, 1, OnScreen(1, 1, "full", refined=6))
        assert not is_news(best, 1, OnScreen(1, 1, "full", refined=8))
        asked = [gated.next_entered() for _ in range(4)]
        assert [(r.quality, r.refine_steps, r.start_ws is not None) for r in asked] == [
            ("draft", 0, False), ("full", 0, False), ("full", 6, True), ("full", 2, True),
        ]  # fmt: skip


def test_a_new_stroke_comes_before_any_further_refinement() -> None:
    gated = Gated()
    with running(lambda progress: gated, refine_steps=600) as (worker, window):
        assert isinstance(window.next(), Ready)
        gated.passes.release(2)
        worker.submit(1, 1, request())
        assert [window.next_painted(), window.next_painted()] == [(1, 1, "draft"), (1, 1, "full")]
        assert [gated.next_entered().refine_steps for _ in range(3)] == [0, 0, 6]
        worker.submit(1, 2, request(1), draft_only=True)  # while the first steps are under way
        gated.passes.release(2)
        assert window.next_painted() == (1, 1, "full")  # those steps
        assert window.next_painted() == (1, 2, "draft")
        assert gated.next_entered().refine_steps == 0


def test_pictures_for_elsewhere_come_after_the_one_in_front_and_can_be_dropped() -> None:
    renderer = Gated()
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request(0))
        renderer.next_entered()
        for ticket in range(4):
            worker.paint_aside(ticket, request(9, quality="draft", style=Style.of_seed(ticket)))
        renderer.passes.release(2)
        assert window.next_painted() == (1, 1, "draft")
        assert window.next_painted() == (1, 1, "full")
        renderer.passes.release()
        aside = window.next()
        assert isinstance(aside, AsidePainted)
        assert aside.ticket == 0
        renderer.next_entered()  # the full picture
        renderer.next_entered()  # ticket 0
        assert renderer.next_entered().style == Style.of_seed(1)
        worker.drop_asides()
        worker.submit(1, 2, request(1))
        renderer.passes.release(10)
        last = window.next()
        assert isinstance(last, AsidePainted)
        assert last.ticket == 1
        assert window.next_painted() == (1, 2, "draft")
        assert window.next_painted() == (1, 2, "full")


@pytest.mark.parametrize("suffix", [".mp4", ".webp", ".gif"])
def test_a_film_goes_from_picture_to_picture_and_back(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"film{suffix}"
    settings = FilmSettings(seconds=0.5, fps=10, size=64)
    with running(lambda progress: PaintByPalette()) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.film(target, [request(0), request(7)], settings)
        told = [window.next()]
        while not (isinstance(told[-1], FilmProgress) and told[-1].fraction == 1.0):
            assert isinstance(told[-1], FilmProgress)
            told.append(window.next())
    frames = read_film(target)
    assert settings.frames(2) == 10
    assert len(frames) == 10
    for frame, class_id in ((0, 0), (5, 7)):
        wanted = PaintByPalette().render(request(class_id)).picture.mean()
        assert abs(frames[frame].mean() - wanted) < 6, frame  # films are compressed
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_film_that_is_given_up_leaves_no_trace(tmp_path: Path) -> None:
    renderer = Gated()
    with running(lambda progress: renderer) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.film(tmp_path / "film.mp4", [request(0), request(7)], FilmSettings(seconds=1.0, fps=10, size=64))
        renderer.passes.release(5)
        for _ in range(5):
            assert isinstance(window.next(), FilmProgress)
        for _ in range(6):
            renderer.next_entered()
        worker.cancel_films()
        renderer.passes.release(10)
    assert list(tmp_path.iterdir()) == []


def test_a_film_of_an_unknown_kind_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with running(lambda progress: PaintByPalette()) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.film(tmp_path / "film.avi", [request(0), request(7)], FilmSettings(size=64))
        told = [window.next()]
        while not isinstance(told[-1], Failed):
            told.append(window.next())
    assert "film.avi" in told[-1].text
    assert not told[-1].is_bug
    assert list(tmp_path.iterdir()) == []


def read_film(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        if path.suffix == ".mp4":
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()  # only now WebP knows how long it is shown
            times = round(image.info["duration"] / 100)  # frames that hardly differ are stored once, for longer
            found.extend([np.array(image.convert("RGB"))] * times)
        return found
