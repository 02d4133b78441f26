"""Which pixels each thing of a landscape covers, with soft edges, and the classes.

learned.
"""

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


_SIDE = 512


@lru_cache(maxsize=64)
def pattern(seed: int, side: int, cells_x: float, cells_y: float, octaves: int = 3) -> np.ndarray:
    """Smooth noise float32 [side, side], mean 0, standard deviation 1. cells: how many bumps across and down the
    picture at the coarsest octave; each octave doubles them and halves their height.

    One pattern a seed, whatever the side: smaller ones are averages of larger ones.
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
    """The upper outline of a row of conifers, float32 [1, side]: 0 between them, up to 1 at the tip of the tallest."""
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
    """A ragged line float32 [1, side], mean 0, standard deviation 1: the teeth of a ridge."""
    line: np.ndarray = pattern(seed, side, cells, 2, octaves)[side // 2][None]
    return line


_SUN_RADIUS = 0.052
_CLOUD_Y = (0.20, 0.11, 0.18)
_PEAK_WIDTH = 0.30
_FOREST_REACH = 0.28


@dataclass(frozen=True, eq=False)
class Shapes:
    """Coverages float32 [N, S, S] in [0, 1], each before anything in front of it is taken off; and the few measures
    that shading needs. `ridge`, `hills`, `treetops`, `shore` are heights y [N, 1, S] along the picture; `wall`, `roof`,
    `gable`, `windows` and `door` are the parts of the house."""

    side: int
    distances: np.ndarray
    """float32 [N, 9, S, S]: how deep inside each thing a pixel lies (below 0: outside), in the order of the drawing."""
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

    sun = _SUN_RADIUS - np.hypot(x - layout.sun_x, y - layout.sun_y)
    clouds, cloud_bulk, cloud_depth = _clouds(layout, x, y, side)
    ridge, facing = _ridge(layout, x, y, side)
    hills = (
        layout.horizon
        - layout.hills_height
        - layout.hills_swing * np.sin(5.0 * x)
        - 0.4 * layout.hills_swing * np.sin(11.0 * x)
        - 0.003 * ragged_line(21, side, 24)
    )
    ground = inside(y - layout.horizon)
    depth = ((y - layout.horizon) / (1 - layout.horizon)).clip(0, 1)
    treetops, forest_floor = _forest(layout, x, side)
    forest = np.minimum(y - treetops, forest_floor - y)
    shore, water = _water(layout, x, y, side)
    road_centre = (
        layout.road_to
        + (layout.road_from - layout.road_to) * depth
        + layout.road_bend * np.sin(np.pi * np.sqrt(depth)) * (1 - 0.4 * depth)
    )
    half_width = layout.road_width.clip(0) * (0.06 + 0.94 * depth**1.25)
    road_across = (x - road_centre) / (half_width + 1e-4)
    road_distance = half_width - np.abs(x - road_centre)
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
    """Coverage, the bulk that it comes of (0 at the edge), and how deep inside a cloud each pixel lies, -1 at its top
    to 1 at its flat base."""
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
    """The line of the peaks, y [N, 1, S], and which flank each pixel lies on [N, S, S]: -1 left to 1 right of a crest
    that runs down from the summit in zigzags."""
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


def _forest(layout: Layout, x: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Tree tops and forest floor, y [N, 1, S]: masses at both sides, a belt along the horizon between them."""
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
    """The far shore, y [N, 1, S], and the distance to the shore, > 0 on the water."""
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
    """Wall, roof, gable (a part of the wall), windows, door, and the distance to the outline; seen from one corner, the
    gable to the left."""
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
