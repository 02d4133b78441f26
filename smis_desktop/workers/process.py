"""Work in a process of its own: stopping it, its crash or its hunger for memory cannot hurt the painting."""

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
"""For a process that was asked to; then it is killed."""

Send = Callable[[Any], None]
"""Brings a frozen message to whoever started the work."""


@dataclass(frozen=True)
class WorkFailed:
    """The work ended without what it was for. `text`: one sentence for people. `is_bug`: the log has the traceback."""

    text: str
    is_bug: bool


@dataclass(frozen=True)
class WorkEnded:
    """Nothing comes any more. `killed_by`: the signal that ended the process (9: often no memory was left), or 0."""

    killed_by: int = 0


class WorkerProcess:
    """One piece of work: `start` it, hear of it, perhaps `cancel` it. Messages arrive in a thread of its own."""

    def __init__(self, work: Callable[..., None], arguments: tuple[Any, ...], deliver: Callable[[Any], None]) -> None:
        """work: a function at a module's top level, called as `work(send, receive_ready, *arguments)` in the process.

        deliver: receives every message it sends, a `WorkFailed` for an exception, and always a `WorkEnded` last;
        nothing after `cancel`.
        """
        context = multiprocessing.get_context("spawn")
        self._here, self._there = context.Pipe()
        self._process = context.Process(target=_run, args=(self._there, work, arguments), daemon=True)
        self._deliver = deliver
        self._delivering = threading.RLock()
        self._is_cancelled = False
        self._thread = threading.Thread(target=self._listen, name="work", daemon=True)

    def start(self) -> None:
        """Call once; it returns at once."""
        self._process.start()
        self._there.close()
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Of the process, once it is started."""
        return self._process.pid

    def tell(self, message: Any) -> None:
        """A message to the work, which finds it with `Inbox`. Lost when the process has ended."""
        try:
            self._here.send(message)
        except (BrokenPipeError, OSError):
            log.debug("the work has ended before it could be told")

    def cancel(self) -> None:
        """End the process, without waiting for that; no message comes after this."""
        with self._delivering:  # one that is being delivered comes before
            self._is_cancelled = True
        if self._process.pid is not None:
            self._process.terminate()
            threading.Thread(target=self._kill_if_it_lingers, name="end of work", daemon=True).start()

    def join(self, timeout: float) -> bool:
        """Wait until it has ended and everything was delivered; whether that is so."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _listen(self) -> None:
        while True:
            try:
                message = self._here.recv()
            except (EOFError, OSError):
                break
            self._bring(message)
        self._process.join()
        code = self._process.exitcode or 0
        self._bring(WorkEnded(-code if code < 0 else 0))
        self._here.close()

    def _bring(self, message: Any) -> None:
        with self._delivering:
            if not self._is_cancelled:
                self._deliver(message)

    def _kill_if_it_lingers(self) -> None:
        if not wait([self._process.sentinel], _SECONDS_TO_END):
            self._process.kill()


class Inbox:
    """What the work was told meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, wait: bool = False) -> Any:
        """The next message, or None when there is none and `wait` is not asked for."""
        if wait or self._connection.poll():
            return self._connection.recv()
        return None


def _run(connection: Connection, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is for the window, which ends this in order
    if sys.platform != "win32":
        os.nice(5)  # the hand that paints goes first
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
            pass  # nobody listens any more
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
