"""Work in parallel: on threads of one process, and in a group of processes on one machine or several.

One step of the generator does not keep two cores busy, because many of its parts are small. Two steps with one core
each take less time than one after the other with both (docs/results.md).

The processes of a group are started by `torchrun`. All draw the same random numbers and hold the same weights. Each
computes its share of a batch or a round, and collective operations put the shares together. The result is that of a
single process up to the order of sums.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, TypeVar

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place in a group of `size` processes. Rank 0 is the main process: it alone writes and reports."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    """Where tensors are put to be sent."""

    @property
    def is_main_process(self) -> bool:
        return self.rank == 0

    def share(self, rows: int, rank: int | None = None) -> slice:
        """Returns the rows that this process, or the one of that rank, computes: consecutive parts of nearly equal
        size."""
        rank = self.rank if rank is None else rank
        return slice(rows * rank // self.size, rows * (rank + 1) // self.size)

    def broadcast(self, tensor: Tensor, source: int = 0) -> Tensor:
        """Returns the tensor of the process of rank `source`. Elsewhere `tensor` gives shape and type alone."""
        if self.size == 1:
            return tensor
        sent = tensor.to(self.device).contiguous().clone()
        if sent.numel():
            # As bytes, because backends cannot send every type.
            distributed.broadcast(sent.reshape(-1).view(torch.uint8), source)
        return sent.to(tensor.device)

    def all_gather(self, own: Tensor, rows: int) -> Tensor:
        """Concatenates the `share` of `rows` that each process holds: [rows, …]. own: this process's share."""
        if self.size == 1:
            return own
        parts = []
        for rank in range(self.size):
            share = self.share(rows, rank)
            part = own if rank == self.rank else own.new_empty(share.stop - share.start, *own.shape[1:])
            parts.append(self.broadcast(part, rank))
        return torch.cat(parts)

    def all_reduce(self, numbers: Tensor) -> None:
        """Replaces `numbers` in place by their sum over all processes."""
        if self.size > 1:
            sent = numbers.to(self.device)
            distributed.all_reduce(sent)
            numbers.copy_(sent)

    def barrier(self) -> None:
        """Returns once all processes have called it."""
        if self.size > 1:
            distributed.barrier()

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """Runs the block in the main process before the others, so that they find what it left on the disk."""
        if not self.is_main_process:
            self.barrier()
        yield
        if self.is_main_process:
            self.barrier()


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def launched_process_group() -> Iterator[ProcessGroup]:
    """Opens the group in which `torchrun` started this process, until the block ends; otherwise a group of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield SINGLE_PROCESS
        return
    device = "cpu"
    if torch.cuda.is_available():
        number = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        torch.cuda.set_device(number)
        device = f"cuda:{number}"
    distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield ProcessGroup(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()


def exit_immediately(code: int) -> NoReturn:
    """Ends the process with that exit code without tearing down the interpreter.

    Threads of gloo and OpenVINO that are still running sometimes abort the teardown, after all work is done.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


T = TypeVar("T")
_GPU_BATCH = 64
"""Pictures at once on a graphics card, which needs many to be busy."""


def split_evenly(works: Sequence[T], device: torch.device) -> list[list[T]]:
    """Splits works, in order, into pairs where the processor has two cores; if one is left over, the last group has
    three.

    More at once would be too much for the memory of small machines. The groups depend only on the number of works and
    on whether there are two cores: a resumed work gets as many threads as before, on which its last digits depend.
    """
    together = 2 if device.type == "cpu" and torch.get_num_threads() > 1 else 1
    count = max(1, len(works) // together) if works else 0
    return [list(works[len(works) * i // count : len(works) * (i + 1) // count]) for i in range(count)]


def num_parallel_pictures(device: torch.device) -> int:
    """Returns how many pictures to compute at once: on the processor one, whose feature maps fit the cache."""
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
