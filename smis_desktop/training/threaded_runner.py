"""Runs functions side by side on the processor's cores.

One step of the generator does not keep two cores busy, because many of its parts are small. Two steps with one core
each take less time than one after the other with both (docs/results.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

import torch

T = TypeVar("T")
_GPU_BATCH = 64
"""Pictures at once on a graphics card, which needs many to be busy."""


def split_evenly(works: Sequence[T], device: torch.device) -> list[list[T]]:
    """The works in their order, in pairs where the processor has two cores; three form a group where one is left over.

    More at once would be too much for the memory of small machines. The groups depend only on the number of works and
    on whether there are two cores: a resumed work gets as many threads as before, on which its last digits depend.
    """
    together = 2 if device.type == "cpu" and torch.get_num_threads() > 1 else 1
    count = max(1, len(works) // together) if works else 0
    return [list(works[len(works) * i // count : len(works) * (i + 1) // count]) for i in range(count)]


def num_parallel_pictures(device: torch.device) -> int:
    """How many pictures one work takes at once: on the processor one, whose feature maps fit the cache."""
    return 1 if device.type == "cpu" else _GPU_BATCH


class ThreadedRunner(AbstractContextManager["ThreadedRunner"]):
    """Runs functions on `count` threads, which share torch's threads evenly. With one thread it runs them directly."""

    def __init__(self, count: int) -> None:
        self._count, self._threads = count, torch.get_num_threads()
        self._executor: ThreadPoolExecutor | None = None

    def __enter__(self) -> ThreadedRunner:
        if self._count > 1:
            share = max(1, self._threads // self._count)
            # torch keeps this number per thread, and new threads take over the last one set.
            self._executor = ThreadPoolExecutor(self._count, "side by side", torch.set_num_threads, (share,))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._executor is not None:
            self._executor.shutdown()
            torch.set_num_threads(self._threads)

    def map(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Calls all functions, `count` at a time, and returns their results in the same order.

        Raises what the first of them raises; those that have not begun then are not called.
        """
        if self._executor is None:
            return [function() for function in functions]
        futures = [self._executor.submit(function) for function in functions]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
