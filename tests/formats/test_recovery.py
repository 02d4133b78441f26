"""Recovery: paintings outlive their window, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from smis_desktop.document.document import Document
from smis_desktop.formats.project import Project, read_project
from smis_desktop.formats.recovery import RecoveryFolder
from tests.formats.projects import PALETTE

PAINTER = """
import sys
from pathlib import Path
import numpy as np
from smis_desktop.document.document import Document
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.formats.project import Project, write_project
from smis_desktop.formats.recovery import RecoveryFolder

# Paints without end: step n sets pixel n; every step is autosaved, every other one saved as well.
data, project = Path(sys.argv[1]), Path(sys.argv[2])
palette = Palette((SemanticClass(0, "a", (0, 0, 0)), SemanticClass(1, "b", (9, 9, 9))))
bench = DocumentEditor(Document.blank(palette, 64))
recovery = RecoveryFolder(data)
step = 0
while True:
    x, y = step % 64, step // 64 % 64
    bench.fill_rectangle((x, y), (x, y), 1)
    state = Project(bench.document.state())
    recovery.save(state, project)
    if step % 2:
        write_project(project, state)
    print(step, flush=True)
    step += 1
"""


def test_a_living_windows_painting_is_not_offered(tmp_path: Path) -> None:
    project = Project(Document.blank(PALETTE, 64).state())
    with RecoveryFolder(tmp_path) as first, RecoveryFolder(tmp_path) as second:
        first.save(project, tmp_path / "work.smis")
        assert second.offers() == ()
    with RecoveryFolder(tmp_path) as third:
        assert third.offers() == (), "who closes in peace leaves nothing"


def _killed(tmp_path: Path, after: float) -> int:
    """Lets the painter run, kills it, and returns the last step that it told of."""
    program = subprocess.Popen(
        [sys.executable, "-c", PAINTER, str(tmp_path / "data"), str(tmp_path / "work.smis")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    program.stdout.readline()  # painting has begun
    deadline = time.monotonic() + after
    while time.monotonic() < deadline:
        program.stdout.readline()
    program.send_signal(signal.SIGKILL)
    rest = program.stdout.read().split()
    program.wait()
    program.stdout.close()
    return int(rest[-1]) if rest else 0


def _check_kill(tmp_path: Path, after: float) -> None:
    last = _killed(tmp_path, after)
    with RecoveryFolder(tmp_path / "data") as recovery:
        offers = recovery.offers()
        assert len(offers) == 1, "the restore offer appears"
        found = recovery.load(offers[0])
        assert offers[0].origin == tmp_path / "work.smis"
        assert int((found.document.label_map() == 1).sum()) >= last, "nothing that was autosaved is lost"
        if (tmp_path / "work.smis").exists():
            saved = read_project(tmp_path / "work.smis")
            assert int((saved.document.label_map() == 1).sum()) >= last - 1
        recovery.discard(offers[0])
        assert recovery.offers() == ()


@pytest.mark.parametrize("number", range(8))
def test_killed_at_a_random_moment_every_project_opens(tmp_path: Path, number: int) -> None:
    _check_kill(tmp_path, float(np.random.default_rng(number).uniform(0, 0.5)))


@pytest.mark.slow
def test_killed_three_hundred_times_every_project_opens(tmp_path: Path) -> None:
    draws = np.random.default_rng(300)
    for number in range(300):
        folder = tmp_path / str(number)
        folder.mkdir()
        _check_kill(folder, float(draws.uniform(0, 0.6)))


def test_a_folder_without_a_painting_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "recovery" / "old").mkdir(parents=True)
    with RecoveryFolder(tmp_path) as recovery:
        assert recovery.offers() == ()
    assert not (tmp_path / "recovery" / "old").exists()
