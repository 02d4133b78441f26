"""Pictures between numpy and Qt, right to the pixel and with memory of their own."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from smis_desktop.ui.widgets.qimage import argb_table, argb_to_qimage, picture_to_qimage, qimage_to_picture


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 13), (64, 63), (256, 256)])
def test_there_and_back_every_pixel_is_the_same(height: int, width: int) -> None:
    picture = noise(height, width)
    image = picture_to_qimage(picture)
    assert (image.width(), image.height()) == (width, height)
    assert image.pixelColor(width - 1, height - 1) == QColor(*(int(v) for v in picture[-1, -1]))
    np.testing.assert_array_equal(qimage_to_picture(image), picture)


def test_red_and_blue_keep_their_places_in_every_format_that_qt_may_hand_over() -> None:
    for format_name in ("RGB888", "RGBA8888", "ARGB32", "ARGB32_Premultiplied", "RGB32", "BGR888"):
        image = QImage(2, 2, getattr(QImage.Format, f"Format_{format_name}"))
        image.fill(QColor(250, 120, 10))
        assert qimage_to_picture(image)[1, 1].tolist() == [250, 120, 10], format_name


def test_neither_side_shares_memory_with_the_other() -> None:
    picture = noise(32, 32)
    kept = picture.copy()
    image = picture_to_qimage(picture)
    picture[:] = 0
    del picture
    gc.collect()
    back = qimage_to_picture(image)
    image.fill(QColor(0, 0, 0))
    del image
    gc.collect()
    np.testing.assert_array_equal(back, kept)
    back[:] = 1  # writable, and nobody else's


def test_looked_up_colours_come_out_as_the_palette_says() -> None:
    colors = np.zeros((256, 3), np.uint8)
    colors[3] = (200, 100, 50)
    label_map = np.array([[3, 0], [0, 3]], np.uint8)
    image = argb_to_qimage(argb_table(colors)[label_map])
    assert image.pixelColor(0, 0) == QColor(200, 100, 50)
    np.testing.assert_array_equal(qimage_to_picture(image), colors[label_map])


def test_a_slice_that_does_not_lie_in_one_piece_is_converted_too() -> None:
    picture = noise(20, 20)[::2, ::3]
    np.testing.assert_array_equal(qimage_to_picture(picture_to_qimage(picture)), picture)
