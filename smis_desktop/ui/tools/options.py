"""The kinds of options that a tool can declare. The options bar makes a control for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class Option(Generic[T]):
    """One setting of a tool. Tools that name the same option share its value.

    label: shown at the control. accessible_name: for screen readers, where the label alone says too little. Both, like
    `tip`, are marked with QT_TRANSLATE_NOOP("Command", …).
    """

    label: str
    default: T
    tip: str = ""
    accessible_name: str = ""

    def clamped(self, value: T) -> T:
        """Return the nearest value that the option allows."""
        return value


@dataclass(frozen=True, eq=False, kw_only=True)
class Toggle(Option[bool]):
    """A check box."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice(Option[T]):
    """A combo box. choices: each value with its words."""

    choices: tuple[tuple[T, str], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Fraction(Option[float]):
    """A slider from 0 to 1."""

    def clamped(self, value: float) -> float:
        return min(max(value, 0.0), 1.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Pixels(Option[int]):
    """A number of layout pixels in an inclusive range."""

    minimum: int
    maximum: int

    def clamped(self, value: int) -> int:
        return min(max(value, self.minimum), self.maximum)


@dataclass(frozen=True, eq=False, kw_only=True)
class Diameter(Pixels):
    """The size of a brush: a number with a logarithmic slider. The canvas draws its outline around the pointer."""
