"""Which pixels each thing covers, with soft edges: the geometry of a landscape without its colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.landscapes.scene import CLOUDS, PEAKS, Layout
from smis_desktop.landscapes.textures import pattern, ragged_line, tree_line


class LandscapeClass(IntEnum):
    """The `class_id` of everything in a landscape."""

    SKY = 0
    CLOUDS = 1
    SUN = 2
    MOUNTAINS = 3
    FOREST = 4
    WATER = 5
    MEADOW = 6
    ROAD = 7
    HOUSE = 8


PALETTE = Palette(
    tuple(
        SemanticClass(int(kind), kind.name.lower(), color)
        for kind, color in zip(
            LandscapeClass,
            (
                (110, 170, 230), (236, 240, 245), (255, 200, 40), (134, 120, 140), (28, 92, 52),
                (40, 90, 190), (140, 190, 70), (176, 150, 116), (200, 60, 50),
            ),
            strict=True,
        )
    )
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shapes:
    """Coverages float32 [N, S, S] in [0, 1], each before anything in front of it is taken off; and the few measures that
    shading needs. `ridge`, `hills`, `treetops`, `shore` are heights y [N, 1, S] along the picture, `house` holds the
    parts of the house."""

    side: int
    x: np.ndarray
    y: np.ndarray
    sun: np.ndarray
    clouds: np.ndarray
    cloud_depth: np.ndarray
    mountains: np.ndarray
    ridge: np.ndarray
    facing: np.ndarray
    hills_cover: np.ndarray
    hills: np.ndarray
    forest: np.ndarray
    treetops: np.ndarray
    ground: np.ndarray
    depth: np.ndarray
    water: np.ndarray
    shore: np.ndarray
    road: np.ndarray
    road_across: np.ndarray
    wall: np.ndarray
    roof: np.ndarray
    gable: np.ndarray
    windows: np.ndarray
    door: np.ndarray

    def class_map(self) -> np.ndarray:
        """uint8 [N, S, S]: the class of the front-most thing that covers at least half of each pixel."""
        found = np.full(self.clouds.shape, LandscapeClass.SKY, np.uint8)
        for kind, cover in (
            (LandscapeClass.SUN, self.sun),
            (LandscapeClass.CLOUDS, self.clouds),
            (LandscapeClass.MOUNTAINS, np.maximum(self.mountains, self.hills_cover)),
            (LandscapeClass.MEADOW, self.ground),
            (LandscapeClass.WATER, self.water),
            (LandscapeClass.ROAD, self.road),
            (LandscapeClass.FOREST, self.forest),
            (LandscapeClass.HOUSE, np.maximum(self.wall, self.roof)),
        ):
            np.copyto(found, np.uint8(kind), where=cover >= 0.5)
        return found


def shapes_of(layout: Layout, side: int) -> Shapes:
    """The scenes on a grid of side² pixels."""
    grid = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = grid[None, None, :], grid[None, :, None]

    def inside(distance: np.ndarray) -> np.ndarray:
        """How much of a pixel lies inside, from the distance to the edge (inside > 0)."""
        cover: np.ndarray = (0.5 + distance * side).clip(0, 1)
        return cover

    sun = inside(layout.sun_radius - np.hypot(x - layout.sun_x, y - layout.sun_y))
    clouds, cloud_depth = _clouds(layout, x, y, side)
    ridge, facing = _ridge(layout, x, y, side)
    hills = (
        layout.horizon
        - layout.hills_height
        - layout.hills_swing * np.sin(5.0 * x + 2 * layout.hills_phase)
        - 0.4 * layout.hills_swing * np.sin(11.0 * x + 3 * layout.hills_phase)
        - 0.003 * ragged_line(21, side, 24)
    )
    ground = inside(y - layout.horizon)
    depth = ((y - layout.horizon) / (1 - layout.horizon)).clip(0, 1)
    treetops, forest_floor = _forest(layout, x, side)
    forest = inside(np.minimum(y - treetops, forest_floor - y))
    shore, water_distance = _water(layout, x, y, side)
    road_centre = (
        layout.road_to
        + (layout.road_from - layout.road_to) * depth
        + layout.road_bend * np.sin(np.pi * np.sqrt(depth)) * (1 - 0.4 * depth)
    )
    half_width = layout.road_width.clip(0) * (0.06 + 0.94 * depth**1.25)
    road_across = (x - road_centre) / (half_width + 1e-4)
    road = inside(half_width - np.abs(x - road_centre)) * ground * (layout.road_width * side).clip(0, 1)
    wall, roof, gable, windows, door = _house(layout, x, y, inside)
    return Shapes(
        side=side,
        x=x,
        y=y,
        sun=sun,
        clouds=clouds,
        cloud_depth=cloud_depth,
        mountains=inside(y - ridge),
        ridge=ridge,
        facing=facing,
        hills_cover=inside(y - hills),
        hills=hills,
        forest=forest,
        treetops=treetops,
        ground=ground,
        depth=depth,
        water=inside(water_distance) * ground,
        shore=shore,
        road=road,
        road_across=road_across,
        wall=wall,
        roof=roof,
        gable=gable,
        windows=windows,
        door=door,
    )


def _clouds(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Coverage, and how deep inside a cloud each pixel lies, -1 at its top to 1 at its flat base."""
    puffs = 0.16 * pattern(31, side, 9, 12, 3)[None]
    field = np.zeros((len(layout.horizon), side, side), np.float32)
    depth = np.zeros_like(field)
    for k in range(CLOUDS):
        width, height = layout.cloud_width[k].clip(0.005), layout.cloud_height[k]
        across, down = (x - layout.cloud_x[k]) / width, (y - layout.cloud_y[k]) / height
        # Flat below, billowing above.
        bulk = np.exp(-np.square(across)) * np.exp(-np.square(np.where(down > 0, 1.9 * down, down)))
        bulk *= (layout.cloud_width[k] * 16).clip(0, 1)
        depth += bulk * down.clip(-1, 1)
        field += bulk
    depth /= field + 1e-3
    cover = ((field * (1 + puffs) - 0.33) * 5.0 + 0.5).clip(0, 1)
    return cover * cover * (3 - 2 * cover), depth


