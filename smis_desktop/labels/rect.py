"""Rectangles of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


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
