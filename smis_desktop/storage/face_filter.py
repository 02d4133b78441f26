"""The filter of `labels/face_finder.py` that ships with the program."""

from __future__ import annotations

import numpy as np

from smis_desktop.resource_paths import models_folder

FACE_FILTER = models_folder() / "face-finder.npy"


def read_face_filter() -> np.ndarray:
    """float32 [16, 16, 8]; made by scripts/fit_face_finder.py."""
    weights: np.ndarray = np.load(FACE_FILTER, allow_pickle=False).astype(np.float32)
    return weights
