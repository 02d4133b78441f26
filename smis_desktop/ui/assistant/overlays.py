"""Pictures with classes drawn over them in their colours, or hatched where a prediction is uncertain."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter, QPixmap

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.ui.widgets.qimage import picture_to_qimage, qimage_to_picture


def overlaid(picture: np.ndarray, label_map: np.ndarray, palette: Palette, strength: float, side: int) -> QPixmap:
    """Draws the classes of a label map over its picture.

    picture: uint8 [S, S, 3]. label_map: uint8 [s, s] of the same frame; 255 stays clear. strength: opacity of the
    colours, 0–1. side: of the result.
    """
    under = reduced(picture, side)
    cells = np.arange(side) * len(label_map) // side
    shown = label_map[np.ix_(cells, cells)]
    weight = np.where(shown == EMPTY, 0.0, strength)[..., None]
    mixed = under * (1 - weight) + palette.color_table[shown] * weight
    return QPixmap.fromImage(picture_to_qimage(mixed.astype(np.uint8)))


def reduced(picture: np.ndarray, side: int) -> np.ndarray:
    """Scales a picture, uint8 [S, S, 3], smoothly to [side, side, 3]."""
    modes = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    return qimage_to_picture(picture_to_qimage(picture).scaled(side, side, *modes))


_SHARE = 0.1
"""The largest share of a picture that is marked."""
_CERTAIN = 0.6
"""Margin between the two likeliest classes, 0–1, from which on nothing is marked."""
_PERIOD = 7
"""Pixels between two lines of the hatching."""


def unsure_cells(certainty: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """The least certain cells that have a class, bool [r, r]. certainty: float32 [r, r]. label_map: uint8 [r, r].

    The cells along an outline always lie between two classes: they are left out, unless there are no others.
    """
    has_class: np.ndarray = label_map != EMPTY
    if not has_class.any():
        return has_class
    bound = min(_CERTAIN, float(np.quantile(certainty[has_class], _SHARE)))
    found: np.ndarray = has_class & (certainty <= bound) & (certainty < _CERTAIN)
    areas = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(bool)
    return areas if areas.any() else found


def mark_cells(image: QImage, cells: np.ndarray) -> QImage:
    """Hatches those cells, bool [r, r], on a square picture."""
    side = image.width()
    marked = QImage(image)
    marks = _marks(cells, side)
    painter = QPainter(marked)
    painter.drawImage(0, 0, QImage(marks.data, side, side, 4 * side, QImage.Format.Format_ARGB32))
    painter.end()
    return marked


def _marks(cells: np.ndarray, side: int) -> np.ndarray:
    """The hatching, uint8 [side, side, 4] BGRA, with rounded corners instead of square cells."""
    smooth = cv2.resize(cells.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    inside = (smooth > 0.4).astype(np.uint8)
    edge = (inside - cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=0)).astype(bool)
    rim = cv2.dilate(inside, np.ones((3, 3), np.uint8)).astype(bool) & (inside == 0)
    along = np.add.outer(np.arange(side), np.arange(side)) % _PERIOD
    marks = np.zeros((side, side, 4), np.uint8)
    within = inside.astype(bool)
    marks[within & (along == 2)] = (0, 0, 0, 110)
    marks[within & (along < 2)] = (255, 255, 255, 200)
    marks[rim] = (0, 0, 0, 110)
    marks[edge] = (255, 255, 255, 235)
    return marks
