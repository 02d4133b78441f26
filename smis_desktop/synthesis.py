"""The one door from a layout to a picture: a frozen request in, a result out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Quality = Literal["draft", "full"]


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that decides a picture, besides the generator and the personal model.

    layout: uint8 [H, W], class ids, square, read-only; ids that the model does not know count as "not said".
    style_seed: seed of the random `w` whose fine slots are mixed in.
    mix: 0–1, strength of that mixing (0 = the encoder's own style).
    size: side of the picture in pixels: 256, 512 or 1024 (at most the generator's `img_resolution`).
    quality: "draft" is quick and approximate (256 only), "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on `ws` towards the layout (0 = the encoder alone).
    """

    layout: np.ndarray = field(repr=False)
    style_seed: int = 0
    mix: float = 1.0
    size: int = 256
    quality: Quality = "full"
    refine_steps: int = 0


@dataclass(frozen=True, eq=False)
class PictureResult:
    """picture: uint8 [size, size, 3] sRGB; ws: float32 [num_ws, 512], the latents it was made from."""

    picture: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    seconds: float = 0.0
