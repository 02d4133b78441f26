"""Films that the preview thread makes between everything else."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from smis_desktop.workers.film_job import FilmSettings
from smis_desktop.workers.preview_jobs import Failed, FilmCancelled, FilmProgress, Ready
from tests.workers.paint_by_palette import PaintByPalette
from tests.workers.preview_thread import Gated, request, running


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
        worker.cancel_films()  # in the middle of a frame
        renderer.passes.release(10)
        told = [window.next(), window.next()]
        assert isinstance(told[0], FilmProgress)
        assert told[1] == FilmCancelled(tmp_path / "film.mp4")
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


def test_a_thread_that_ends_leaves_no_half_film(tmp_path: Path) -> None:
    with running(lambda progress: PaintByPalette()) as (worker, window):
        assert isinstance(window.next(), Ready)
        worker.film(tmp_path / "film.mp4", [request(0), request(7)], FilmSettings(seconds=20.0, fps=25, size=64))
        while not (isinstance(told := window.next(), FilmProgress) and told.fraction > 0):
            pass
        assert list(tmp_path.iterdir()) != [], "it is being written"
    assert list(tmp_path.iterdir()) == []
