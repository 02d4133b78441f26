"""The classes of rendered landscapes, and which pixels each thing in a scene covers, with soft edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import cv2
import numpy as np

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.landscapes.scene import CLOUDS, PEAKS, Layout


class LandscapeClass(IntEnum):
    """The `class_id` of each class in a landscape; from 1, because 0 means unknown in sparse labels."""

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


_SIDE = 512


@lru_cache(maxsize=64)
def pattern(seed: int, side: int, cells_x: float, cells_y: float, octaves: int = 3) -> np.ndarray:
    """Return smooth noise float32 [side, side] with mean 0 and standard deviation 1.

    The same seed gives the same pattern at every side: smaller ones are averages of a larger one.

    Args:
        cells_x, cells_y: bumps across and down the picture at the coarsest octave; each further octave doubles their
            number and halves their height.
    """
    draws = np.random.default_rng(seed)
    total = np.zeros((_SIDE, _SIDE), np.float32)
    for octave in range(octaves):
        across, down = (max(2, min(_SIDE, round(cells * 2**octave))) for cells in (cells_x, cells_y))
        grid = draws.standard_normal((down, across)).astype(np.float32)
        total += cv2.resize(grid, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC) / 2**octave
    scaled = (total - total.mean()) / total.std()
    found: np.ndarray = cv2.resize(scaled, (side, side), interpolation=cv2.INTER_AREA)
    return found


@lru_cache(maxsize=16)
def tree_line(seed: int, side: int, trees: int) -> np.ndarray:
    """Return the upper outline of a row of conifers, float32 [1, side]: 0 between trees, at most 1 at a tip."""
    draws = np.random.default_rng(seed)
    x = (np.arange(side, dtype=np.float32)[None] + 0.5) / side
    at = (np.arange(trees) + draws.uniform(0.1, 0.9, trees)) / trees
    tall = draws.uniform(0.45, 1.0, trees)
    wide = draws.uniform(0.7, 1.1, trees) / trees
    outline = np.zeros((1, side), np.float32)
    for centre, height, width in zip(at, tall, wide, strict=True):
        outline = np.maximum(outline, height * (1 - np.abs(x - centre) / width).clip(0))
    found: np.ndarray = outline.astype(np.float32)
    return found


@lru_cache(maxsize=16)
def ragged_line(seed: int, side: int, cells: int, octaves: int = 4) -> np.ndarray:
    """Return a ragged line float32 [1, side] with mean 0 and standard deviation 1."""
    line: np.ndarray = pattern(seed, side, cells, 2, octaves)[side // 2][None]
    return line


_SUN_RADIUS = 0.052
_CLOUD_Y = (0.20, 0.11, 0.18)
_PEAK_WIDTH = 0.30
_FOREST_REACH = 0.28


@dataclass(frozen=True, eq=False)
class Shapes:
    """Coverages float32 [N, S, S] in [0, 1], each before what is in front of it is subtracted; and measures for
    shading. `ridge`, `hills`, `treetops`, `shore` are heights y [N, 1, S] along the picture; `wall`, `roof`, `gable`,
    `windows` and `door` are the parts of the house."""

    side: int
    distances: np.ndarray
    """float32 [N, 9, S, S]: how deep inside each thing a pixel lies (below 0: outside), in drawing order."""
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
        """Return uint8 [N, S, S]: the class of the front-most thing that covers at least half of each pixel."""
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
    """Rasterise the scenes on a grid of side² pixels."""
    grid = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = grid[None, None, :], grid[None, :, None]

    def inside(distance: np.ndarray) -> np.ndarray:
        """Return the share of each pixel that lies inside, from its distance to the edge (inside > 0)."""
        cover: np.ndarray = (0.5 + distance * side).clip(0, 1)
        return cover

    sun = _SUN_RADIUS - np.hypot(x - layout.sun_x, y - layout.sun_y)
    clouds, cloud_bulk, cloud_depth = _clouds(layout, x, y, side)
    ridge, facing = _ridge(layout, x, y, side)
    hills = _hills(layout, x, side)
    ground = inside(y - layout.horizon)
    depth = ((y - layout.horizon) / (1 - layout.horizon)).clip(0, 1)
    treetops, forest_floor = _forest(layout, x, side)
    forest = np.minimum(y - treetops, forest_floor - y)
    shore, water = _water(layout, x, y, side)
    road_distance, road_across = _road(layout, x, depth)
    road = inside(road_distance) * ground * (layout.road_width * side).clip(0, 1)
    wall, roof, gable, windows, door, house = _house(layout, x, y, inside)
    fields = (sun, 0.1 * cloud_bulk, y - ridge, y - hills, y - layout.horizon, water, road_distance, forest, house)
    whole = (len(layout.horizon), side, side)
    return Shapes(
        side=side,
        distances=np.stack([np.broadcast_to(field, whole) for field in fields], 1),
        x=x,
        y=y,
        sun=inside(sun),
        clouds=clouds,
        cloud_depth=cloud_depth,
        mountains=inside(y - ridge),
        ridge=ridge,
        facing=facing,
        hills_cover=inside(y - hills),
        hills=hills,
        forest=inside(forest),
        treetops=treetops,
        ground=ground,
        depth=depth,
        water=inside(water) * ground,
        shore=shore,
        road=road,
        road_across=road_across,
        wall=wall,
        roof=roof,
        gable=gable,
        windows=windows,
        door=door,
    )


def _clouds(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the coverage, the density that it comes from (0 at the edge), and each pixel's height in its cloud, from
    -1 at the top to 1 at the flat base."""
    puffs = 0.16 * pattern(31, side, 9, 12, 3)[None]
    field = np.zeros((len(layout.horizon), side, side), np.float32)
    depth = np.zeros_like(field)
    for k in range(CLOUDS):
        width, height = layout.cloud_width[k].clip(0.005), 0.02 + 0.28 * layout.cloud_width[k].clip(0.03)
        across, down = (x - layout.cloud_x[k]) / width, (y - _CLOUD_Y[k]) / height
        # Flat below, billowing above.
        bulk = np.exp(-np.square(across)) * np.exp(-np.square(np.where(down > 0, 1.9 * down, down)))
        bulk *= (layout.cloud_width[k] * 16).clip(0, 1)
        depth += bulk * down.clip(-1, 1)
        field += bulk
    depth /= field + 1e-3
    bulk = field * (1 + puffs) - 0.33
    cover = (5.0 * bulk + 0.5).clip(0, 1)
    return cover * cover * (3 - 2 * cover), bulk, depth


