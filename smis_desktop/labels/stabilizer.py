"""The stabiliser: a shaky hand's points, smoothed as they come."""

from __future__ import annotations

from dataclasses import dataclass

from smis_desktop.labels.brush import Point


@dataclass(frozen=True)
class PenPoint:
    """Where the pen is, and how hard it presses (0–1)."""

    at: Point
    pressure: float = 1.0


class Stabilizer:
    """Weighted smoothing: each point is an exponentially weighted mean of those before it.

    strength: 0 (off: points pass unchanged) to 1 (very slow to follow). One for each stroke.
    """

    def __init__(self, strength: float) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"a stabiliser's strength is 0 to 1, not {strength}")
        self._follow = 1 - 0.95 * strength
        self._smooth: PenPoint | None = None
        self._raw: PenPoint | None = None

    def push(self, point: PenPoint) -> PenPoint:
        """The smoothed point to draw to."""
        self._raw = point
        last = self._smooth
        if last is None or self._follow == 1:
            self._smooth = point
        else:
            self._smooth = PenPoint(
                (
                    last.at[0] + self._follow * (point.at[0] - last.at[0]),
                    last.at[1] + self._follow * (point.at[1] - last.at[1]),
                ),
                last.pressure + self._follow * (point.pressure - last.pressure),
            )
        return self._smooth

    def finish(self) -> PenPoint | None:
        """Where the pen was lifted, when the smoothed line has not come there yet: strokes end where the hand did."""
        if self._raw is None or self._smooth is None or self._raw.at == self._smooth.at:
            return None
        return self._raw
