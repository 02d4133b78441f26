"""The classes a person paints with: id, name and colour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

# Made by scripts/make_class_colors.py: each colour is the one farthest from all before it, for full colour vision and
# for the three kinds of colour blindness. A constant, so that a class looks the same on every machine.
_COLORS = bytes.fromhex(
    "10e810 1010b8 f858f8 701010 f82810 d0b8b8 7028f8 884088 a0f8a0 70b870 581070 b81040 d028b8 b888b8 f8d0f8 "
    "5870d0 f8a0f8 d0a010 405828 d0f810 10a058 881058 a0d088 a058f8 40a0f8 88a088 705858 a07028 8810d0 584070 "
    "70d058 88e8d0 e87040 5840a0 d058a0 f8d070 a02810 d0a0d0 587070 702888 b84088 108858 e888a0 a028b8 8888d0 "
    "5810a0 284040 a058a0 1010e8 b840d0 28d0f8 5858a0 d028e8 b870b8 404058 405870 88d0d0 40f8b8 e8e8e8 e8b870 "
    "b8b888 e84088 e8e870 70a0d0 f858d0 10b8a0 d05840 58d0a0 b88870 b8a0b8 585840 70a040 584028 a088e8 d0d0a0 "
    "88b840 b8a0e8 a05840 881010 b8d0e8 7088a0 d0e840 7070b8 e8b8d0 b85858 d08888 d04070 b8f8d0 a0a058 88e870 "
    "58e8b8 2810d0 884028 885810 b8b8e8 5828b8 d0d010 b8e888 d0b840 f88870 1040e8 408810 1088e8 a04058 8840f8 "
    "70b8d0 582870 701040 d0a088 4070e8 404088 a08858 8840d0 707010 e870b8 d0f8b8 8858b8 d08810 8810a0 88d070 "
    "70e8f8 e858e8 b87070 58d028 e858a0 b888f8 a0e8e8 702840 88a010 402888 588870 a04088 888810 2810f8 28f8f8 "
    "40b8e8 70e858 b8f888 f87088 40f858 884070 e8a0b8 f8d0b8 d01040 f8a010 e8d0d0 407040 d0e8d0 d010a0 a0b8b8 "
    "704088 4070a0 a0e8a0 e8f858 1058b8 b8f8f8 a088a0 e84028 e82888 a0f8e8 a0b858 d058e8 70f810 b82858 105810 "
    "b84070 707088 f828b8 e8a070 d040e8 a070d0 10b840 882810 8858a0 e8b8a0 104070 e8b8f8 a070f8 7040e8 f888e8 "
    "b84010 40e888 f8e8a0 f84058 58a0b8 5888d0 b888d0 a070b8 f8e8d0 e810f8 e85840 e88828 f8b8e8 5870f8 f8b840 "
    "4088b8 a0e810 5810b8 701070 b8b8d0 4040d0 582858 2828d0 b8d058 588840 104058 8828b8 404028 704058 d0e8f8 "
    "8840a0 7010e8 881070 b8b810 584058 88d0e8 88b8f8 b8a040 b8a0a0 7040a0 4088f8 d07088 88b888 a0f858 a0d040 "
    "a0d0b8 d088a0 d04058 f8b888 585810 a02870 e87070 708888 b8a0f8 104088 40d0d0 d01070 a088f8 f87010 585858 "
    "2840a0 4070b8 a0d0f8 f888a0 e8d088 f8a088 7010a0 e8d040 585888 f810d0 8840b8 e810b8 2828f8 d04010 705828 "
)
EMPTY = 255
"""In label maps, the value of pixels without a class."""

UNLABELLED_SPARSE_ID = 0
"""In sparse label maps, the value of unlabelled pixels (`EMPTY` is another); in dense ones 0 is an ordinary class."""

UNKNOWN_CHANNEL = -1
"""In maps of channels, the value of pixels without a class."""

LabelKind = Literal["dense", "sparse"]
"""Whether labels cover areas ("dense") or are scribbles and points ("sparse")."""


def default_color(class_id: int) -> tuple[int, int, int]:
    """Return the sRGB colour (0–255 a channel) of a class id, 0–254; lower ids differ more in colour."""
    if not 0 <= class_id <= 254:
        raise ValueError(f"class id {class_id} is outside 0–254")
    red, green, blue = _COLORS[3 * class_id : 3 * class_id + 3]
    return red, green, blue


@dataclass(frozen=True)
class SemanticClass:
    """A class to paint with. class_id: its value in label maps, 0–254; color: sRGB, 0–255 a channel."""

    class_id: int
    name: str
    color: tuple[int, int, int]

    def __post_init__(self) -> None:
        if not 0 <= self.class_id <= 254:
            raise ValueError(f"class id {self.class_id} is outside 0–254")


@dataclass(frozen=True)
class Palette:
    """The classes in ascending order of `class_id`, each id once.

    Ids need not be contiguous (ADE20K labels of one church hold a dozen of 150), and they are never renumbered:
    networks work on *channels*, the positions in `classes`. `channel_of` translates ids to channels.
    """

    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        ids = [c.class_id for c in self.classes]
        if ids != sorted(set(ids)):
            raise ValueError("palette class ids must be unique and ascending")

    @cached_property
    def num_classes(self) -> int:
        """The number of classes, and of channels of a one-hot layout."""
        return len(self.classes)

    @cached_property
    def class_ids(self) -> tuple[int, ...]:
        """The ids in ascending order."""
        return tuple(c.class_id for c in self.classes)

    @cached_property
    def channel_of(self) -> np.ndarray:
        """Look-up table int16 [256]: id → channel, `UNKNOWN_CHANNEL` where the palette has no such class."""
        table = np.full(256, UNKNOWN_CHANNEL, np.int16)
        table[list(self.class_ids)] = np.arange(self.num_classes)
        return table

    @cached_property
    def color_table(self) -> np.ndarray:
        """Look-up table uint8 [256, 3]: id → sRGB; ids without a class are mid-grey."""
        table = np.full((256, 3), 128, np.uint8)
        for c in self.classes:
            table[c.class_id] = c.color
        return table

    def by_id(self, class_id: int) -> SemanticClass:
        """Return the class of an id. Raises KeyError when there is none."""
        for c in self.classes:
            if c.class_id == class_id:
                return c
        raise KeyError(class_id)
