"""Labels follow what a reconstruction shows a little elsewhere, and stay where they are when nothing has moved."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smis_desktop.training.stages.label_transfer import aligned


def _disc(x: float, y: float, side: int = 256) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:side, :side] * (256 / side)
    return ((columns - x) ** 2 + (rows - y) ** 2 < 40**2).astype(np.uint8)


def _picture(label: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A reddish disc on a textured ground."""
    grain = np.random.default_rng(0).integers(0, 40, (16, 16, 3)).astype(np.uint8)
    ground = cv2.resize(grain, label.shape, interpolation=cv2.INTER_CUBIC)
    return np.where(label[..., None] == 1, np.array([200, 90, 80], np.uint8), ground + np.uint8(60)).astype(np.uint8)


def _overlap(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("side", [64, 256, 600])
@pytest.mark.parametrize(("right", "down"), [(6, 0), (-4, 5)])
def test_labels_move_along(right: int, down: int, side: int) -> None:
    photo, reconstruction = _disc(128, 128), _disc(128 + right, 128 + down)
    label, wanted = _disc(128, 128, side), _disc(128 + right, 128 + down, side)
    moved = aligned(label, _picture(photo), _picture(reconstruction))
    assert moved.shape == label.shape
    assert moved.dtype == np.uint8
    assert _overlap(moved, wanted) > max(0.93, _overlap(label, wanted) + 0.02)


def test_the_same_picture_moves_nothing() -> None:
    label = _disc(100, 120)
    assert np.array_equal(aligned(label, _picture(label), _picture(label)), label)


def test_nothing_is_carried_far() -> None:
    """What is elsewhere altogether is no displacement: the label stays within a few pixels."""
    moved = aligned(_disc(60, 128), _picture(_disc(60, 128)), _picture(_disc(200, 128)))
    assert moved[128, 200] == 0
    assert _overlap(moved, _disc(60, 128)) > 0.6
