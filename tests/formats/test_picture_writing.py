"""Pictures on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import write_picture


def gradient() -> np.ndarray:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    return np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), 90, np.uint8)], axis=2)


@pytest.mark.parametrize(
    ("name", "format_name", "tolerance"),
    [("a.png", "PNG", 0), ("a.jpg", "JPEG", 8), ("a.JPEG", "JPEG", 8), ("a.webp", "WEBP", 12)],
)
def test_each_format_comes_back_as_the_same_picture(
    tmp_path: Path, name: str, format_name: str, tolerance: int
) -> None:
    write_picture(tmp_path / name, gradient())
    with Image.open(tmp_path / name) as image:
        assert image.format == format_name
        difference = np.abs(np.asarray(image.convert("RGB")).astype(int) - gradient())
    assert difference.max() <= tolerance
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.gif"])
def test_another_ending_is_refused_and_an_older_file_is_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"older")
    with pytest.raises(UserError, match=r"\.png"):
        write_picture(tmp_path / name, gradient())
    assert (tmp_path / name).read_bytes() == b"older"
