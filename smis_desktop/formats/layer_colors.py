"""Layers as colours, for formats that know no classes, and back again."""

from __future__ import annotations

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette


def layer_rgba(pixels: np.ndarray, palette: Palette) -> np.ndarray:
    """uint8 [h, w] class ids → uint8 [h, w, 4] in the classes' colours, transparent where empty."""
    colors = palette.color_table[pixels]
    return np.dstack((colors, np.where(pixels == EMPTY, 0, 255).astype(np.uint8)))


def nearest_classes(rgba: np.ndarray, palette: Palette) -> np.ndarray:
    """uint8 [h, w, 4] → uint8 [h, w] ids of the classes whose colours are nearest (in sRGB); 255 where more than half
    transparent. Ties go to the lower id."""
    ids = np.full(rgba.shape[:2], EMPTY, np.uint8)
    opaque = rgba[..., 3] >= 128
    if not palette.classes or not opaque.any():
        return ids
    packed = rgba[..., 0].astype(np.uint32) << 16 | rgba[..., 1].astype(np.uint32) << 8 | rgba[..., 2]
    found, inverse = np.unique(packed[opaque], return_inverse=True)
    known = np.array([c.color for c in palette.classes], np.int64)
    class_ids = np.array(palette.class_ids, np.uint8)
    nearest = np.empty(len(found), np.uint8)
    for start in range(0, len(found), 65536):
        part = found[start : start + 65536].astype(np.int64)
        colors = np.stack((part >> 16, part >> 8 & 255, part & 255), 1)
        distances = np.stack([((colors - color) ** 2).sum(1) for color in known], 1)
        nearest[start : start + 65536] = class_ids[distances.argmin(1)]
    ids[opaque] = nearest[inverse]
    return ids
