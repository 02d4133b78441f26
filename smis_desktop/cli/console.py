"""Talking to whoever started a command: the answer on stdout, everything else on stderr."""

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
    """What a command found or made: `facts` for programs (JSON), `text` for people."""

    facts: Mapping[str, Any]
    text: str


class Console:
    """Progress, notes and warnings while a command runs, and its answer at the end.

    On a terminal progress is a bar; elsewhere a plain line for every piece of work and for every tenth of it.
    """

    def __init__(self, out: TextIO, err: TextIO, as_json: bool = False) -> None:
        self.if_interrupted = "files that were not finished are not kept"
        """What Ctrl-C leaves behind, told in its one line."""
        self._out, self._err, self._as_json = out, err, as_json
        self._notes: list[str] = []
        self._warnings: list[str] = []
        self._bar: tqdm[Any] | None = None
        self._words = ""
        self._tenths = 0
        self._since, self._from = 0.0, 0.0

    def progress(self, words: str, fraction: float) -> None:
        """Tell what is going on and how much of it is done, 0–1; below 0 nobody knows how much.

        New words begin a new bar (or a new line), so they should stay the same for one piece of work.
        """
        if self._err.isatty():
            self._show_bar(words, fraction)
        else:
            self._print_tenths(words, fraction)

    def note(self, text: str) -> None:
        """One line on stderr that is good to know; programs find it in the answer's `notes`."""
        self._notes.append(text)
        self._say(text)

    def warn(self, text: str) -> None:
        """One line on stderr that the person should act on; programs find it in the answer's `warnings`."""
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
        """End a bar that is still on screen, so that what comes next starts on a line of its own."""
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
            return  # that piece of work is done, and its full bar stands on screen
        if self._bar is None:
            tqdm.monitor_interval = 0  # no thread of tqdm's own beside ours
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
        # Half a per cent of grace: 0.1 + 0.2 is not the only sum that misses its tenth.
        tenths = max(int(fraction * 10 + 0.005), 0)
        if words != self._words:
            # What was done before (a resumed training) says nothing about the speed of now.
            self._words, self._tenths, self._since, self._from = words, tenths, now, fraction
            print(words if tenths < 10 else f"{words}: 100 %", file=self._err, flush=True)
        elif tenths > self._tenths:
            self._tenths = tenths
            left = (now - self._since) * (1 - fraction) / (fraction - self._from)
            print(f"{words}: {tenths * 10} %{_left(left)}", file=self._err, flush=True)


def counted(number: int, one: str, many: str) -> str:
    """`counted(1, "picture", "pictures")` → `1 picture`."""
    return f"{number:,} {one if number == 1 else many}"


def _left(seconds: float) -> str:
    """How long it will still take, where that is long enough to be worth telling."""
    if seconds < 5:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f", about {minutes}:{rest:02d} left"
