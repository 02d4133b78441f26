"""Runs work in a process of its own, so that stopping it, its crash or its use of memory cannot harm the painting."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from smis_desktop.diagnostics.log_file import kept_log
from smis_desktop.errors import UserError
from smis_desktop.malloc import keep_freed_memory

log = logging.getLogger(__name__)

_SECONDS_TO_END = 5.0
"""How long a terminated process may take; then it is killed."""

Send = Callable[[Any], None]
"""Sends a frozen message to the process that started the work."""


@dataclass(frozen=True)
class WorkFailed:
    """The work has failed. `text`: one sentence for people. `is_bug`: the log has the traceback."""

    text: str
    is_bug: bool


@dataclass(frozen=True)
class WorkEnded:
    """The last message. `killed_by`: the signal that ended the process (9 often means out of memory), or 0."""

    killed_by: int = 0


class WorkerProcess:
    """A process that does one piece of work. Its messages are delivered in a thread of their own."""

    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], deliver: Callable[[Any], None]) -> None:
        """work: a function at a module's top level, called as `work(send, inbox, *arguments)` in the process.

        deliver: receives every message that the work sends, a `WorkFailed` for an exception, and always a `WorkEnded`
        last; nothing after `cancel`.
        """
        context = multiprocessing.get_context("spawn")
        self._here, self._there = context.Pipe()
        self._process = context.Process(target=_run, args=(self._there, work, arguments), daemon=True)
        self._deliver = deliver
        self._delivering = threading.RLock()
        self._is_cancelled = False
        self._thread = threading.Thread(target=self._listen, name="work", daemon=True)

    def start(self) -> None:
        """Starts the process and returns without waiting. Call once."""
        self._process.start()
        self._there.close()
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id, once it is started."""
        return self._process.pid

    def send(self, message: Any) -> None:
        """Sends a message to the work, which reads it from its `Inbox`; a message to a process that has ended is
        lost."""
        try:
            self._here.send(message)
        except (BrokenPipeError, OSError):
            log.debug("the work ended before it received a message")

    def cancel(self) -> None:
        """Terminates the process without waiting for its end. No message is delivered after this."""
        with self._delivering:  # waits for a message that is being delivered
            self._is_cancelled = True
        if self._process.pid is not None:
            self._process.terminate()
            threading.Thread(target=self._kill_if_it_lingers, name="end of work", daemon=True).start()

    def join(self, timeout: float) -> bool:
        """Waits until the process has ended and all messages are delivered; returns whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _listen(self) -> None:
        while True:
            try:
                message = self._here.recv()
            except (EOFError, OSError):
                break
            self._pass_on(message)
        self._process.join()
        code = self._process.exitcode or 0
        self._pass_on(WorkEnded(-code if code < 0 else 0))
        self._here.close()

    def _pass_on(self, message: Any) -> None:
        with self._delivering:
            if not self._is_cancelled:
                self._deliver(message)

    def _kill_if_it_lingers(self) -> None:
        if not wait([self._process.sentinel], _SECONDS_TO_END):
            self._process.kill()


class Inbox:
    """The messages that the work receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, wait: bool = False) -> Any:
        """Returns the next message; with `wait` false, None when there is none."""
        if wait or self._connection.poll():
            return self._connection.recv()
        return None


def _run(connection: Connection, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is for the window, which ends this process
    if sys.platform != "win32":
        os.nice(5)  # painting has priority
    keep_freed_memory()
    lock = threading.Lock()

    def send(message: Any) -> None:
        with lock:
            connection.send(message)

    with kept_log():
        try:
            work(send, Inbox(connection), *arguments)
        except UserError as error:
            send(WorkFailed(str(error), is_bug=False))
        except (BrokenPipeError, EOFError):
            pass  # the other side is gone
        except MemoryError:
            send(WorkFailed("There was not enough memory; close other programs and try again.", is_bug=False))
        except Exception as error:
            log.exception("a fault in work in the background")
            send(
                WorkFailed(
                    f"It failed because of a fault in this program ({type(error).__name__}: {error}).", is_bug=True
                )
            )
        finally:
            connection.close()
