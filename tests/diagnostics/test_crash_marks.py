"""A window that dies leaves a mark; one that closes, or lives, does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smis_desktop.diagnostics.crash_marks import marked_as_running, take_crashes

PROGRAM = (
    "import os, signal, sys\n"
    "from smis_desktop.diagnostics.crash_marks import marked_as_running\n"
    "with marked_as_running():\n"
    "    print('running', flush=True)\n"
    "    sys.stdin.readline()\n"
    "    def in_the_brush(): os.kill(os.getpid(), int(sys.argv[1]))\n"
    "    in_the_brush()\n"
)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    return tmp_path


def killed_by(number: int) -> None:
    """Runs a program that is marked as running and kills itself; while it runs, it is no crash."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    assert take_crashes() == ()
    process.communicate("go\n", timeout=60)
    assert process.returncode == -number


def test_a_crash_leaves_where_the_program_was(data: Path) -> None:
    killed_by(signal.SIGSEGV)
    (crash,) = take_crashes()
    assert "Segmentation fault" in crash.trace
    assert "in_the_brush" in crash.trace
    assert take_crashes() == ()  # told once
    assert list((data / "log").iterdir()) == []


def test_an_end_from_outside_leaves_a_mark_without_a_trace() -> None:
    killed_by(signal.SIGKILL)
    (crash,) = take_crashes()
    assert crash.trace == ""


def test_the_end_of_a_window_leaves_nothing(data: Path) -> None:
    with marked_as_running():
        assert len(list((data / "log").iterdir())) == 1
        assert take_crashes() == ()
    assert list((data / "log").iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nobody is kept from writing")
def test_without_a_folder_to_write_in_it_runs_unmarked(data: Path) -> None:
    data.chmod(0o500)
    with marked_as_running():
        assert take_crashes() == ()
