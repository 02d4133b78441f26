"""What the preview thread does when the hand rests: refinement, and pictures for elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from smis_desktop.document.composition import Composition
from smis_desktop.document.style import Style
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from smis_desktop.workers.preview_jobs import BackgroundRendered, PicturePainted, Ready, is_news
from tests.workers.paint_by_palette import PaintByPalette
from tests.workers.preview_thread import Gated, request, running


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
        assert is_news(best, 1, better)
        assert not is_news(best, 1, best)
        asked = [gated.next_entered() for _ in range(4)]
        assert [(r.quality, r.refine_steps, r.composition is not None) for r in asked] == [
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
            worker.render_in_background(ticket, request(9, quality="draft", style=Style.of_seed(ticket)))
        renderer.passes.release(2)
        assert window.next_painted() == (1, 1, "draft")
        assert window.next_painted() == (1, 1, "full")
        renderer.passes.release()
        aside = window.next()
        assert isinstance(aside, BackgroundRendered)
        assert aside.ticket == 0
        renderer.next_entered()  # the full picture
        renderer.next_entered()  # ticket 0
        assert renderer.next_entered().style == Style.of_seed(1)
        worker.drop_background_renders()
        worker.submit(1, 2, request(1))
        renderer.passes.release(10)
        last = window.next()
        assert isinstance(last, BackgroundRendered)
        assert last.ticket == 1
        assert window.next_painted() == (1, 2, "draft")
        assert window.next_painted() == (1, 2, "full")


def test_when_nothing_better_is_found_the_picture_on_show_stays() -> None:
    class Content(PaintByPalette):
        """Every picture is as good as it gets: refinement hands back the latents that it was given."""

        def render(self, request: PictureRequest) -> PictureResult:
            return super().render(replace(request, refine_steps=0))

    with running(lambda progress: Content(), refine_steps=600) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.submit(1, 1, request())
        assert [window.next_painted() for _ in range(2)] == [(1, 1, "draft"), (1, 1, "full")]
        worker.render_in_background(5, request(quality="draft"))
        aside = window.next()  # comes after all refinement that there is
        assert isinstance(aside, BackgroundRendered)


def test_a_picture_that_begins_refined_takes_only_the_steps_that_are_left() -> None:
    gated = Gated()
    begun = Composition(np.full((16, 512), 0.5, np.float32))
    with running(lambda progress: gated, refine_steps=8) as (worker, window):
        assert isinstance(window.next(), Ready)
        gated.passes.release(10)
        worker.submit(1, 1, request(composition=begun), refined=6)
        told = [window.next() for _ in range(3)]
        assert [(p.quality, p.refined) for p in told if isinstance(p, PicturePainted)] == [
            ("draft", 0), ("full", 6), ("full", 8),
        ]  # fmt: skip
        worker.submit(1, 2, request(composition=begun), refined=8)
        told = [window.next() for _ in range(2)]
        assert [(p.quality, p.refined) for p in told if isinstance(p, PicturePainted)] == [("draft", 0), ("full", 8)]
        assert [gated.next_entered().refine_steps for _ in range(5)] == [0, 0, 2, 0, 0]
