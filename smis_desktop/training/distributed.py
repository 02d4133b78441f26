"""Several processes at one piece of work, on one machine or many, as `torchrun` starts them.

All of them draw the same random numbers and hold the same weights; each computes its share of a batch or a round, and
what they found is put together again. So the result is that of one process, up to the order in which sums are added.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class ProcessGroup:
    """This process's place among `count`: 0 is the first, the only one that writes and speaks."""

    rank: int = 0
    count: int = 1
    device: str = "cpu"
    """Where tensors lie that travel between processes."""
    shares_memory: bool = True
    """Whether processes that find themselves on one machine share memory; of no account to results."""

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, rows: int, rank: int | None = None) -> slice:
        """Which of so many rows are this process's (or that one's): as equal parts as can be, one behind the other."""
        rank = self.rank if rank is None else rank
        return slice(rows * rank // self.count, rows * (rank + 1) // self.count)

    def all_gather(self, own: Tensor, rows: int) -> Tensor:
        """Every process's `share` of `rows`, put together, [rows, …]; `own` is this one's."""
        if self.count == 1:
            return own
        parts = []
        for rank in range(self.count):
            share = self.share(rows, rank)
            part = own if rank == self.rank else own.new_empty(share.stop - share.start, *own.shape[1:])
            parts.append(self.told(part, rank))
        return torch.cat(parts)

    def told(self, tensor: Tensor, by: int = 0) -> Tensor:
        """That process's tensor; this one's own only says shape and type."""
        if self.count == 1:
            return tensor
        sent = tensor.to(self.device).contiguous().clone()
        if sent.numel():
            distributed.broadcast(sent.reshape(-1).view(torch.uint8), by)  # bytes: not every type may travel
        return sent.to(tensor.device)

    def broadcast_text(self, words: str) -> str:
        """The first process's; 255 bytes at most."""
        data = words.encode().ljust(255, b"\0")
        return bytes(self.told(torch.frombuffer(bytearray(data), dtype=torch.uint8)).tolist()).rstrip(b"\0").decode()

    def barrier(self) -> None:
        """Returns once all processes have called it."""
        if self.count > 1:
            distributed.barrier()

    def all_reduce(self, numbers: Tensor) -> None:
        """`numbers` becomes the sum of all processes' ones."""
        if self.count > 1:
            sent = numbers.to(self.device)
            distributed.all_reduce(sent)
            numbers.copy_(sent)

    def reduce_scatter(self, row: Tensor) -> Tensor:
        """This process's `share` of the sum of all processes' rows; `row` [n × count] may be overwritten by it."""
        own = row[self.share(len(row))]
        if self.count > 1:
            sent = row.to(self.device)
            found = torch.empty_like(sent[self.share(len(row))])
            distributed.reduce_scatter(found, list(sent.chunk(self.count)))
            own.copy_(found)
        return own

    def exchange_shares(self, row: Tensor) -> None:
        """Every process's `share` of `row` [n × count] comes from that process."""
        if self.count > 1:
            sent = row.to(self.device)
            distributed.all_gather(list(sent.chunk(self.count)), sent[self.share(len(row))])
            row.copy_(sent)

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The first process runs the block alone, then all others at once: what it leaves on the disk they find."""
        if not self.is_first:
            self.barrier()
        yield
        if self.is_first:
            self.barrier()


ALONE = ProcessGroup()


@contextmanager
def launched_process_group() -> Iterator[ProcessGroup]:
    """The processes that `torchrun` has started this one among, for as long as the block lasts; else this one alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    device = "cpu"
    if torch.cuda.is_available():
        number = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        torch.cuda.set_device(number)
        device = f"cuda:{number}"
    distributed.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield ProcessGroup(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()


def end_at_once(code: int) -> NoReturn:
    """The process ends with that exit code and without the interpreter's taking itself apart: threads of gloo and
    OpenVINO that are still about then abort it now and then, after all its work is done."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
