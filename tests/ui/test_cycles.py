"""Windows opened, painted in and closed in mid-preview, again and again: nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent


def _run(count: int, folder: Path) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "tests.ui.cycle", str(count), str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    noise = [line for line in done.stderr.splitlines() if "propagateSizeHints" not in line]
    assert (done.returncode, noise) == (0, []), done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_cycles_end_cleanly_and_memory_stays_level(tmp_path: Path, count: int) -> None:
    """Exit code 0, no word on stderr, every window gone in three seconds, memory nearly level over the later half (a
    window that stayed would be two megabytes; a tenth of one does, within Qt)."""
    told = _run(count, tmp_path)
    assert len(told["closing"]) == count
    assert max(told["closing"]) < 3.0
    assert told["memory_kb"][-1] - told["memory_kb"][count // 2] < 5000 + 150 * (count - count // 2)
    assert not list((tmp_path / "recovery").iterdir()), "a closed window leaves no recovery file"
