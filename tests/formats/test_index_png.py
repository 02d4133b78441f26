"""Ids on disk: the stored numbers come back, whatever colours they are shown in; nothing else passes for ids."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import encode_label_map, read_label_map

PALETTE = Palette((SemanticClass(0, "sky", (1, 2, 3)), SemanticClass(7, "hair", (200, 100, 50))))


def _save(folder: Path, image: Image.Image | np.ndarray, name: str = "label.png", **options: Any) -> Path:
    path = folder / name
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def _ids(highest: int = 254, height: int = 20, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, highest + 1, (height, width)).astype(np.uint8)


def _png(width: int, height: int, bit_depth: int, color_type: int, rows: list[bytes]) -> bytes:
    """A PNG written by hand, for what Pillow does not write."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0))]
    if color_type == 3:
        chunks.append((b"PLTE", bytes(range(3 * 2**bit_depth))))
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_grey(tmp_path: Path) -> None:
    ids = _ids(255)
    np.testing.assert_array_equal(read_label_map(_save(tmp_path, ids)), ids)


def test_palette_indices_not_colours(tmp_path: Path) -> None:
    ids = _ids(20)
    image = Image.fromarray(ids)
    image.putpalette([255 - i // 3 for i in range(768)])
    np.testing.assert_array_equal(read_label_map(_save(tmp_path, image, transparency=3)), ids)


@pytest.mark.parametrize("color_type", [0, 3])
@pytest.mark.parametrize("bit_depth", [1, 2, 4])
def test_few_bits_a_pixel(tmp_path: Path, bit_depth: int, color_type: int) -> None:
    ids = _ids(2**bit_depth - 1, width=27)
    path = tmp_path / "label.png"
    bits = np.unpackbits(ids[:, :, None], axis=2)[:, :, 8 - bit_depth :].reshape(len(ids), -1)
    rows = [row.tobytes() for row in np.packbits(bits, axis=1)]
    path.write_bytes(_png(ids.shape[1], ids.shape[0], bit_depth, color_type, rows))
    np.testing.assert_array_equal(read_label_map(path), ids)


@pytest.mark.parametrize("channels", [3, 4])
def test_grey_stored_as_colour(tmp_path: Path, channels: int) -> None:
    ids = _ids()
    pixels = np.repeat(ids[:, :, None], channels, axis=2)
    if channels == 4:
        pixels[:, :, 3] = 255
    read = read_label_map(_save(tmp_path, pixels))
    np.testing.assert_array_equal(read, ids)
    assert read.flags.writeable


def test_grey_with_opaque_alpha(tmp_path: Path) -> None:
    ids = _ids()
    image = Image.merge("LA", (Image.fromarray(ids), Image.new("L", (24, 20), 255)))
    np.testing.assert_array_equal(read_label_map(_save(tmp_path, image)), ids)


def test_16_bits_with_small_values(tmp_path: Path) -> None:
    ids = _ids(255)
    np.testing.assert_array_equal(read_label_map(_save(tmp_path, ids.astype(np.uint16))), ids)


class TestRefusals:
    def test_16_bits_with_large_values(self, tmp_path: Path) -> None:
        ids = _ids().astype(np.uint16)
        ids[3, 3] = 256
        with pytest.raises(UserError, match=r"label\.png holds 16-bit values up to 256"):
            read_label_map(_save(tmp_path, ids))

    def test_16_bit_colours(self, tmp_path: Path) -> None:
        path = tmp_path / "label.png"
        rows = [bytes([0, 7] * 3 * 16)] * 16  # id 7 in all channels; of its high bytes nothing would be left
        path.write_bytes(_png(16, 16, 16, 2, rows))
        with pytest.raises(UserError, match="16-bit colours"):
            read_label_map(path)

    def test_a_photograph(self, tmp_path: Path) -> None:
        pixels = np.repeat(_ids()[:, :, None], 3, axis=2)
        pixels[5, 5, 1] ^= 1  # one pixel is enough
        with pytest.raises(UserError, match="colours, not class ids"):
            read_label_map(_save(tmp_path, pixels))

    def test_transparency(self, tmp_path: Path) -> None:
        pixels = np.repeat(_ids()[:, :, None], 4, axis=2)
        pixels[:, :, 3] = 255
        pixels[0, 0, 3] = 254
        with pytest.raises(UserError, match="transparent"):
            read_label_map(_save(tmp_path, pixels))

    @pytest.mark.parametrize("name", ["label.jpg", "label.png"])
    def test_jpeg_by_any_name(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UserError, match="is a JPEG, whose compression changes class ids"):
            read_label_map(_save(tmp_path, _ids(), name, format="JPEG"))

    def test_other_formats(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="is a WEBP file: save the label as an index PNG"):
            read_label_map(_save(tmp_path, _ids(), "label.webp", format="WEBP"))

    @pytest.mark.parametrize("data", [b"", b"text\n" * 99])
    def test_text(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "label.png").write_bytes(data)
        with pytest.raises(UserError, match="is not an image"):
            read_label_map(tmp_path / "label.png")

    def test_missing_folder_small_truncated(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="does not exist"):
            read_label_map(tmp_path / "label.png")
        with pytest.raises(UserError, match="is a folder"):
            read_label_map(tmp_path)
        with pytest.raises(UserError, match="only 1×1"):
            read_label_map(_save(tmp_path, np.zeros((1, 1), np.uint8)))
        path = _save(tmp_path, _ids(height=200, width=200))
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(UserError, match="damaged or incomplete"):
            read_label_map(path)


class TestEncode:
    @given(hnp.arrays(np.uint8, st.tuples(st.integers(16, 40), st.integers(16, 40))))
    @settings(max_examples=40, deadline=None)
    def test_reads_back_identical(self, tmp_path_factory: pytest.TempPathFactory, ids: np.ndarray) -> None:
        path = tmp_path_factory.getbasetemp() / "label.png"
        path.write_bytes(encode_label_map(ids, PALETTE))
        np.testing.assert_array_equal(read_label_map(path), ids)

    def test_views_read_back_identical(self, tmp_path: Path) -> None:
        path = tmp_path / "label.png"
        path.write_bytes(encode_label_map(_ids()[::-1, ::1].T, PALETTE))
        np.testing.assert_array_equal(read_label_map(path), _ids()[::-1].T)

    def test_shows_the_palette(self) -> None:
        ids = np.full((16, 16), 7, np.uint8)
        ids[0, 0] = 0
        image = Image.open(io.BytesIO(encode_label_map(ids, PALETTE)))
        assert (image.format, image.mode) == ("PNG", "P")
        shown = np.asarray(image.convert("RGB"))
        assert shown[0, 0].tolist() == [1, 2, 3]
        assert shown[1, 1].tolist() == [200, 100, 50]

    @pytest.mark.parametrize("label_map", [np.zeros((16, 16), np.int32), np.zeros((16, 16, 3), np.uint8)])
    def test_refuses_other_arrays(self, label_map: np.ndarray) -> None:
        with pytest.raises(ValueError, match="label map"):
            encode_label_map(label_map, PALETTE)
