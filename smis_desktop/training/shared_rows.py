"""Long rows of numbers of which each of several processes holds its own: weights, their averages, their gradients.

Processes on one machine see each other's rows in memory that they share, so that nothing is sent; others send.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from smis_desktop.training.distributed import ProcessGroup

_SHARED_MEMORY = Path("/dev/shm")


class Row(Protocol):
    """Every process has to call the same methods in the same order. Between two calls a process may change its share
    alone, and the rest of the row once an `exchange`, of whatever row, has followed the last `reduce_scatter`."""

    numbers: Tensor
    """This process's, [n]: a multiple of the number of processes."""

    def reduce_scatter(self) -> Tensor:
        """This process's share of the sum of all processes' rows; it overwrites this process's own."""
        ...

    def exchange(self) -> None:
        """Every process's share comes from that process."""
        ...


def own_row(numbers: Tensor, ranks: ProcessGroup) -> Row:
    """A row of this process's own, which holds `numbers` (float32): to be added up."""
    seen = _seen_by_all(ranks.count * len(numbers), ranks) if _may_share(numbers, ranks) else None
    if seen is None:
        return _SentRow(numbers, ranks)
    return _SeenRow(list(seen.chunk(ranks.count)), numbers, ranks)


def common_row(numbers: Tensor, ranks: ProcessGroup) -> Row:
    """A row that is the same in all processes, which hold the same `numbers` (float32): to be exchanged. It may be one
    and the same memory."""
    seen = _seen_by_all(len(numbers), ranks) if _may_share(numbers, ranks) else None
    if seen is None:
        return _SentRow(numbers, ranks)
    return _SeenRow([seen] * ranks.count, numbers, ranks)


class _SentRow:
    def __init__(self, numbers: Tensor, ranks: ProcessGroup) -> None:
        self.numbers, self._ranks = numbers, ranks

    def reduce_scatter(self) -> Tensor:
        return self._ranks.reduce_scatter(self.numbers)

    def exchange(self) -> None:
        self._ranks.exchange_shares(self.numbers)


class _SeenRow:
    def __init__(self, rows: list[Tensor], numbers: Tensor, ranks: ProcessGroup) -> None:
        """rows: everyone's."""
        self.numbers = rows[ranks.rank].copy_(numbers)
        self._ranks, self._share = ranks, ranks.share(len(numbers))
        self._others = [row[self._share] for rank, row in enumerate(rows) if rank != ranks.rank]
        ranks.barrier()

    def reduce_scatter(self) -> Tensor:
        self._ranks.barrier()
        own = self.numbers[self._share]
        for other in self._others:
            own += other
        return own

    def exchange(self) -> None:
        """Rows that are exchanged are one memory: it is there once everybody has written."""
        self._ranks.barrier()


def _may_share(numbers: Tensor, ranks: ProcessGroup) -> bool:
    return ranks.count > 1 and ranks.shares_memory and numbers.device.type == "cpu" and numbers.dtype == torch.float32


def _seen_by_all(count: int, ranks: ProcessGroup) -> Tensor | None:
    """float32 [count], zeros, the same memory in all processes; None where they have none in common."""
    path, size = _new_file(4 * count) if ranks.is_first else None, 4 * count
    name = ranks.broadcast_text(str(path or ""))
    is_there = bool(name) and Path(name).is_file() and Path(name).stat().st_size == size
    seen = torch.from_file(name, shared=True, size=count, dtype=torch.float32) if is_there else None
    agreed = torch.tensor(float(is_there))
    ranks.all_reduce(agreed)  # nobody leaves before everybody has opened it, so that its name is no longer needed
    if path is not None:
        path.unlink()
    return seen if agreed.item() == ranks.count else None


def _new_file(size: int) -> Path | None:
    """A file of zeros that is memory, with a name that no other machine has; None where there is no room for one."""
    if not _SHARED_MEMORY.is_dir() or not hasattr(os, "posix_fallocate"):
        return None
    try:
        handle, name = tempfile.mkstemp(dir=_SHARED_MEMORY, prefix="smis-")
    except OSError:
        return None
    try:
        os.posix_fallocate(handle, 0, size)  # memory that runs out later would end the process
    except OSError:
        Path(name).unlink()
        return None
    finally:
        os.close(handle)
    return Path(name)
