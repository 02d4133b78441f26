"""Compares training by several processes on this machine with one process on all cores: same rounds, same batches."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from smis_desktop.generators.generator import Generator
from smis_desktop.generators.store import open_generator
from smis_desktop.inference.backend_selection import BackendName, chosen_backend, open_backend
from smis_desktop.malloc import keep_freed_memory
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.training.distributed import ProcessGroup
from smis_desktop.training.pace import Rounds
from smis_desktop.training.training import TrainingSettings

_TURNS = 4
_ROUNDS = 5


def several_processes_figures(generator: Generator, count: int, progress: Callable[[float], None]) -> dict[str, Any]:
    """Return `samples_per_s` of `count` gloo processes (encoder steps included), `alone` of a single one, and their
    `ratio`.

    Each process gets its share of the cores. The two ways take turns. progress: receives the fraction done.
    """
    backend = chosen_backend(generator, torch.get_num_threads(), lambda words, fraction: None)
    times: dict[int, list[float]] = {1: [], count: []}
    for turn in range(_TURNS):
        for number, processes in enumerate(times):
            progress((2 * turn + number) / (2 * _TURNS))
            times[processes].append(_samples_per_second(generator.name, backend, processes))
    progress(1.0)
    alone, together = statistics.median(times[1]), statistics.median(times[count])
    return {
        "count": count,
        "samples_per_s": round(together, 2),
        "alone": round(alone, 2),
        "ratio": round(together / alone, 3),
    }


def _samples_per_second(generator: str, backend: BackendName, count: int) -> float:
    """Measure samples a second. Raises RuntimeError when a process ends before it has sent its figure."""
    context = multiprocessing.get_context("spawn")
    answers: SimpleQueue[float] = context.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        meeting = (Path(folder) / "meeting").as_uri()
        processes = [
            context.Process(
                target=_train_as_rank, args=(answers, generator, backend, rank, count, meeting), daemon=True
            )
            for rank in range(count)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a training process failed; its message is above")
    return answers.get()


def _train_as_rank(
    answers: SimpleQueue[float], generator_name: str, backend: BackendName, rank: int, count: int, meeting: str
) -> None:
    threads = max(1, (os.cpu_count() or 1) // count)
    torch.set_num_threads(threads)
    keep_freed_memory()
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        generator = open_generator(generator_name)
        group = ProcessGroup(rank, count)
        with group.main_process_first():
            synthesis = open_backend(backend, generator, data_folder("backends"), threads, lambda words, fraction: None)
        rounds = Rounds(generator, TrainingSettings(precision=synthesis.precision), synthesis, group)
        rounds.take()
        distributed.barrier()
        started = time.perf_counter()
        for _ in range(_ROUNDS):
            rounds.take()
        distributed.barrier()
        if rank == 0:
            answers.put(_ROUNDS * rounds.size / (time.perf_counter() - started))
    finally:
        distributed.destroy_process_group()
