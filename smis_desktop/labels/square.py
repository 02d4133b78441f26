"""Making pictures and label maps square: the middle is kept, of a pair the same middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Square:
    """A square of a picture, in its pixels."""

    left: int
    top: int
    side: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The square's part of [H, W, …]: a copy, or `pixels` themselves where that is all of them."""
        if pixels.shape[:2] == (self.side, self.side):
            return pixels
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side].copy()


def middle_square(width: int, height: int) -> Square:
    """The largest square in the middle of width × height."""
    side = min(width, height)
    return Square((width - side) // 2, (height - side) // 2, side)


def same_proportions(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two sizes (width, height) show the same frame, up to one pixel of the smaller one."""
    (width_1, height_1), (width_2, height_2) = first, second
    return abs(width_1 * height_2 - width_2 * height_1) <= max(max(first), max(second))


def middle_squares(first: tuple[int, int], second: tuple[int, int]) -> tuple[Square, Square]:
    """The squares in the middle of two sizes (width, height) of the same frame that show the same part of it.

    Where one size is a whole multiple of the other, so is its square, position included; otherwise the two agree to
    half a pixel of the larger.
    """
    if first[0] * first[1] > second[0] * second[1]:
        larger, smaller = middle_squares(second, first)[::-1]
        return larger, smaller
    small = middle_square(*first)
    (width, height), (large_width, large_height) = first, second
    side = min(_scaled(small.side, large_width, width), large_width, large_height)
    left = min(_scaled(small.left, large_width, width), large_width - side)
    top = min(_scaled(small.top, large_height, height), large_height - side)
    return small, Square(left, top, side)


def _scaled(length: int, numerator: int, denominator: int) -> int:
    """length · numerator / denominator, rounded half up."""
    return (2 * length * numerator + denominator) // (2 * denominator)
