"""Taking times, and the figures that are told of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

_WARM_UPS = 2

Work = Callable[[], object]
Figures = dict[str, float]
"""Milliseconds: `median`, `p95`, `p99`."""


def interleaved(works: Mapping[str, Work], repeats: int, told: Callable[[float], None]) -> dict[str, list[float]]:
    """Milliseconds of `repeats` runs of each work, taking turns, so that all of them see the same machine.

    Each is run twice before it counts. `told` hears the fraction done, 0–1.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    rounds = _WARM_UPS + repeats
    for number in range(rounds):
        told(number / rounds)
        for name, work in works.items():
            _finish()
            started = time.perf_counter()
            work()
            _finish()
            if number >= _WARM_UPS:
                taken[name].append(1000 * (time.perf_counter() - started))
    told(1.0)
    return taken


def figures(milliseconds: list[float]) -> Figures:
    """Median and high percentiles (interpolated; of few runs p99 is hardly more than the slowest)."""
    median, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    return {"median": round(float(median), 4), "p95": round(float(p95), 4), "p99": round(float(p99), 4)}


def ratio(these: list[float], those: list[float]) -> float:
    """Median of the ratios round by round: what slows the machine down in a round slows both."""
    return round(float(np.median(np.array(these) / np.array(those))), 4)


def _finish() -> None:
    """Wait for an accelerator: its calls return before it is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
