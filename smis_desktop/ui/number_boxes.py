"""Boxes for numbers that look like the other fields."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import QAbstractSpinBox

_ROOM = 7
"""Pixels left and right of the number, as much as the theme gives to fields."""

Box = TypeVar("Box", bound=QAbstractSpinBox)


def roomy(box: Box) -> Box:
    """The same box, its number off the border: a style sheet's padding does not reach what is inside a box without
    arrows."""
    box.lineEdit().setTextMargins(_ROOM, 0, _ROOM, 0)
    return box
