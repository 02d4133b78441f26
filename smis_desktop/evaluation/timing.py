"""Measures times, compares them with an earlier run, and describes the machine."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smis_desktop.errors import UserError

_WARM_UPS = 2

Work = Callable[[], object]
Figures = dict[str, float]
"""Milliseconds: `median`, `p95`, `p99`."""


def interleaved(works: Mapping[str, Work], repeats: int, progress: Callable[[float], None]) -> dict[str, list[float]]:
    """Return the milliseconds of `repeats` runs of each work. They take turns, so that all see the same machine.

    Each runs twice before it counts. progress: receives the fraction done, 0–1.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    rounds = _WARM_UPS + repeats
    for number in range(rounds):
        progress(number / rounds)
        for name, work in works.items():
            _synchronize()
            started = time.perf_counter()
            work()
            _synchronize()
            if number >= _WARM_UPS:
                times[name].append(1000 * (time.perf_counter() - started))
    progress(1.0)
    return times


def figures(milliseconds: list[float]) -> Figures:
    """Return median and high percentiles (interpolated: with few runs, p99 is close to the slowest)."""
    median, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    return {"median": round(float(median), 4), "p95": round(float(p95), 4), "p99": round(float(p99), 4)}


def ratio(times: list[float], others: list[float]) -> float:
    """Return the median of the ratios round by round: a disturbance in a round slows both."""
    return round(float(np.median(np.array(times) / np.array(others))), 4)


def _synchronize() -> None:
    """Wait for the accelerator: its calls return before its work is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def read_earlier_run(path: Path) -> dict[str, Any]:
    """Read the output of an earlier `smis bench --json`. Raises UserError for any other file."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name the output of smis bench --json.") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; name the output of smis bench --json.") from error
    if not isinstance(facts, dict) or not _medians(facts):
        raise UserError(f"{path} holds no measurements; name the output of smis bench --json.")
    return facts


def median_ratios(facts: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, float]:
    """Return {figure: median now ÷ median then} of the figures that both have: below 1 is faster."""
    before = _medians(earlier)
    return {name: round(now / before[name], 3) for name, now in _medians(facts).items() if before.get(name)}


def _medians(facts: Mapping[str, Any]) -> dict[str, float]:
    """Return {figure: milliseconds} of every figure that has a median."""
    return {
        name: float(value["median"])
        for name, value in facts.items()
        if isinstance(value, dict) and isinstance(value.get("median"), int | float)
    }


def machine() -> dict[str, Any]:
    """Return processor, cores that this process may use, memory, operating system and Python version."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def device() -> str:
    """Return the name of the accelerator, or `CPU`."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: the standard library's answer has to do
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages / 2**30, 1)
