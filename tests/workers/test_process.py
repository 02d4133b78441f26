"""Work in a process of its own: what it sends arrives, and its end is always told."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

import pytest

from smis_desktop.errors import UserError
from smis_desktop.workers import process as process_module
from smis_desktop.workers.process import Inbox, Send, WorkEnded, WorkerProcess, WorkFailed

PATIENCE = 60.0


def count(send: Send, inbox: Inbox, upto: int) -> None:
    for number in range(upto):
        send(number)
    assert inbox.take() is None


def echo(send: Send, inbox: Inbox) -> None:
    send("ready")
    while (message := inbox.take(wait=True)) != "stop":
        send(message)


def refuse(send: Send, inbox: Inbox) -> None:
    raise UserError("There is no such photo; choose another.")


def stumble(send: Send, inbox: Inbox) -> None:
    raise ZeroDivisionError


def chatter(send: Send, inbox: Inbox) -> None:
    while inbox.take() is None:
        send("and another thing")


def linger(send: Send, inbox: Inbox) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    send(os.getpid())
    inbox.take(wait=True)


def run(work: object, *arguments: object) -> tuple[WorkerProcess, queue.Queue[object]]:
    told: queue.Queue[object] = queue.Queue()
    worker = WorkerProcess(work, arguments, told.put)  # type: ignore[arg-type]
    worker.start()
    return worker, told


def test_messages_arrive_in_order_and_the_end_last() -> None:
    worker, told = run(count, 3)
    assert [told.get(timeout=PATIENCE) for _ in range(4)] == [0, 1, 2, WorkEnded()]
    assert worker.join(PATIENCE)


def test_it_can_be_told_things() -> None:
    worker, told = run(echo)
    assert told.get(timeout=PATIENCE) == "ready"
    worker.send("hello")
    assert told.get(timeout=PATIENCE) == "hello"
    worker.send("stop")
    assert told.get(timeout=PATIENCE) == WorkEnded()


def test_bad_input_is_a_sentence_and_a_fault_a_bug() -> None:
    _, told = run(refuse)
    assert told.get(timeout=PATIENCE) == WorkFailed("There is no such photo; choose another.", is_bug=False)
    _, told = run(stumble)
    failure = told.get(timeout=PATIENCE)
    assert isinstance(failure, WorkFailed)
    assert failure.is_bug
    assert "ZeroDivisionError" in failure.text


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
def test_a_process_that_is_killed_is_told_of() -> None:
    worker, told = run(echo)
    assert told.get(timeout=PATIENCE) == "ready"
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert told.get(timeout=PATIENCE) == WorkEnded(killed_by=9)


def test_after_cancel_nothing_comes() -> None:
    worker, told = run(echo)
    assert told.get(timeout=PATIENCE) == "ready"
    worker.cancel()
    assert worker.join(PATIENCE)
    assert told.empty()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
def test_cancel_waits_for_nobody_and_ends_what_does_not_want_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    is_too_long = threading.Event()
    monkeypatch.setattr(process_module, "wait", lambda ended, seconds: [] if is_too_long.wait(PATIENCE) else ended)
    worker, told = run(linger)
    process = told.get(timeout=PATIENCE)
    assert isinstance(process, int)
    worker.cancel()
    os.kill(process, 0)  # cancel came back while it was still there
    is_too_long.set()
    assert worker.join(PATIENCE)
    assert told.empty()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_nothing_is_delivered_once_cancel_came_back() -> None:
    told: list[object] = []
    is_over, came_late = False, []

    def deliver(message: object) -> None:
        told.append(message)
        if is_over:
            came_late.append(message)

    worker = WorkerProcess(chatter, (), deliver)
    worker.start()
    while len(told) < 100:
        assert not worker.join(0.01)
    worker.cancel()
    is_over = True
    assert worker.join(PATIENCE)
    assert came_late == []
