"""Where to write each class's name on the layout: in the middle of its largest part."""

from __future__ import annotations

import cv2
import numpy as np

from smis_desktop.labels.palette import Palette

_SIDE = 256
_LEAST_PIXELS = 12
"""Parts smaller than this, at 256², have no room for a name."""


def name_places(label_map: np.ndarray, palette: Palette) -> list[tuple[str, float, float]]:
    """(name, x, y) in layout pixels, for each class of the palette that holds enough of uint8 `label_map` [H, H].

    The point that is farthest from the part's border: names stand inside even where a part is bent.
    """
    size = label_map.shape[0]
    at = np.minimum(((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(np.int64), size - 1)
    small = label_map[np.ix_(at, at)]
    places = []
    for semantic_class in palette.classes:
        mask = (small == semantic_class.class_id).astype(np.uint8)
        if int(mask.sum()) < _LEAST_PIXELS:
            continue
        bordered = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        depth = cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        scale = size / _SIDE
        places.append((semantic_class.name, (float(column) + 0.5) * scale, (float(row) + 0.5) * scale))
    return places
