"""Several processes train what one would, and trainings are interrupted and resumed in any number of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smis_desktop.errors import UserError
from smis_desktop.resources import resources_folder
from smis_desktop.storage.safetensors_file import read_tensors
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, launched_process_group
from tests.small_generator import small_generator
from tests.training.test_training import Stop, run, weights
from tests.training.where_a_search_begins import start

TOLERANCE = 2e-4
"""Norm of the difference, relative to the tensor's own: sums in another order, sharpened by Adam's first steps."""


def in_two_processes(folder: Path) -> list[subprocess.CompletedProcess[str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-W", "ignore", "-m", "tests.training.train_as_rank", str(folder)]
    started = [
        subprocess.Popen(
            command,
            env=shared | {"RANK": str(rank)},
            cwd=resources_folder().parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in started]
    return [
        subprocess.CompletedProcess(process.args, process.returncode, *output)
        for process, output in zip(started, outputs, strict=True)
    ]


@given(st.integers(0, 100), st.integers(1, 9))
def test_shares_are_disjoint_whole_and_equal(rows: int, count: int) -> None:
    shares = [range(rows)[ProcessGroup(rank, count).share(rows)] for rank in range(count)]
    assert [row for share in shares for row in share] == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_that_nobody_launched_is_alone() -> None:
    with launched_process_group() as group:
        assert group is SINGLE_PROCESS


def test_two_processes_train_what_one_does(tmp_path: Path) -> None:
    for ended in in_two_processes(tmp_path):
        assert ended.returncode == 0, ended.stderr
    first, _ = read_tensors(tmp_path / "rank-0.safetensors", "test", 1, "")
    second, _ = read_tensors(tmp_path / "rank-1.safetensors", "test", 1, "")
    alone, _ = run(small_generator(), tmp_path / "alone")
    for name, weight in weights(alone).items():
        assert torch.equal(first[name], second[name]), name
        assert (first[name] - weight).norm() <= TOLERANCE * weight.norm(), name
    assert torch.equal(first["start"], start(SINGLE_PROCESS))
    assert torch.equal(second["start"], start(SINGLE_PROCESS))


def test_one_process_leaves_off_and_two_go_on(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(small_generator(), tmp_path / "training", stop_after=13)
    for ended in in_two_processes(tmp_path):
        assert ended.returncode == 0, ended.stderr
    first, _ = read_tensors(tmp_path / "rank-0.safetensors", "test", 1, "")
    alone, _ = run(small_generator(), tmp_path / "alone")
    for name, weight in weights(alone).items():
        assert (first[name] - weight).norm() <= TOLERANCE * weight.norm(), name


def test_more_processes_than_a_batch_has_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 processes are too many for batches of 2"):
        run(small_generator(), tmp_path / "t", group=ProcessGroup(0, 3))
