"""The outline of a repainted region."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath, QPolygonF

_SIDE = 256
"""Side at which the outline is found: fine enough to look smooth on a screen."""
_SMOOTHING = 2.0
"""In pixels of that side; smaller than any soft edge."""


def region_outline(mask: np.ndarray) -> QPainterPath:
    """Return the line on which a soft mask, uint8 [r, r], is at its half, as a path in the unit square."""
    fine = cv2.GaussianBlur(cv2.resize(mask, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), (0, 0), _SMOOTHING)
    inside = (fine >= 128).astype(np.uint8)
    # A frame around it, so that the outline is closed at the picture's edge, too.
    framed = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(framed, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    path = QPainterPath()
    for contour in contours:
        corners = cv2.approxPolyDP(contour, 0.5, closed=True)[:, 0]
        points = [QPointF((x - 0.5) / _SIDE, (y - 0.5) / _SIDE) for x, y in corners.tolist()]
        path.addPolygon(QPolygonF(points))
        path.closeSubpath()
    return path
