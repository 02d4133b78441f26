"""Measures how much of a picture stayed when a part of it was repainted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from smis_desktop.document.composition import MASK_SIDE, Composition, repainted_region
from smis_desktop.document.style import Style

_STRIDE = 4
"""Every so many-th pixel of a row and of a column is compared."""
_SAME = 2
"""Pixels that differ by at most this many grey levels in each colour have stayed."""


@dataclass(frozen=True, eq=False)
class FullPicture:
    """A full picture: its pixels, uint8 [S, S, 3], what it is made of, its layout, uint8 [H, H], and its style.

    revision: of the request; better pictures of the same request share it.
    """

    pixels: np.ndarray = field(repr=False)
    composition: Composition
    layout: np.ndarray = field(repr=False)
    style: Style
    revision: int


class RestMeter:
    """Compares each full picture with the one that was on screen before the last change."""

    def __init__(self) -> None:
        self._now: FullPicture | None = None
        self._before: np.ndarray | None = None
        self._rest: np.ndarray | None = None

    def forget(self) -> None:
        """Forget all pictures: those that follow are of something else."""
        self._now = self._before = self._rest = None

    def take(self, picture: FullPicture) -> float | None:
        """Take a full picture that is shown now.

        Returns:
            The share of what the last change did not repaint, 0–1, that looks as it did before. None if there is
            nothing to compare: no picture before, or one in another style.
        """
        now = replace(picture, pixels=np.ascontiguousarray(picture.pixels[::_STRIDE, ::_STRIDE]))
        last, self._now = self._now, now
        if last is None or last.pixels.shape != now.pixels.shape:
            self._before = self._rest = None
        elif _is_change(last, now):
            self._before, self._rest = last.pixels, _rest(last, now)
        if self._before is None or self._rest is None:
            return None
        same = cv2.inRange(cv2.absdiff(self._before, now.pixels), (0, 0, 0), (_SAME, _SAME, _SAME)) != 0
        return float(np.count_nonzero(same & self._rest) / np.count_nonzero(self._rest))


def _is_change(before: FullPicture, now: FullPicture) -> bool:
    if before.revision == now.revision:  # refined further
        return False
    return before.style != now.style or before.composition.digest != now.composition.digest


def _rest(before: FullPicture, now: FullPicture) -> np.ndarray | None:
    """Return which compared pixels a change did not repaint, bool [s, s]; None if there are none, or if the change was
    one of style."""
    if before.style != now.style:
        return None
    region = cv2.resize(_changed_region(before, now), now.pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    rest = np.asarray(region) == 0
    return rest if rest.any() else None


def _changed_region(before: FullPicture, now: FullPicture) -> np.ndarray:
    """Return the mask of what the change repainted, uint8 [r, r]: the patches that only one of two pictures has, and
    the topmost one, which refinement goes on with. A picture made anew as a whole was repainted where its layout
    changed."""
    one, other = before.composition, now.composition
    if not one.has_base_of(other):
        return repainted_region(before.layout, now.layout)
    known, wanted = ({patch.digest for patch in each.patches} for each in (one, other))
    changed = [patch for patch in (*one.patches, *other.patches) if patch.digest in known ^ wanted]
    region = np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    for patch in (*changed, *other.patches[-1:]):
        region = np.maximum(region, patch.mask)
    return region
