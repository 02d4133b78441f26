"""A labelled picture that a training learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True, eq=False)
class TrainingShot:
    """A labelled picture. label_map uint8 [s, s] of class ids; picture uint8 [S, S, 3].

    ws: [num_ws, 512] of a picture that the generator made. found: of a photo that was inverted before, [2, num_ws, 512]
    as `kept_pair` gives them. Where both are None, the picture is inverted.
    """

    name: str
    label_map: np.ndarray
    picture: np.ndarray | None = None
    ws: Tensor | None = None
    found: Tensor | None = None

    @property
    def is_known(self) -> bool:
        """Whether nothing has to be inverted."""
        return self.ws is not None or self.found is not None
