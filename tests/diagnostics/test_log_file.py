"""The log of every entry point, and that it stays small."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from pathlib import Path

import pytest

from smis_desktop import main as cli
from smis_desktop.cli.console import Answer
from smis_desktop.diagnostics.log_file import kept_log, last_lines, log_path
from smis_desktop.errors import UserError
from smis_desktop.workers.process import Inbox, Send, WorkEnded, WorkerProcess
from tests.cli.conftest import RunCommand, toy_command

__all__ = ["toy_command"]

log = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("SMIS_DATA_DIR", str(folder))
    return folder


def stumble(send: Send, inbox: Inbox) -> None:
    log.info("begun in the background")
    raise ZeroDivisionError("of all things")


def test_a_command_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    assert last_lines(10)[-1].endswith("smis models")
    assert capsys.readouterr().err == ""  # passing information is for the file alone


def test_a_fault_of_a_command_is_in_the_log_with_its_traceback(toy_command: Callable[[RunCommand], None]) -> None:
    def fail(*_arguments: object) -> Answer:
        raise ZeroDivisionError("of all things")

    toy_command(fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["toy"])
    assert last_lines(1) == ["ZeroDivisionError: of all things"]
    assert "Traceback (most recent call last):" in last_lines(20)


def test_what_a_person_can_put_right_is_no_fault() -> None:
    with pytest.raises(UserError), kept_log():
        raise UserError("a.png does not exist; choose another.")
    assert last_lines(10) == []


def test_work_in_the_background_is_logged_too(data: Path) -> None:
    told: queue.Queue[object] = queue.Queue()
    worker = WorkerProcess(stumble, (), told.put)
    worker.start()
    while not isinstance(told.get(timeout=60), WorkEnded):
        pass
    assert worker.join(60)
    lines = last_lines(50)
    assert any(line.endswith("begun in the background") for line in lines)
    assert lines[-1] == "ZeroDivisionError: of all things"


def test_it_stays_small_and_keeps_the_newest() -> None:
    with kept_log(logging.CRITICAL):
        for number in range(30_000):
            log.info("%06d %s", number, "x" * 100)
    files = list(log_path().parent.iterdir())
    assert 1 < len(files) <= 4
    assert sum(file.stat().st_size for file in files) < 2_200_000
    assert last_lines(1)[0].partition(": ")[2].startswith("029999 ")
    assert len(last_lines(1000)) == 1000  # also across the border of two files


def test_handlers_and_level_are_as_they_were() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with kept_log(logging.INFO):
        assert root.handlers != before[1]
    assert (root.level, root.handlers) == before


def test_where_it_cannot_be_written_the_program_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "file"))
    with kept_log():
        log.info("nobody hears this")
    assert last_lines(10) == []
