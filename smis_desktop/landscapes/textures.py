"""Fixed patterns that make leaves, grass and rock of plain areas: the same in every picture, so that they can be
learned."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

_SIDE = 512


@lru_cache(maxsize=64)
def pattern(seed: int, side: int, cells_x: float, cells_y: float, octaves: int = 3) -> np.ndarray:
    """Smooth noise float32 [side, side], mean 0, standard deviation 1. cells: how many bumps across and down the
    picture at the coarsest octave; each octave doubles them and halves their height.

    One pattern a seed, whatever the side: smaller ones are averages of larger ones.
    """
    draws = np.random.default_rng(seed)
    total = np.zeros((_SIDE, _SIDE), np.float32)
    for octave in range(octaves):
        across, down = (max(2, min(_SIDE, round(cells * 2**octave))) for cells in (cells_x, cells_y))
        grid = draws.standard_normal((down, across)).astype(np.float32)
        total += cv2.resize(grid, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    scaled = (total - total.mean()) / total.std()
    found: np.ndarray = cv2.resize(scaled, (side, side), interpolation=cv2.INTER_AREA)
    return found


@lru_cache(maxsize=16)
def tree_line(seed: int, side: int, trees: int) -> np.ndarray:
    """The upper outline of a row of conifers, float32 [1, side]: 0 between them, up to 1 at the tip of the tallest."""
    draws = np.random.default_rng(seed)
    x = (np.arange(side, dtype=np.float32)[None] + 0.5) / side
    at = (np.arange(trees) + draws.uniform(0.1, 0.9, trees)) / trees
    tall = draws.uniform(0.45, 1.0, trees)
    wide = draws.uniform(0.7, 1.1, trees) / trees
    outline = np.zeros((1, side), np.float32)
    for centre, height, width in zip(at, tall, wide, strict=True):
        outline = np.maximum(outline, height * (1 - np.abs(x - centre) / width).clip(0))
    found: np.ndarray = outline.astype(np.float32)
    return found


@lru_cache(maxsize=16)
def ragged_line(seed: int, side: int, cells: int, octaves: int = 4) -> np.ndarray:
    """A ragged line float32 [1, side], mean 0, standard deviation 1: the teeth of a ridge."""
    line: np.ndarray = pattern(seed, side, cells, 2, octaves)[side // 2][None]
    return line