def _ridge(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The line of the peaks, y [N, 1, S], and which flank each pixel lies on [N, S, S]: -1 left to 1 right of a crest
    that runs down from the summit in zigzags."""
    height = np.zeros((len(layout.horizon), 1, side), np.float32)
    crest = np.zeros_like(height)
    for k in range(PEAKS):
        slope = 1 - np.abs(x - layout.peak_x[k]) / layout.peak_width[k]
        own = layout.peak_height[k] * slope * (0.75 + 0.25 * slope)
        crest = np.where(own > height, layout.peak_x[k], crest)
        height = np.maximum(height, own)
    ragged = ragged_line(22, side, 14) * (0.02 * height + 0.003) * 2
    ridge = layout.horizon - height - ragged
    zigzag = 0.030 * pattern(23, side, 3, 11, 3)[None] + 0.012 * pattern(24, side, 20, 20, 2)[None]
    facing = np.tanh((x - crest - zigzag - 0.2 * (y - layout.horizon + height)) / 0.018)
    return ridge, facing


def _forest(layout: Layout, x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Tree tops and forest floor, y [N, 1, S]: masses at both sides, a belt along the horizon between them."""
    left = layout.forest_left * np.exp(-np.square(x / layout.forest_left_reach))
    right = layout.forest_right * np.exp(-np.square((1 - x) / layout.forest_right_reach))
    belt = layout.forest_middle * (1 + 0.5 * np.sin(7 * x + 2 * layout.hills_phase))
    tall = np.maximum(np.maximum(left, right), belt)
    spikes = tree_line(41, side, 34)
    broad = tree_line(42, side, 13)
    teeth = (0.02 + 0.14 * tall.clip(0)) * (0.7 * spikes + 0.5 * broad)
    exists = (tall * 60).clip(0, 1)
    treetops = layout.horizon - (0.8 * tall + teeth) * exists
    floor = layout.horizon + (0.012 + 0.55 * tall) * exists - 0.01 * (1 - exists) + 0.004 * ragged_line(43, side, 30)
    return treetops, np.where(exists > 0, floor, layout.horizon - 1)


def _water(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The far shore, y [N, 1, S], and the distance to the shore, > 0 on the water."""
    across = (x - layout.water_x) / layout.water_width
    wobble = 0.14 * np.sin(9 * x + layout.shore_phase) + 0.09 * np.sin(21 * x + 2 * layout.shore_phase)
    down = (y - layout.water_y) / (layout.water_height * (1 + wobble))
    reach = np.sqrt(np.square(across) + np.square(down)) + 1e-4
    distance = (1 - reach) * layout.water_height * (0.5 + layout.water_width).clip(0, 1)
    shore = layout.water_y - layout.water_height * np.sqrt((1 - np.square(across)).clip(0))
    shown = (layout.water_width * 10 - 0.6).clip(0, 1)
    return shore, np.where(shown > 0, distance - 0.02 * (1 - shown), -1.0)


def _house(
    layout: Layout, x: np.ndarray, y: np.ndarray, inside: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Wall, roof, gable (a part of the wall), windows and door; seen from one corner, the gable to the left."""
    nearness = (layout.house_y - layout.horizon) / (1 - layout.horizon)
    size = layout.house_size * (0.7 + 1.2 * nearness)
    u, v = (x - layout.house_x) / size, (layout.house_y - y) / size
    shown = ((layout.house_size - 0.03) * 80).clip(0, 1)

    def cover(distance: np.ndarray) -> np.ndarray:
        return inside(distance * size) * shown

    def box(left: float, right: float, bottom: float, top: float) -> np.ndarray:
        return cover(np.minimum(np.minimum(u - left, right - u), np.minimum(v - bottom, top - v)))

    pointed = 1.5 - 1.55 * np.abs(u + 0.5)
    gable = cover(np.minimum(np.minimum(u + 1, -u), np.minimum(v, pointed - v)))
    wall = np.maximum(gable, box(-1.0, 1.05, 0.0, 0.75))
    lean = 0.62 * (v - 0.72)
    slope = np.minimum(np.minimum(u + 0.02 + lean, 1.15 - 0.45 * (v - 0.72) - u), np.minimum(v - 0.72, 1.5 - v))
    eaves = np.minimum(0.09 - np.abs(v - pointed - 0.05) * 0.6, np.minimum(0.62 - np.abs(u + 0.5), v - 0.6))
    roof = cover(np.maximum(slope, eaves))
    windows = np.maximum(
        np.maximum(box(0.25, 0.47, 0.26, 0.54), box(0.66, 0.88, 0.26, 0.54)), box(-0.6, -0.4, 0.8, 1.05)
    )
    return wall, roof, gable, windows, box(-0.62, -0.36, 0.0, 0.5)
