"""Records which files of the package Python calls enter, in which order, on every thread.

Methods that a dataclass generates count for the file that defines it; code that runs while a module is imported does
not count.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

QUIET_SECONDS = 1.0
"""How long the program's threads have done nothing when it is called quiet."""


@dataclass
class Walk:
    """The files that a walk entered, in order. `files`: by path within the package, the first function that was
    entered.

    functions: all that ran in a file. steps: how often one file called another ("" is Qt or the start of a thread).
    opening: files that were entered to open networks. idle: functions that were left out because Qt also calls them
    while nobody touches the window.
    """

    files: dict[str, str] = field(default_factory=dict)
    functions: dict[str, list[str]] = field(default_factory=dict)
    steps: dict[tuple[str, str], int] = field(default_factory=dict)
    returns: int = 0
    opening: set[str] = field(default_factory=set)
    idle: set[str] = field(default_factory=set)

    def enter(self, caller: str, called: str, function: str) -> None:
        """Record a call of `function` in file `called`, by code in file `caller`."""
        functions = self.functions.setdefault(called, [])
        if function not in functions:
            functions.append(function)
        if caller == called:
            return
        step = (caller, called)
        if called not in self.files:
            self.files[called] = function
        elif step not in self.steps:
            self.returns += 1
        self.steps[step] = self.steps.get(step, 0) + 1


@dataclass(frozen=True)
class _Call:
    """A call in progress. left_out: why it does not count; empty when it does."""

    file: str
    function: str
    left_out: str


class _Stack(threading.local):
    """A thread's calls of the package's functions. base: the calls that were in progress when the walk began."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.walk_number = 0
        self.base = 0
        self.is_observer = False


class Recorder:
    """Watches every call on every thread while it is `installed`; records those between `begin` and `end`."""

    def __init__(self, package: Path, opening: Collection[str] = ()) -> None:
        """package: its folder. opening: names of functions that open networks, which do not belong to a walk."""
        self._package, self._opening = package, opening
        self.on_call: Callable[[str], None] | None = None
        """Called with the name of each function of the package that is called."""
        self.on_return: Callable[[str], None] | None = None
        self._walk: Walk | None = None
        self._files: dict[CodeType, str | None] = {}
        self._stack = _Stack()
        self._walk_number = 0
        self._idle: set[CodeType] = set()
        self._learns_idle = False
        self._last_work = time.monotonic()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Watch this thread, and all that start in the meantime."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def begin(self, depth: int = 0) -> Walk:
        """Begin a walk. depth: how many of this thread's calls in progress belong to it."""
        self._start_counting(depth)
        self._walk = walk = Walk()
        caller = ""
        for call in self._stack.calls[self._stack.base :]:
            walk.enter(caller, call.file, call.function)
            caller = call.file
        return walk

    def end(self) -> None:
        """End the walk, which is then complete."""
        self._walk = None

    def learn_idle(self, is_on: bool) -> None:
        """Switch the learning of idle calls on or off: functions that Qt calls meanwhile are no part of a walk."""
        self._start_counting(0)
        self._learns_idle = is_on

    def is_quiet(self) -> bool:
        """Return whether all other threads have been idle for a while."""
        return time.monotonic() - self._last_work > QUIET_SECONDS

    @contextlib.contextmanager
    def observing(self) -> Iterator[None]:
        """Ignore what this thread does while the context lasts: it is the script's own work."""
        self._stack.is_observer = True
        try:
            yield
        finally:
            self._stack.is_observer = False

    def _start_counting(self, depth: int) -> None:
        self._walk_number += 1
        stack = self._stack
        stack.walk_number, stack.base = self._walk_number, len(stack.calls) - depth

    def _profile(self, frame: FrameType, event: str, arg: object) -> None:
        if event == "call":
            file = self._file(frame)
            if file is not None:
                self._enter(frame.f_code, file)
        elif event == "return" and self._files.get(frame.f_code) is not None:
            if self._stack.calls:
                self._stack.calls.pop()
            if self.on_return is not None:
                self.on_return(frame.f_code.co_name)

    def _file(self, frame: FrameType) -> str | None:
        """Return the path within the package; None for any other code."""
        code = frame.f_code
        if code not in self._files:
            # What dataclasses generate says "<string>"; its module says where the class stands.
            generated = code.co_filename == "<string>"
            path = Path(str(frame.f_globals.get("__file__", "")) if generated else code.co_filename)
            self._files[code] = (
                path.relative_to(self._package).as_posix() if path.is_relative_to(self._package) else None
            )
        return self._files[code]

    def _enter(self, code: CodeType, file: str) -> None:
        stack = self._stack
        if stack.walk_number != self._walk_number:
            stack.walk_number, stack.base = self._walk_number, len(stack.calls)
        stack.base = min(stack.base, len(stack.calls))
        from_outside = len(stack.calls) == stack.base
        if self._learns_idle and from_outside:
            self._idle.add(code)
        left_out = stack.calls[-1].left_out if stack.calls else ""
        if not left_out:
            left_out = self._reason(code)
        caller = "" if from_outside else stack.calls[-1].file
        function = code.co_qualname.replace("__create_fn__.<locals>.", "")
        stack.calls.append(_Call(file, function, left_out))
        if threading.current_thread() is not threading.main_thread():
            self._last_work = time.monotonic()
        if self.on_call is not None:
            self.on_call(code.co_name)
        if self._walk is not None and not stack.is_observer:
            if not left_out:
                self._walk.enter(caller, file, function)
            elif left_out == "opening":
                self._walk.opening.add(file)
            elif code in self._idle:
                self._walk.idle.add(f"{file}: {function}")

    def _reason(self, code: CodeType) -> str:
        if code.co_name == "<module>":
            return "import"
        if code.co_name in self._opening:
            return "opening"
        return "idle" if code in self._idle else ""
