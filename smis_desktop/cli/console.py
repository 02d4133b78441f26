"""Output of a command: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from tqdm import tqdm

_BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"


@dataclass(frozen=True)
class Answer:
    """The result of a command: `facts` for programs (JSON), `text` for people."""

    facts: Mapping[str, Any]
    text: str


class Console:
    """Prints progress, notes and warnings while a command runs, and its answer at the end.

    Progress is a bar on a terminal, and elsewhere a plain line for every task and for every tenth of it.
    """

    def __init__(self, out: TextIO, err: TextIO, as_json: bool = False) -> None:
        self.if_interrupted = "files that were not finished are not kept"
        """What the line printed after Ctrl-C says about the files."""
        self._out, self._err, self._as_json = out, err, as_json
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._bar: tqdm[Any] | None = None
        self._words = ""
        self._tenths = 0
        self._since, self._from = 0.0, 0.0

    def progress(self, words: str, fraction: float) -> None:
        """Show what the command is doing and the fraction done, 0–1, or below 0 if that is unknown.

        New words begin a new bar (or a new line), so they should stay the same for one task.
        """
        if self._err.isatty():
            self._show_bar(words, fraction)
        else:
            self._print_tenths(words, fraction)

    def note(self, text: str) -> None:
        """Print one line of information on stderr; programs find it in the answer's `notes`."""
        self._notes.append(text)
        self._say(text)

    def warn(self, text: str) -> None:
        """Print one line on stderr that the person should act on; programs find it in the answer's `warnings`."""
        self._warnings.append(text)
        self._say(f"Warning: {text}")

    def answer(self, answer: Answer) -> None:
        """Print the answer: its text, or one line of JSON with the notes and warnings added."""
        self.close()
        text = answer.text
        if self._as_json:
            text = json.dumps({**answer.facts, "notes": self._notes, "warnings": self._warnings}, allow_nan=False)
        print(text, file=self._out, flush=True)

    def close(self) -> None:
        """End a bar that is still on screen, so that the next output starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, text: str) -> None:
        self.close()
        print(text, file=self._err, flush=True)

    def _show_bar(self, words: str, fraction: float) -> None:
        if words != self._words:
            self.close()
            self._words, self._tenths = words, 0
        elif self._tenths == 10:
            return  # that task is done, and its full bar is on screen
        if self._bar is None:
            tqdm.monitor_interval = 0  # tqdm starts no thread
            shape = {"bar_format": _BAR, "total": 1.0} if fraction >= 0 else {"bar_format": "{desc} {elapsed}"}
            self._bar = tqdm(desc=words, file=self._err, initial=max(fraction, 0.0), **shape)
        if fraction >= 0:
            self._bar.update(fraction - self._bar.n)
        else:
            self._bar.refresh()
        if fraction >= 1:
            self._tenths = 10
            self.close()

    def _print_tenths(self, words: str, fraction: float) -> None:
        now = time.monotonic()
        # With half a per cent of tolerance: 0.1 + 0.2 is not the only sum that misses its tenth.
        tenths = max(int(fraction * 10 + 0.005), 0)
        if words != self._words:
            # What a resumed training did before says nothing about the present speed.
            self._words, self._tenths, self._since, self._from = words, tenths, now, fraction
            print(words if tenths < 10 else f"{words}: 100 %", file=self._err, flush=True)
        elif tenths > self._tenths:
            self._tenths = tenths
            left = (now - self._since) * (1 - fraction) / (fraction - self._from)
            print(f"{words}: {tenths * 10} %{_left(left)}", file=self._err, flush=True)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun: `counted(1, "picture", "pictures")` is `1 picture`."""
    return f"{number:,} {one if number == 1 else many}"


def _left(seconds: float) -> str:
    """Return the remaining time, or nothing for less than five seconds."""
    if seconds < 5:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f", about {minutes}:{rest:02d} left"
