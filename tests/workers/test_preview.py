"""Which pictures the preview thread paints, and which of them a window shows."""

from __future__ import annotations

import numpy as np
import pytest

from smis_desktop.document.style import DRAFT_SIZE, Style
from smis_desktop.inference.synthesizer import Quality
from smis_desktop.workers.preview_jobs import PicturePainted, Ready, is_news
from tests.workers.paint_by_palette import PaintByPalette
from tests.workers.preview_thread import Gated, request, running


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
    shown: PicturePainted | None = None
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
            shown = message
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
    on_screen = PicturePainted(*shown, result=result, latency=0.0) if shown else None
    assert is_news(message, 1, on_screen) is news
