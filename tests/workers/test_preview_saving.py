"""Pictures that the preview thread writes to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.workers.preview_jobs import Failed, PicturePainted, PictureSaved, Ready
from tests.workers.paint_by_palette import PaintByPalette
from tests.workers.preview_thread import Gated, request, running


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
