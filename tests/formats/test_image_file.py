"""Photographs of every kind come in upright and in sRGB; everything else is refused in one sentence."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import read_picture


def _pixels(height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header_only(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels: whoever decodes before checking fails in another way."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, data in ((b"IHDR", ihdr), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def _write(folder: Path, data: bytes, name: str = "photo.png") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_are_exact_whatever_the_name_says(tmp_path: Path, format: str) -> None:
    pixels = _pixels()
    read = read_picture(_write(tmp_path, _encoded(Image.fromarray(pixels), format), "photo.jpg"))
    assert read.dtype == np.uint8
    assert read.flags.writeable
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(tmp_path: Path, format: str) -> None:
    ramp = np.stack(np.broadcast_arrays(np.arange(64)[:, None] * 4, np.arange(64) * 4, 90), axis=-1).astype(np.uint8)
    read = read_picture(_write(tmp_path, _encoded(Image.fromarray(ramp), format, quality=95)))
    assert np.abs(read.astype(int) - ramp).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation(tmp_path: Path, format: str, orientation: int) -> None:
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16, :32] = (255, 0, 0)
    upright[:16, 32:] = (0, 255, 0)
    upright[16:, :32] = (0, 0, 255)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    if format == "WEBP":
        options = {"lossless": True}
    data = _encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, **options)
    read = read_picture(_write(tmp_path, data))
    assert read.shape == upright.shape
    assert np.abs(read.astype(int) - upright).mean() < 3


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    pixels = _pixels()
    data = _encoded(Image.fromarray(pixels), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff broken")
    np.testing.assert_array_equal(read_picture(_write(tmp_path, data)), pixels)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 24 * 32).reshape(24, 32).astype(np.uint16)
    read = read_picture(_write(tmp_path, _encoded(Image.fromarray(values), "PNG")))
    np.testing.assert_array_equal(read, np.repeat(np.rint(values / 257)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_float_pictures(tmp_path: Path, scale: float) -> None:
    values = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    read = read_picture(_write(tmp_path, _encoded(Image.fromarray(values * np.float32(scale)), "TIFF")))
    np.testing.assert_allclose(read[:, :, 1], values * 255, atol=0.51)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK"])
def test_other_modes(tmp_path: Path, mode: str) -> None:
    grey = np.repeat(np.where(np.arange(24 * 32).reshape(24, 32) % 5 == 0, 255, 0)[:, :, None], 3, axis=2)
    image = Image.fromarray(grey.astype(np.uint8)).convert(mode)
    read = read_picture(_write(tmp_path, _encoded(image, "TIFF" if mode == "CMYK" else "PNG")))
    np.testing.assert_array_equal(read, grey)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8] = (200, 0, 0, 255)
    pixels[8:12] = (200, 0, 0, 0)
    pixels[12:] = (0, 0, 0, 128)
    read = read_picture(_write(tmp_path, _encoded(Image.fromarray(pixels), "PNG")))
    assert read[0, 0].tolist() == [200, 0, 0]
    assert read[9, 0].tolist() == [255, 255, 255]
    assert read[13, 0].tolist() == [127, 127, 127]


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.eye(16, dtype=np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60])
    read = read_picture(_write(tmp_path, _encoded(image, "PNG", transparency=1)))
    assert read[0, 0].tolist() == [255, 255, 255]
    assert read[0, 1].tolist() == [10, 20, 30]


class TestColourProfiles:
    def test_srgb_stays_exact(self, tmp_path: Path) -> None:
        pixels = _pixels()
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        data = _encoded(Image.fromarray(pixels), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(read_picture(_write(tmp_path, data)), pixels)

    def test_another_space_is_converted(self, tmp_path: Path) -> None:
        lab = Image.merge("LAB", [Image.new("L", (16, 16), v) for v in (255, 128, 128)])
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        read = read_picture(_write(tmp_path, _encoded(lab, "TIFF", icc_profile=profile)))
        assert read.min() >= 253  # L* = 100: white

    @pytest.mark.parametrize("kind", ["broken", "misfit"])
    def test_a_broken_or_misfit_profile_is_passed_over(self, tmp_path: Path, kind: str) -> None:
        pixels = _pixels()
        misfit = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        profile = misfit if kind == "misfit" else b"not a profile"
        data = _encoded(Image.fromarray(pixels), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(read_picture(_write(tmp_path, data)), pixels)


class TestRefusals:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"nowhere\.png does not exist"):
            read_picture(tmp_path / "nowhere.png")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="is a folder"):
            read_picture(tmp_path)

    @pytest.mark.parametrize("data", [b"", b"hello, I am a text file\n" * 100, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
    def test_no_picture(self, tmp_path: Path, data: bytes) -> None:
        path = _write(tmp_path, data)
        with pytest.raises(UserError, match=r"photo\.png is not an image") as caught:
            read_picture(path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("size", [(1, 1), (15, 100), (100, 15)])
    def test_too_small(self, tmp_path: Path, size: tuple[int, int]) -> None:
        path = _write(tmp_path, _encoded(Image.new("RGB", size), "PNG"))
        with pytest.raises(UserError, match=f"only {size[0]}×{size[1]} pixels"):
            read_picture(path)

    @pytest.mark.parametrize("size", [(20_000, 20_000), (8001, 8000), (9_600, 9_600), (1_000_000, 65)])
    def test_too_large_is_seen_in_the_header(self, tmp_path: Path, size: tuple[int, int]) -> None:
        path = _write(tmp_path, png_header_only(*size))
        with pytest.raises(UserError, match=r"too large.* at most 64 megapixels"):
            read_picture(path)

    def test_the_limit_itself_is_decoded(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="damaged or incomplete"):
            read_picture(_write(tmp_path, png_header_only(8000, 8000)))

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
    def test_a_pipe_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(UserError, match="ordinary file"):
            read_picture(tmp_path / "pipe.png")

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
    def test_truncated_anywhere(self, tmp_path: Path, format: str) -> None:
        whole = _encoded(Image.fromarray(_pixels(64, 64)), format)
        # The last bytes of some formats close the file and hold no pixels.
        for length in range(0, int(len(whole) * 0.97), max(1, len(whole) // 60)):
            with pytest.raises(UserError, match="photo"):
                read_picture(_write(tmp_path, whole[:length]))


@given(data=st.data(), format=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM"]))
@settings(max_examples=150, deadline=None)
def test_flipped_bytes_give_a_picture_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, format: str
) -> None:
    damaged = bytearray(_encoded(Image.fromarray(_pixels(16, 20)), format))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = _write(tmp_path_factory.getbasetemp(), bytes(damaged))
    try:
        read: np.ndarray | None = read_picture(path)
    except UserError as error:
        read, message = None, str(error)
    if read is None:
        assert message.startswith(str(path))
    else:
        assert read.ndim == 3
        assert min(read.shape[:2]) >= 16
