"""The scene of a landscape: where things are, and in which light.

Every number of it is a smooth function of the latent `z`. So a known latent gives the scene of its picture, and with it
the exact class of every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FIRST_LIGHT = 64
"""Numbers of `z` before this one decide what stands where, those from here on the light; most are not used."""

PEAKS = 3
CLOUDS = 3


@dataclass(frozen=True, eq=False)
class Layout:
    """Where things are in N scenes. Every array is float32 [N, 1, 1].

    x runs from 0 to 1 across the picture, y from 0 at its top to 1, and sizes are fractions of its side.
    """

    horizon: np.ndarray
    sun_x: np.ndarray
    sun_y: np.ndarray
    cloud_x: tuple[np.ndarray, ...]
    cloud_width: tuple[np.ndarray, ...]
    peak_x: tuple[np.ndarray, ...]
    peak_height: tuple[np.ndarray, ...]
    hills_height: np.ndarray
    hills_swing: np.ndarray
    forest_left: np.ndarray
    forest_right: np.ndarray
    forest_middle: np.ndarray
    water_x: np.ndarray
    water_y: np.ndarray
    water_width: np.ndarray
    road_from: np.ndarray
    road_to: np.ndarray
    road_bend: np.ndarray
    road_width: np.ndarray
    house_x: np.ndarray
    house_y: np.ndarray
    house_size: np.ndarray


@dataclass(frozen=True, eq=False)
class Light:
    """Light and colours of N scenes. Every array is float32 [N, 1, 1] in [0, 1]."""

    hour: np.ndarray
    """From dawn over noon and sunset to night."""
    season: np.ndarray
    """The season of the leaves, from fresh green to autumn."""
    haze: np.ndarray
    warmth: np.ndarray
    snow: np.ndarray
    wall: np.ndarray
    roof: np.ndarray
    water: np.ndarray
    flowers: np.ndarray
    clouds: np.ndarray


def layout_of(z: np.ndarray) -> Layout:
    """Return the layout of the scenes of `z` float [N, D], D ≥ 64.

    Only the direction of `z` counts, not its length, as in StyleGAN's mapping network.
    """
    draw = _Draws(z)
    horizon = draw.between(0.46, 0.58)
    side = np.tanh(2.5 * draw.normal())
    road_from = 0.5 - side * draw.between(0.02, 0.30)
    road_to = 0.5 - side * draw.between(0.0, 0.28)
    cloud_width = tuple(draw.between(-0.02, 0.20) for _ in range(CLOUDS))
    water_width = draw.between(0.02, 0.52)
    return Layout(
        horizon=horizon,
        sun_x=draw.between(0.10, 0.90),
        sun_y=horizon - draw.between(0.10, 0.36),
        cloud_x=tuple(draw.between(low, low + 0.24) for low in (0.06, 0.38, 0.70)),
        cloud_width=cloud_width,
        peak_x=tuple(draw.between(low, low + 0.14) for low in (0.10, 0.43, 0.76)),
        peak_height=tuple(draw.between(0.04, 0.30) for _ in range(PEAKS)),
        hills_height=draw.between(0.01, 0.07),
        hills_swing=draw.between(-0.04, 0.04),
        forest_left=draw.between(-0.06, 0.26),
        forest_right=draw.between(-0.06, 0.26),
        forest_middle=draw.between(-0.03, 0.05),
        water_x=0.5 + side * 0.28,
        water_y=horizon + (1 - horizon) * draw.between(0.24, 0.62),
        water_width=water_width,
        road_from=road_from,
        road_to=road_to,
        road_bend=draw.between(-0.16, 0.16),
        road_width=draw.between(-0.01, 0.13),
        house_x=road_to + (road_from - road_to) * 0.25 - side * 0.15,
        house_y=horizon + (1 - horizon) * draw.between(0.14, 0.40),
        house_size=draw.between(0.02, 0.14),
    )


def light_of(z: np.ndarray) -> Light:
    """Return the light of the scenes, for `z` float [N, D], D ≥ 80, of which only the direction counts."""
    draw = _Draws(z, _FIRST_LIGHT)
    return Light(*(draw.between(0.0, 1.0) for _ in range(10)))


class _Draws:
    """Returns the numbers of `z` one after the other, each once."""

    def __init__(self, z: np.ndarray, first: int = 0) -> None:
        length = np.sqrt(np.square(z).mean(1, keepdims=True))
        self._z = (z / length).astype(np.float32)
        self._next = first

    def normal(self) -> np.ndarray:
        found: np.ndarray = self._z[:, self._next, None, None]
        self._next += 1
        return found

    def between(self, low: float, high: float) -> np.ndarray:
        """Return the next number, made uniform in [low, high] by the normal distribution function.

        That is approximated by tanh, as usual.
        """
        x = self.normal()
        share = 0.5 + 0.5 * np.tanh(0.7978846 * (x + 0.044715 * x**3))
        found: np.ndarray = np.float32(low) + np.float32(high - low) * share
        return found
