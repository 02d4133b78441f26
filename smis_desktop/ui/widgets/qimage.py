"""Converts pictures between numpy and Qt. Every function copies: results share no memory with inputs.

Sharing is what goes wrong: a QImage does not keep the array alive that it was made over, nor does qimage2ndarray's
view keep the QImage alive, and either mistake reads freed memory. A copy of 1024² pixels costs a tenth of a
millisecond.
"""

from __future__ import annotations

import io
import os

import numpy as np
import qimage2ndarray
from PIL import Image
from PySide6.QtGui import QImage

# qimage2ndarray asks this before it chooses a binding, and would take any other that is installed.
os.environ["QT_API"] = "pyside6"


def picture_to_qimage(picture: np.ndarray) -> QImage:
    """Convert uint8 [H, W, 3] sRGB to an opaque QImage."""
    height, width, _ = picture.shape
    pixels = np.ascontiguousarray(picture, np.uint8)
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def argb_to_qimage(argb: np.ndarray) -> QImage:
    """Convert uint32 [H, W] of `0xffRRGGBB` to an opaque QImage in the format that paints fastest."""
    height, width = argb.shape
    pixels = np.ascontiguousarray(argb, np.uint32)
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()


def argb_table(color_table: np.ndarray) -> np.ndarray:
    """Convert uint8 [256, 3] sRGB (a palette's `color_table`) to uint32 [256] of `0xffRRGGBB`, to look label maps up
    in."""
    red, green, blue = (color_table[:, channel].astype(np.uint32) for channel in range(3))
    return np.uint32(0xFF000000) | red << np.uint32(16) | green << np.uint32(8) | blue


def qimage_to_picture(image: QImage) -> np.ndarray:
    """Convert any QImage (from a clipboard or a grabbed widget) to uint8 [H, W, 3] sRGB; transparency is dropped."""
    # RGB32 is the one layout that the library reads in the right order of channels on every machine; `held` lives
    # until the copy is made.
    held = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.array(qimage2ndarray.rgb_view(held), np.uint8, copy=True)


def rgba_to_qimage(rgba: np.ndarray) -> QImage:
    """Convert uint8 [H, W, 4], not premultiplied, to a QImage."""
    height, width, _ = rgba.shape
    pixels = np.ascontiguousarray(rgba, np.uint8)
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def qimage_to_png(image: QImage) -> bytes:
    """Encode any QImage as a PNG; transparency is dropped."""
    buffer = io.BytesIO()
    Image.fromarray(qimage_to_picture(image)).save(buffer, "PNG")
    return buffer.getvalue()
