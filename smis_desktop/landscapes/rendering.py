"""Renders landscapes: their shapes in the colours of a time of day and a season."""

from __future__ import annotations

import cv2
import numpy as np

from smis_desktop.landscapes.scene import Layout, Light, layout_of, light_of
from smis_desktop.landscapes.shapes import Shapes, pattern, shapes_of

_OVERSAMPLING = 2

# sRGB at the hours of the day, from dawn to night.
_SKY_TOP = ((104, 132, 196), (84, 148, 224), (52, 118, 214), (84, 136, 204), (78, 70, 142), (34, 36, 90), (8, 12, 38))
_SKY_LOW = (
    (252, 204, 178), (214, 230, 240), (186, 218, 242), (250, 222, 170), (255, 142, 80), (196, 104, 122), (40, 58, 104),
)  # fmt: skip
_SUN = (
    (255, 240, 206), (255, 252, 234), (255, 253, 240), (255, 244, 200), (255, 208, 112), (255, 190, 150),
    (238, 242, 252),
)  # fmt: skip
_LIT = (
    (244, 222, 214), (255, 250, 238), (262, 260, 252), (272, 246, 202), (226, 156, 124), (128, 106, 136), (62, 76, 116),
)  # fmt: skip
_SHADE = (
    (150, 150, 184), (150, 168, 200), (146, 166, 200), (160, 146, 168), (116, 86, 118), (62, 56, 94), (24, 30, 60),
)  # fmt: skip
_LAMPS = (30, 0, 0, 10, 90, 200, 255)


def render(z: np.ndarray, side: int, light_z: np.ndarray | None = None) -> np.ndarray:
    """Render the landscapes of `z` [N, D] as pictures float32 [N, side, side, 3], sRGB in [0, 1].

    light_z: [N, D], where the light is to come from other latents than `z`.
    """
    return paint(layout_of(z), light_of(z if light_z is None else light_z), side)


def class_map(z: np.ndarray, side: int) -> np.ndarray:
    """Return the exact classes of the landscapes of `z` [N, D]: uint8 [N, side, side], ids as in `LandscapeClass`."""
    return shapes_of(layout_of(z), side).class_map()


def paint(layout: Layout, light: Light, side: int) -> np.ndarray:
    """Render N scenes as pictures float32 [N, side, side, 3], sRGB in [0, 1]."""
    shapes = shapes_of(layout, _OVERSAMPLING * side)
    picture = _Painter(layout, light, shapes).picture()
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in picture])


