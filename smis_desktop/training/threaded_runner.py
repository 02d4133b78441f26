"""Works that go on side by side on the processor's cores.

One step of the generator does not keep two cores busy: many of its parts are small. Two works of one core each get
further than one after the other with both (docs/experiments/inversion.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TypeVar

import torch

T = TypeVar("T")
_AT_ONCE = 64
"""Pictures on a graphics card, which many together keep busy."""


def split_evenly(works: Sequence[T], device: torch.device) -> list[list[T]]:
    """The works in their order, in pairs where the processor has two cores; three go together rather than one alone.

    More than that at once would be too much for the memory of small machines. It depends on nothing but how many there
    are and whether there are two cores: a work that is gone on with later gets as many threads as before, which its
    numbers hang on to the last digit.
    """
    together = 2 if device.type == "cpu" and torch.get_num_threads() > 1 else 1
    count = max(1, len(works) // together) if works else 0
    return [list(works[len(works) * i // count : len(works) * (i + 1) // count]) for i in range(count)]


def num_parallel_pictures(device: torch.device) -> int:
    """How many pictures one work takes at once: on the processor one, whose feature maps fit the cache."""
    return 1 if device.type == "cpu" else _AT_ONCE


class ThreadedRunner(AbstractContextManager["ThreadedRunner"]):
    """`count` works share torch's threads; from entering to leaving."""

    def __init__(self, count: int) -> None:
        self._count, self._threads = count, torch.get_num_threads()
        self._workers: ThreadPoolExecutor | None = None

    def __enter__(self) -> ThreadedRunner:
        if self._count > 1:
            share = max(1, self._threads // self._count)
            # Of the thread that says so, and of those that begin later.
            self._workers = ThreadPoolExecutor(self._count, "side by side", torch.set_num_threads, (share,))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._workers is not None:
            self._workers.shutdown()
            torch.set_num_threads(self._threads)

    def each(self, steps: Sequence[Callable[[], T]]) -> list[T]:
        """Calls all of them, `count` at a time, and waits for all; their answers in the same order. Raises what the
        first of them raises."""
        if self._workers is None:
            return [step() for step in steps]
        begun = [self._workers.submit(step) for step in steps]
        try:
            return [one.result() for one in begun]
        finally:
            for one in begun:
                one.cancel()  # those that have not begun when another has failed
