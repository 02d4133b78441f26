"""Writes short films of pictures that morph into each other: GIF, WebP and MP4."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.formats.registry import Format
from smis_desktop.storage.atomic import atomic_file

FILM_SUFFIXES = (".mp4", ".webp", ".gif")
GIF_FPS = 50
"""The quickest that viewers show: GIF counts in hundredths of a second, and 1 is read as 10."""

_MP4 = {"crf": "16", "preset": "medium"}
_WEBP = {"quality": "85", "loop": "0"}


class FilmWriter(Protocol):
    """Takes the frames of a film, one after another."""

    def add(self, frame: np.ndarray) -> None:
        """Add a frame, uint8 [H, W, 3] sRGB; all frames have the same, even sides."""
        ...


@contextmanager
def film_file(path: Path, fps: int) -> Iterator[FilmWriter]:
    """Write a film that replaces `path` when the block ends without an exception.

    Until then, and on any exception, `path` is untouched. Raises UserError for an ending that is not in
    `FILM_SUFFIXES`, and when the disk refuses.
    """
    suffix = path.suffix.lower()
    if suffix not in FILM_SUFFIXES:
        raise UserError(f"{path} does not say which kind of film to write: end the name in .mp4, .webp or .gif.")
    with atomic_file(path) as temporary:
        if suffix == ".gif":
            gif = _GifWriter(fps)
            yield gif
            temporary.write_bytes(gif.encoded())
        else:
            with temporary.open("wb") as file:
                video = _VideoWriter(file, fps, suffix)
                yield video
                video.finish()


class _VideoWriter:
    def __init__(self, file: io.BufferedWriter, fps: int, suffix: str) -> None:
        import av
        from av.video.stream import VideoStream

        kind, codec = ("mp4", "libx264") if suffix == ".mp4" else ("webp", "libwebp_anim")
        self._container = av.open(file, "w", format=kind, options={"loop": "0"} if kind == "webp" else {})
        stream = self._container.add_stream(codec, rate=fps, options=_MP4 if kind == "mp4" else _WEBP)
        assert isinstance(stream, VideoStream), "both codecs are of pictures"
        self._stream = stream
        # Of our own, constant: once the header is written, the stream's is whatever the container counts in.
        self._time_base = Fraction(1, fps)
        self._stream.time_base = self._stream.codec_context.time_base = self._time_base
        self._count = 0

    def add(self, frame: np.ndarray) -> None:
        if self._count == 0:
            self._stream.height, self._stream.width = frame.shape[:2]
            self._stream.pix_fmt = "yuv420p"
        import av

        video = av.VideoFrame.from_ndarray(frame, format="rgb24")
        video.pts, video.time_base = self._count, self._time_base
        self._count += 1
        self._container.mux(self._stream.encode(video))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _GifWriter:
    """Keeps frames as palette pictures, a byte a pixel, until the end: the header needs the first one's colours."""

    def __init__(self, fps: int) -> None:
        self._milliseconds = round(1000 / min(fps, GIF_FPS))
        self._frames: list[Image.Image] = []

    def add(self, frame: np.ndarray) -> None:
        self._frames.append(
            Image.fromarray(frame).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        )

    def encoded(self) -> bytes:
        buffer = io.BytesIO()
        first, *others = self._frames
        first.save(buffer, "GIF", save_all=True, append_images=others, duration=self._milliseconds, loop=0)
        return buffer.getvalue()


FORMAT = Format("Films", "film", suffixes=FILM_SUFFIXES, order=95)
