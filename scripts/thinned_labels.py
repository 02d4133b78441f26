"""Makes scribbles, as a careful person would draw them, from dense labels by thinning."""

from __future__ import annotations

import cv2
import numpy as np

from smis_desktop.document.palette import EMPTY


def scribbled(label_map: np.ndarray, brush: int = 3) -> np.ndarray:
    """Return the skeleton of every class, as wide as the brush and inside the class; all else EMPTY. uint8 [H, W]
    both."""
    strokes = np.full_like(label_map, EMPTY)
    for class_id in np.unique(label_map[label_map != EMPTY]):
        mask = label_map == class_id
        painted = cv2.dilate(skeleton(mask).astype(np.uint8), np.ones((brush, brush), np.uint8)).astype(bool)
        strokes[painted & mask] = class_id
    return strokes


def skeleton(mask: np.ndarray) -> np.ndarray:
    """Thin a mask to lines one pixel wide, as connected as the mask (Zhang and Suen, Communications of the ACM 27,
    1984).

    bool [H, W] both.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    inside = padded[1:-1, 1:-1]
    was = -1
    while was != (was := int(inside.sum())):
        for is_second in (False, True):
            # The eight neighbours, clockwise from the one above.
            around = [
                padded[:-2, 1:-1], padded[:-2, 2:], padded[1:-1, 2:], padded[2:, 2:],
                padded[2:, 1:-1], padded[2:, :-2], padded[1:-1, :-2], padded[:-2, :-2],
            ]  # fmt: skip
            up, right, down, left = around[::2]
            count = np.sum(around, 0)
            turns = np.sum([(a == 0) & (b == 1) for a, b in zip(around, around[1:] + around[:1], strict=True)], 0)
            if is_second:
                is_border = (up * right * left == 0) & (up * down * left == 0)
            else:
                is_border = (up * right * down == 0) & (right * down * left == 0)
            inside[(count >= 2) & (count <= 6) & (turns == 1) & is_border] = 0
    return inside.astype(bool)
