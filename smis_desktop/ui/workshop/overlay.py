"""Classes in their colours over a picture."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap

from smis_desktop.labels.index_png import EMPTY
from smis_desktop.labels.palette import Palette
from smis_desktop.ui.qimage import picture_to_qimage, qimage_to_picture


def overlaid(picture: np.ndarray, label_map: np.ndarray, palette: Palette, strength: float, side: int) -> QPixmap:
    """picture uint8 [S, S, 3]; label_map uint8 [s, s] of the same frame, nothing over it where that is 255.

    strength: of the colours, 0–1. side: of what comes out.
    """
    under = reduced(picture, side)
    cells = np.arange(side) * len(label_map) // side
    shown = label_map[np.ix_(cells, cells)]
    weight = np.where(shown == EMPTY, 0.0, strength)[..., None]
    mixed = under * (1 - weight) + palette.color_table[shown] * weight
    return QPixmap.fromImage(picture_to_qimage(mixed.astype(np.uint8)))


def reduced(picture: np.ndarray, side: int) -> np.ndarray:
    """uint8 [S, S, 3] → [side, side, 3], smoothly."""
    modes = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    return qimage_to_picture(picture_to_qimage(picture).scaled(side, side, *modes))
