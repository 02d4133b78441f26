"""Labels of a photo moved to where the generator shows the same things.

An inversion is never the photo: a jaw is a little wider, a brow lies a pixel higher. The labels belong to the photo,
the features to the reconstruction, so thin classes teach their neighbours. A smooth, short displacement between the
two pictures (dense inverse search, Kroeger et al. 2016, arXiv 1603.03590) brings the labels along. From five photos it
is worth 0.015 mIoU (docs/experiments/label-transfer.md).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator, to_rgb8

_SIDE = 256
_BLUR = 1.5
"""Pixels, of the pictures before they are compared: texture is not what has to be found again."""
_SMOOTHNESS = 6.0
"""Pixels, of the displacement: parts of a face move together."""
_FARTHEST = 8.0
"""Pixels. What lies farther off is another thing, not the same one displaced."""


def aligned(label_map: np.ndarray, photo: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """`label_map` uint8 [s, s] of `photo` uint8 [S, S, 3] as a label map of `reconstruction` uint8 [R, R, 3], same
    shape; unchanged where the displacement does not bring the two pictures nearer to each other."""
    wanted, found = _small(photo), _small(reconstruction)
    flow = _displacement(found, wanted)
    if _difference(_moved(wanted, flow, cv2.INTER_LINEAR), found) >= _difference(wanted, found):
        return label_map
    side = label_map.shape[0]
    scaled = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * (side / _SIDE)
    return _moved(label_map, scaled, cv2.INTER_NEAREST)


def aligned_to_ws(generator: Generator, ws: Tensor, label_map: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """`aligned` to the picture of `ws` [num_ws, 512], where `photo` was found."""
    with torch.inference_mode():
        return aligned(label_map, photo, to_rgb8(generator.draft(ws[None].to(generator.device), _SIDE)[0]))


def _small(picture: np.ndarray) -> np.ndarray:
    interpolation = cv2.INTER_AREA if picture.shape[0] > _SIDE else cv2.INTER_LINEAR
    return cv2.resize(picture, (_SIDE, _SIDE), interpolation=interpolation)


def _displacement(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float32 [256, 256, 2]: for each pixel of `found`, how far right and down `wanted` shows the same."""
    grey = [cv2.GaussianBlur(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), (0, 0), _BLUR) for x in (found, wanted)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = cv2.GaussianBlur(search.calc(grey[0], grey[1], np.zeros((_SIDE, _SIDE, 2), np.float32)), (0, 0), _SMOOTHNESS)
    length = np.linalg.norm(flow, axis=2, keepdims=True)
    return np.asarray(flow * np.minimum(1, _FARTHEST / np.maximum(length, 1e-6)), dtype=np.float32)


def _moved(picture: np.ndarray, flow: np.ndarray, interpolation: int) -> np.ndarray:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(
        picture, columns + flow[..., 0], rows + flow[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE
    )


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())
