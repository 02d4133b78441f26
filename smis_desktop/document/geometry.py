"""Geometry in pixels: rectangles, the mirror axis, centred squares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Rect:
    """The pixels left ≤ x < right, top ≤ y < bottom; never empty."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError(f"empty rectangle {self.left}, {self.top} – {self.right}, {self.bottom}")

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an array [H, W, …] with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def united(self, other: Rect | None) -> Rect:
        """The smallest rectangle that holds both."""
        if other is None:
            return self
        return Rect(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def common(self, other: Rect) -> Rect | None:
        """What lies in both; None if nothing does."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(left, top, right, bottom) if left < right and top < bottom else None

    def contains(self, other: Rect) -> bool:
        """Whether `other` lies wholly inside."""
        return self.united(other) == self

    def shifted(self, x: int, y: int) -> Rect:
        """Moved by x to the right and y down."""
        return Rect(self.left + x, self.top + y, self.right + x, self.bottom + y)


def united(rects: Iterable[Rect | None]) -> Rect | None:
    """The smallest rectangle that holds all that are there; None if none is."""
    whole: Rect | None = None
    for rect in rects:
        if rect is not None:
            whole = rect.united(whole)
    return whole


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
