"""Between the networks' pictures (float, [-1, 1]) and everybody else's (uint8, sRGB)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def to_rgb8(picture: Tensor) -> np.ndarray:
    """float [3, H, W] in [-1, 1] (clamped) → uint8 [H, W, 3]."""
    scaled = picture.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())


def from_rgb8(picture: np.ndarray, side: int) -> Tensor:
    """uint8 [S, S, 3] → float32 [1, 3, side, side] in [-1, 1], antialiased when it shrinks."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    return F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)


def resized(pictures: Tensor, side: int) -> Tensor:
    """float [N, 3, r, r] → [N, 3, side, side]: averaged over squares where they shrink, smooth where they grow."""
    if pictures.shape[-1] == side:
        return pictures
    size = (side, side)
    if side < pictures.shape[-1]:
        return F.interpolate(pictures, size, mode="area")
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False)
