"""The classes a person paints with: id, name and colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class SemanticClass:
    """One paintable class. `class_id` is the value in label maps, 0–254; `color` is sRGB, 0–255 a channel."""

    class_id: int
    name: str
    color: tuple[int, int, int]

    def __post_init__(self) -> None:
        if not 0 <= self.class_id <= 254:
            raise ValueError(f"class id {self.class_id} is outside 0–254")


@dataclass(frozen=True)
class Palette:
    """Classes in ascending order of `class_id`, every id once.

    Ids need not be contiguous (ADE20K labels of one church hold a dozen of 150), and they are never renumbered:
    networks work on *channels*, the positions in `classes`, and `channel_of` is the only bridge between the two.
    """

    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        ids = [c.class_id for c in self.classes]
        if ids != sorted(set(ids)):
            raise ValueError("palette class ids must be unique and ascending")

    @property
    def num_classes(self) -> int:
        """How many classes there are (= channels of a one-hot layout)."""
        return len(self.classes)

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The ids in ascending order."""
        return tuple(c.class_id for c in self.classes)

    @cached_property
    def channel_of(self) -> np.ndarray:
        """Look-up table int16 [256]: label-map value → channel, -1 where the palette has no such class."""
        table = np.full(256, -1, np.int16)
        table[list(self.class_ids)] = np.arange(self.num_classes)
        return table

    @cached_property
    def color_table(self) -> np.ndarray:
        """uint8 [256, 3]: label-map value → sRGB; ids without a class are mid-grey."""
        table = np.full((256, 3), 128, np.uint8)
        for c in self.classes:
            table[c.class_id] = c.color
        return table

    def by_id(self, class_id: int) -> SemanticClass:
        """The class of that id. Raises KeyError when there is none."""
        for c in self.classes:
            if c.class_id == class_id:
                return c
        raise KeyError(class_id)