def _ridge(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the line of the peaks, y [N, 1, S], and the flank of each pixel [N, S, S]: -1 left to 1 right of a crest
    that zigzags down from the summit."""
    height = np.zeros((len(layout.horizon), 1, side), np.float32)
    crest = np.zeros_like(height)
    for k in range(PEAKS):
        slope = 1 - np.abs(x - layout.peak_x[k]) / _PEAK_WIDTH
        own = layout.peak_height[k] * slope * (0.75 + 0.25 * slope)
        crest = np.where(own > height, layout.peak_x[k], crest)
        height = np.maximum(height, own)
    ragged = ragged_line(22, side, 14) * (0.02 * height + 0.003) * 2
    ridge = layout.horizon - height - ragged
    zigzag = 0.030 * pattern(23, side, 3, 11, 3)[None] + 0.012 * pattern(24, side, 20, 20, 2)[None]
    facing = np.tanh((x - crest - zigzag - 0.2 * (y - layout.horizon + height)) / 0.018)
    return ridge, facing


def _hills(layout: Layout, x: np.ndarray, side: int) -> np.ndarray:
    """Return the upper edge of the hills in front of the mountains, y [N, 1, S]."""
    hills: np.ndarray = (
        layout.horizon
        - layout.hills_height
        - layout.hills_swing * np.sin(5.0 * x)
        - 0.4 * layout.hills_swing * np.sin(11.0 * x)
        - 0.003 * ragged_line(21, side, 24)
    )
    return hills


def _road(layout: Layout, x: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance to the nearest edge, > 0 on the road, and the position across it, -1 to 1 between edges.

    depth: 0 at the horizon to 1 at the lower edge of the picture.
    """
    centre = (
        layout.road_to
        + (layout.road_from - layout.road_to) * depth
        + layout.road_bend * np.sin(np.pi * np.sqrt(depth)) * (1 - 0.4 * depth)
    )
    half_width = layout.road_width.clip(0) * (0.06 + 0.94 * depth**1.25)
    return half_width - np.abs(x - centre), (x - centre) / (half_width + 1e-4)


def _forest(layout: Layout, x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return treetops and forest floor, y [N, 1, S]: a wood at either side, and a belt along the horizon between."""
    left = layout.forest_left * np.exp(-np.square(x / _FOREST_REACH))
    right = layout.forest_right * np.exp(-np.square((1 - x) / _FOREST_REACH))
    belt = layout.forest_middle * (1 + 0.5 * np.sin(7 * x))
    tall = np.maximum(np.maximum(left, right), belt)
    spikes = tree_line(41, side, 34)
    broad = tree_line(42, side, 13)
    teeth = (0.02 + 0.14 * tall.clip(0)) * (0.7 * spikes + 0.5 * broad)
    exists = (tall * 60).clip(0, 1)
    treetops = layout.horizon - (0.8 * tall + teeth) * exists
    floor = layout.horizon + (0.012 + 0.55 * tall) * exists - 0.01 * (1 - exists) + 0.004 * ragged_line(43, side, 30)
    return treetops, np.where(exists > 0, floor, layout.horizon - 1)


def _water(layout: Layout, x: np.ndarray, y: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the far shore, y [N, 1, S], and the distance to the nearest shore, > 0 on the water."""
    across = (x - layout.water_x) / layout.water_width
    height = 0.03 + 0.20 * layout.water_width
    wobble = 0.14 * np.sin(9 * x + 1) + 0.09 * np.sin(21 * x + 2)
    down = (y - layout.water_y) / (height * (1 + wobble))
    reach = np.sqrt(np.square(across) + np.square(down)) + 1e-4
    distance = (1 - reach) * height * (0.5 + layout.water_width).clip(0, 1)
    shore = layout.water_y - height * np.sqrt((1 - np.square(across)).clip(0))
    shown = (layout.water_width * 10 - 0.6).clip(0, 1)
    return shore, np.where(shown > 0, distance - 0.02 * (1 - shown), -1.0)


def _house(
    layout: Layout, x: np.ndarray, y: np.ndarray, inside: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return wall, roof, gable (a part of the wall), windows, door, and the distance to the outline.

    The house is seen from one corner, with the gable to the left.
    """
    nearness = (layout.house_y - layout.horizon) / (1 - layout.horizon)
    size = layout.house_size * (0.7 + 1.2 * nearness)
    u, v = (x - layout.house_x) / size, (layout.house_y - y) / size
    shown = ((layout.house_size - 0.03) * 80).clip(0, 1)

    def cover(distance: np.ndarray) -> np.ndarray:
        covered: np.ndarray = inside(distance * size) * shown
        return covered

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
    door = box(-0.62, -0.36, 0.0, 0.5)
    outline = size * np.minimum(1.1 - np.abs(u), np.minimum(v, 1.5 - v)) - 0.1 * (1 - shown)
    return wall, roof, gable, windows, door, outline
