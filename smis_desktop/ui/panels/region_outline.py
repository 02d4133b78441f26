"""The outline of a repainted region."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath, QPolygonF

_SIDE = 256
"""Side at which the outline is found."""
_HALF = 127.5


def region_outline(mask: np.ndarray) -> QPainterPath:
    """Return the line on which a soft mask, uint8 [r, r], is at its half, as a path in the unit square."""
    fine = cv2.resize(mask.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    inside = (fine > _HALF).astype(np.uint8)
    # A frame around it, so that the outline is closed at the picture's edge, too.
    framed = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(framed, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    slopes = cv2.Sobel(fine, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(fine, cv2.CV_32F, 0, 1, scale=1 / 8)
    path = QPainterPath()
    for contour in contours:
        points = _refined(contour[:, 0] - 1, np.asarray(fine), slopes)
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in ((points + 0.5) / _SIDE).tolist()]))
        path.closeSubpath()
    return path


def _refined(pixels: np.ndarray, fine: np.ndarray, slopes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Move the (x, y) pixels of a contour, int [n, 2], to where the mask is at its half, float32 [n, 2]: without steps.

    Those at the picture's edge stay: there the mask ends.
    """
    at = pixels[:, 1], pixels[:, 0]
    slope = np.stack([each[at] for each in slopes], 1)
    step = ((fine[at] - _HALF) / np.maximum((slope**2).sum(1), 1e-6))[:, None] * slope
    is_near = np.abs(step).max(1, keepdims=True) < 1.5
    moved: np.ndarray = (pixels - np.where(is_near, step, 0)).astype(np.float32)
    return moved
