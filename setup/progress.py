"""Reports the progress of the set-up: a few plain lines on the screen, everything else in one log file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

# pip names every file that it downloads; the big ones are worth a line, since nothing else moves meanwhile.
_DOWNLOAD = re.compile(r"Downloading (?:\S*/)?([^/\s]+) \(([\d.]+) (MB|GB)\)")
_BIG_MEGABYTES = 20.0


class SetupFailed(Exception):
    """The set-up cannot continue; the message says what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Log:
    """Runs commands and writes their output to a log file, which the first command of a set-up starts afresh.

    The commands inherit the file descriptor `lock`, so that the lock is held as long as any of them still runs.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._file: IO[str] | None = None

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def say(self, line: str) -> None:
        """Print one line for the person who waits."""
        print(line, file=sys.stderr, flush=True)

    def run(
        self, what: str, command: Sequence[str], folder: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        """Run a command to its end.

        Raises:
            CommandFailed: it failed; the message says `what` failed and names the log.
        """
        lines: list[str] = []
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8")
        self._write(f"$ {' '.join(command)}\n")
        with subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[self._lock],
        ) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    self._write(line)
                    lines.append(line.rstrip())
                    self._announce(line)
                code = process.wait()
            except BaseException:
                # Whatever stops this process stops the command too: half a set-up must not continue unseen.
                process.terminate()
                raise
        if code != 0:
            errors = (line.strip() for line in lines if line.strip().lower().startswith(("error:", "e:")))
            reasons = list(dict.fromkeys(errors)) or lines
            raise CommandFailed(what, code, reasons[-3:], lines, self.path)

    def _write(self, text: str) -> None:
        assert self._file is not None
        self._file.write(text)
        self._file.flush()

    def _announce(self, line: str) -> None:
        found = _DOWNLOAD.search(line)
        if found:
            megabytes = float(found[2]) * (1000 if found[3] == "GB" else 1)
            if megabytes >= _BIG_MEGABYTES:
                self.say(f"  downloading {found[1].split('-')[0]}, {megabytes:.0f} MB")


class CommandFailed(SetupFailed):
    """A command ended with an error. `lines` is all of its output."""

    def __init__(self, what: str, code: int, reasons: list[str], lines: list[str], log: Path) -> None:
        why = "".join(f"\n  {reason}" for reason in reasons)
        super().__init__(f"{what} failed (exit code {code}):{why}\nThe full output is in {log}")
        self.lines = lines
