"""Mirror painting: what is painted on one side of an axis is painted on the other too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from smis_desktop.labels.rect import Rect


@dataclass(frozen=True)
class MirrorAxis:
    """`vertical`: an upright axis at x = `position`, left and right change places; `horizontal`: y = `position`.

    `position` in pixels from the left or top edge. It is held to half pixels: pixels then mirror onto pixels.
    """

    orientation: Literal["vertical", "horizontal"]
    position: float

    def reflected(self, rect: Rect, mask: np.ndarray, size: int) -> tuple[Rect, np.ndarray] | None:
        """The mirror image of bool `mask` [rect.height, rect.width], clipped to size × size; None if all is outside."""
        across = math.floor(2 * self.position + 0.5)
        if self.orientation == "vertical":
            image = Rect(across - rect.right, rect.top, across - rect.left, rect.bottom)
            turned = mask[:, ::-1]
        else:
            image = Rect(rect.left, across - rect.bottom, rect.right, across - rect.top)
            turned = mask[::-1]
        inside = image.common(Rect(0, 0, size, size))
        if inside is None:
            return None
        return inside, turned[inside.shifted(-image.left, -image.top).slices]
