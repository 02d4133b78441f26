"""Films as other programs see them: every frame is there, and all are shown equally long."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from smis_desktop.formats.film import film_file

FRAMES = 300


def frame(number: int, side: int = 256) -> np.ndarray:
    """uint8 [side, side, 3]: grey, with a bar that wanders to the right and begins anew."""
    picture = np.full((side, side, 3), 90, np.uint8)
    left = number * 3 % (side - 20)
    picture[:, left : left + 20] = 220, 30, 30
    return picture


def write_film(path: Path, fps: int, side: int = 256) -> None:
    with film_file(path, fps) as film:
        for number in range(FRAMES):
            film.add(frame(number, side))


@pytest.mark.parametrize("fps", [7, 25, 60])
def test_an_mp4_shows_every_frame_equally_long(tmp_path: Path, fps: int) -> None:
    """The container counts in units of its own from where its header is written, which is some forty frames later."""
    write_film(tmp_path / "film.mp4", fps)
    with av.open(tmp_path / "film.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.width, stream.codec_context.height) == (256, 256)
        assert stream.average_rate == fps
        decoded = list(container.decode(stream))
    assert len(decoded) == FRAMES
    assert all(found.time_base is not None and found.pts is not None for found in decoded)
    times = [found.pts * found.time_base for found in decoded]
    assert times == [Fraction(number, fps) for number in range(FRAMES)]
    for number in (0, 1, 39, 40, 41, 150, FRAMES - 1):
        off = np.abs(decoded[number].to_ndarray(format="rgb24").astype(int) - frame(number))
        assert off.mean() < 6, number  # the bar at its place; films are compressed


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_other_films_last_as_long_as_their_frames(tmp_path: Path, suffix: str) -> None:
    write_film(tmp_path / f"film{suffix}", 25, 64)
    lasting = 0.0
    with Image.open(tmp_path / f"film{suffix}") as image:
        for number in range(image.n_frames):
            image.seek(number)
            image.load()  # only now WebP knows how long it is shown
            lasting += image.info["duration"]
    assert lasting == FRAMES * 40
