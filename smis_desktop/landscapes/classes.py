"""The classes of a landscape."""

from __future__ import annotations

from enum import IntEnum

from smis_desktop.labels.palette import Palette, SemanticClass


class LandscapeClass(IntEnum):
    """The `class_id` of everything in a landscape; from 1, because 0 means unknown in sparse labels."""

    SKY = 1
    CLOUDS = 2
    SUN = 3
    MOUNTAINS = 4
    FOREST = 5
    WATER = 6
    MEADOW = 7
    ROAD = 8
    HOUSE = 9


_COLORS = {
    LandscapeClass.SKY: (110, 170, 230),
    LandscapeClass.CLOUDS: (236, 240, 245),
    LandscapeClass.SUN: (255, 200, 40),
    LandscapeClass.MOUNTAINS: (134, 120, 140),
    LandscapeClass.FOREST: (28, 92, 52),
    LandscapeClass.WATER: (40, 90, 190),
    LandscapeClass.MEADOW: (140, 190, 70),
    LandscapeClass.ROAD: (176, 150, 116),
    LandscapeClass.HOUSE: (200, 60, 50),
}
PALETTE = Palette(tuple(SemanticClass(int(kind), kind.name.lower(), _COLORS[kind]) for kind in LandscapeClass))