class _Painter:
    """Paints from back to front, each thing over those behind it. Colours are float32 [..., 3] in [0, 1]."""

    def __init__(self, layout: Layout, light: Light, shapes: Shapes) -> None:
        self._layout, self._light, self._shapes = layout, light, shapes
        hour = light.hour[:, 0, 0]
        self._top, self._low, self._sun, self._lit, self._shade = (
            _at_hour(keys, hour) for keys in (_SKY_TOP, _SKY_LOW, _SUN, _LIT, _SHADE)
        )
        self._lamps = _at_hour(tuple((k, k, k) for k in _LAMPS), hour)
        warmth = (light.warmth - 0.5)[..., None] * np.array((0.10, 0.02, -0.10), np.float32)
        self._lit = self._lit * (1 + warmth)
        self._low = (self._low * (1 + 0.5 * warmth)).clip(0, 1)

    def picture(self) -> np.ndarray:
        sky = self._sky()
        picture = sky
        picture = _over(picture, self._cloud_color(picture), self._shapes.clouds)
        picture = _over(picture, self._mountain_color(), self._shapes.mountains)
        picture = _over(picture, self._hill_color(), self._shapes.hills_cover)
        picture = _over(picture, self._meadow_color(), self._shapes.ground)
        picture = _over(picture, self._water_color(sky), self._shapes.water)
        picture = _over(picture, self._road_color(), self._shapes.road)
        picture = _over(picture, self._forest_color(), self._shapes.forest)
        picture = self._house(picture)
        glow = self._glow(0.30)
        picture = picture + glow * (1 - picture) * 0.30
        bounded: np.ndarray = picture.clip(0, 1).astype(np.float32)
        return bounded

    def _texture(self, seed: int, across: float, down: float, octaves: int = 3) -> np.ndarray:
        return pattern(seed, self._shapes.side, across, down, octaves)[None, ..., None]

    def _in_light(self, color: np.ndarray, lit: np.ndarray | float) -> np.ndarray:
        """Return a surface's colour in the sun (lit 1) or in shadow (0); lit is [N, S, S] or a number."""
        share = lit[..., None] if isinstance(lit, np.ndarray) else lit
        seen: np.ndarray = color * (self._shade + (self._lit - self._shade) * share)
        return seen

    def _hazy(self, color: np.ndarray, distance: np.ndarray | float) -> np.ndarray:
        """Blend a colour towards the low sky by its distance, [N, S, S] or a number in [0, 1]."""
        share = distance[..., None] if isinstance(distance, np.ndarray) else distance
        amount = share * (0.35 + 0.5 * self._light.haze[..., None])
        seen: np.ndarray = color + (0.88 * self._low + 0.12 * self._top - color) * amount
        return seen

    def _glow(self, reach: float) -> np.ndarray:
        away = np.hypot(self._shapes.x - self._layout.sun_x, self._shapes.y - self._layout.sun_y)
        found: np.ndarray = self._sun * np.exp(-np.square(away / reach))[..., None]
        return found

    def _sky(self) -> np.ndarray:
        rise = (self._shapes.y / self._layout.horizon).clip(0, 1)[..., None]
        sky = self._top + (self._low - self._top) * rise**1.5
        sky = sky + self._glow(0.22) * (1 - sky) * 0.55
        return _over(sky, self._sun, self._shapes.sun)

    def _cloud_color(self, sky: np.ndarray) -> np.ndarray:
        shapes = self._shapes
        texture = self._texture(51, 10, 14, 3)
        lit = (0.62 - 0.55 * shapes.cloud_depth)[..., None] + 0.10 * texture
        dark = 0.55 * self._shade + 0.45 * self._low
        bright = 0.72 * self._lit.clip(0, 1) + 0.28 * self._sun
        color = dark + (bright - dark) * lit.clip(0, 1)
        storm = 0.35 * self._light.clouds[..., None] - 0.1
        clouds: np.ndarray = color + (self._shade - color) * storm.clip(0, 1)
        return clouds

    def _mountain_color(self) -> np.ndarray:
        shapes, layout = self._shapes, self._layout
        sunward = np.tanh((layout.sun_x - 0.5) * 5)
        texture = self._texture(52, 16, 22, 3)[..., 0]
        lit = (0.5 + 0.42 * shapes.facing * sunward + 0.13 * texture).clip(0, 1)
        rock = np.array((0.48, 0.45, 0.46), np.float32) * (1 + 0.10 * self._texture(53, 6, 30, 2))
        height = layout.horizon - shapes.y
        below = (shapes.y - shapes.ridge) / 0.3
        line = 0.30 - 0.24 * self._light.snow + 0.020 * self._texture(54, 16, 12, 2)[..., 0]
        snow = ((height - line) / 0.02 + 0.5).clip(0, 1) * (1.15 - below).clip(0, 1)
        color = rock + (np.array((0.95, 0.97, 1.0), np.float32) - rock) * snow[..., None]
        foot = (1 - height / 0.22).clip(0, 1)
        return self._hazy(self._in_light(color, lit), 0.25 + 0.50 * foot)

    def _hill_color(self) -> np.ndarray:
        leaves = self._leaves(np.array((0.30, 0.42, 0.26), np.float32), 0.5)
        below = ((self._shapes.y - self._shapes.hills) / 0.07).clip(0, 1)
        lit = (0.75 - 0.45 * below + 0.12 * self._texture(55, 30, 40, 2)[..., 0]).clip(0, 1)
        return self._hazy(self._in_light(leaves, lit), 0.62)

    def _leaves(self, green: np.ndarray, strength: float) -> np.ndarray:
        """Return a green that the season turns towards gold and russet."""
        autumn = ((self._light.season - 0.45) * 2.2).clip(0, 1)[..., None] * strength
        fresh = (0.45 - self._light.season).clip(0, 1)[..., None] * 0.35
        gold = np.array((0.66, 0.42, 0.14), np.float32)
        found: np.ndarray = green + (gold - green) * autumn + np.array((0.10, 0.16, -0.02), np.float32) * fresh
        return found

    def _meadow_color(self) -> np.ndarray:
        shapes = self._shapes
        near = shapes.depth[..., None]
        grass = self._leaves(np.array((0.40, 0.56, 0.20), np.float32), 0.55)
        rows = self._texture(56, 7, 22, 3)
        blades = self._texture(57, 60, 90, 2)
        color = grass * (1.10 - 0.28 * near) * (1 + 0.07 * rows + (0.02 + 0.09 * near) * blades)
        specks = ((self._texture(58, 70, 70, 1) - 1.75) * 3).clip(0, 1) * (near * 1.6).clip(0, 1)
        blossom = np.array((0.98, 0.80, 0.30), np.float32) + self._light.wall[..., None] * np.array(
            (0.0, -0.35, 0.45), np.float32
        )
        color = color + (blossom - color) * specks * (1.4 * self._light.flowers[..., None] - 0.3).clip(0, 1)
        lit = (0.72 + 0.16 * self._texture(59, 4, 9, 2)[..., 0]).clip(0, 1)
        return self._hazy(self._in_light(color, lit), 0.75 * (1 - shapes.depth) ** 3)

    def _water_color(self, sky: np.ndarray) -> np.ndarray:
        shapes, layout = self._shapes, self._layout
        # The mirror image: how far below the far shore a pixel lies gives how high above the horizon it looks.
        below = (shapes.y - shapes.shore).clip(0, 1)
        rise = (1 - below / layout.horizon * 1.2).clip(0, 1)[..., None]
        mirrored = self._top + (self._low - self._top) * rise**1.3
        ripples = self._texture(60, 8, 60, 2)[..., 0]
        shaken = below + 0.004 * ripples
        peaks = layout.horizon - shapes.ridge
        mountain = ((peaks * 0.8 - shaken) * 60 + 0.5).clip(0, 1)[..., None]
        far = self._hazy(self._in_light(np.array((0.40, 0.40, 0.42), np.float32), 0.45), 0.45)
        mirrored = mirrored + (far - mirrored) * mountain * 0.75
        trees = ((layout.horizon - shapes.treetops) * 0.8 - shaken) * 60 + 0.5
        dark = self._in_light(self._leaves(np.array((0.12, 0.22, 0.12), np.float32), 0.6), 0.3)
        mirrored = mirrored + (dark - mirrored) * trees.clip(0, 1)[..., None] * 0.8
        deep = self._in_light(
            np.array((0.10, 0.30, 0.40), np.float32)
            + self._light.water[..., None] * np.array((0.02, 0.14, 0.10), np.float32),
            0.6,
        )
        color = mirrored * 0.66 + deep * 0.34
        color = color * (1 + 0.06 * ripples[..., None])
        path = np.exp(-np.square((shapes.x - layout.sun_x) / (0.045 + 0.10 * below)))
        sparkle = (path * (0.5 + 0.5 * ripples)).clip(0, 1)[..., None]
        water: np.ndarray = color + (self._sun - color) * sparkle * 0.65
        return water

    def _road_color(self) -> np.ndarray:
        shapes = self._shapes
        earth = np.array((0.70, 0.60, 0.46), np.float32) * (1 + 0.07 * self._texture(61, 40, 60, 2))
        tracks = np.exp(-np.square((np.abs(shapes.road_across) - 0.5) / 0.2))[..., None]
        color = earth * (1 - 0.20 * tracks)
        edge = np.square(shapes.road_across).clip(0, 1)[..., None]
        color = color * (1 - 0.12 * edge)
        return self._hazy(self._in_light(color, 0.78), 0.6 * (1 - shapes.depth) ** 3)

    def _forest_color(self) -> np.ndarray:
        shapes = self._shapes
        down = ((shapes.y - shapes.treetops) / 0.22).clip(0, 1)
        crowns = self._texture(62, 26, 20, 3)[..., 0]
        needles = self._texture(63, 80, 60, 1)[..., 0]
        leaves = self._leaves(np.array((0.20, 0.36, 0.18), np.float32), 0.9)
        leaves = leaves * (1 + 0.16 * self._texture(64, 12, 3, 2))
        lit = (0.62 - 0.50 * down + 0.20 * crowns + 0.08 * needles).clip(0, 1)
        far = 0.30 * np.exp(-np.square((self._layout.horizon - shapes.treetops) / 0.07))
        return self._hazy(self._in_light(leaves, lit), np.broadcast_to(far, lit.shape))

    def _house(self, picture: np.ndarray) -> np.ndarray:
        shapes, light = self._shapes, self._light
        walls = np.array((0.94, 0.90, 0.82), np.float32) + light.wall[..., None] * np.array(
            (-0.06, -0.28, -0.40), np.float32
        )
        roofs = np.array((0.66, 0.26, 0.18), np.float32) + light.roof[..., None] * np.array(
            (-0.36, 0.04, 0.16), np.float32
        )
        leftward = np.tanh((self._layout.house_x - self._layout.sun_x) * 4)
        front = 0.68 + 0.26 * leftward
        planks = 1 + 0.03 * self._texture(65, 4, 110, 1)
        tiles = 1 + 0.06 * self._texture(66, 30, 110, 1)
        gable_light = np.where(shapes.gable > 0.5, front, 1.36 - front)
        picture = _over(picture, self._in_light(walls * planks, gable_light), shapes.wall)
        picture = _over(picture, self._in_light(np.array((0.32, 0.20, 0.13), np.float32), 0.6), shapes.door)
        glass = self._in_light(np.array((0.30, 0.38, 0.46), np.float32), 0.6)
        lamp = np.array((1.0, 0.82, 0.44), np.float32)
        picture = _over(picture, glass + (lamp - glass) * self._lamps, shapes.windows)
        return _over(picture, self._in_light(roofs * tiles, 0.86), shapes.roof)


def _over(behind: np.ndarray, color: np.ndarray, cover: np.ndarray) -> np.ndarray:
    both: np.ndarray = behind + (color - behind) * cover[..., None]
    return both


def _at_hour(keys: tuple[tuple[int, int, int], ...], hour: np.ndarray) -> np.ndarray:
    """Interpolate between the colours of the hours: [N, 1, 1, 3], for hour [N] in [0, 1]."""
    at = np.linspace(0, 1, len(keys))
    channels = [np.interp(hour, at, [key[c] for key in keys]) for c in range(3)]
    found: np.ndarray = (np.stack(channels, -1) / 255).astype(np.float32)[:, None, None]
    return found
