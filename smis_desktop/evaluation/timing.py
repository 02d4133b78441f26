"""Taking times, comparing them, and the machine that they were taken on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory, system, Python."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def device() -> str:
    """Where they are computed."""
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
