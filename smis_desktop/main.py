"""The program's entry: runs a command, or opens the window if there is none.

Exit codes: 0 done, 1 a fault of the program (with its traceback), 2 bad input (one sentence), 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from smis_desktop import __version__
from smis_desktop.cli.command import Command, all_commands
from smis_desktop.cli.console import Console
from smis_desktop.diagnostics.log_file import kept_log
from smis_desktop.errors import UserError
from smis_desktop.malloc import keep_freed_memory

log = logging.getLogger(__name__)

BAD_INPUT, INTERRUPTED, TERMINATED = 2, 130, 143

_TOP_OPTIONS = ("-h", "--help", "--version")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, or open the window.

    Args:
        argv: The arguments after the program's name (default: the process's own).

    Returns:
        The exit code. Faults of the program pass through as exceptions.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _print_any_name()
    keep_freed_memory()
    try:
        with _ending_on_sigterm():
            return _open_window(words) if _asks_for_window(words) else _run_command(words)
    except UserError as error:
        print(f"smis: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("smis: interrupted.", file=sys.stderr)
        return INTERRUPTED


def _asks_for_window(words: Sequence[str]) -> bool:
    """Return whether there is no command: no argument, options of the window, or a file (with a suffix)."""
    if not words:
        return True
    return bool(Path(words[0]).suffix) if not words[0].startswith("-") else words[0] not in _TOP_OPTIONS


def _open_window(words: Sequence[str]) -> int:
    from smis_desktop import app

    return app.main(words)


def _paint_in_window(model: Path, recording: Path, layout: Path | None) -> object:
    from smis_desktop import app

    return app.measure_painting(model, recording, layout)


def _run_command(words: Sequence[str]) -> int:
    commands = {command.name: command for command in all_commands()}
    try:
        arguments = _parser(commands.values()).parse_args(words)
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    arguments.paint_in_window = _paint_in_window  # commands must not import the window
    with _streams() as (out, err):
        return _answer(commands[arguments.command], arguments, Console(out, err, arguments.json))


@contextmanager
def _streams() -> Iterator[tuple[TextIO, TextIO]]:
    """Yield the streams for answers and progress; of several processes (`torchrun`) only the first writes any."""
    if os.environ.get("RANK", "0") == "0":
        yield sys.stdout, sys.stderr
        return
    with open(os.devnull, "w", encoding="utf-8") as discarded:
        yield discarded, discarded


def _answer(command: Command, arguments: argparse.Namespace, console: Console) -> int:
    try:
        with kept_log():
            log.info("smis %s", command.name)
            console.answer(command.run(arguments, console))
    except KeyboardInterrupt:
        console.close()
        print(f"smis: interrupted; {console.if_interrupted}.", file=sys.stderr)
        return INTERRUPTED
    finally:
        console.close()
    return 0


class _Parser(argparse.ArgumentParser):
    """Reports a wrong call like any other bad input: in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help.")


def _parser(commands: Iterable[Command]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="smis",
        usage="smis [FILE] [--model FILE] [--layout FILE]\n       smis COMMAND … [--json]",
        description="Paint a layout and see a photograph of it. Without a command, the window opens.",
        epilog="`smis COMMAND --help` says more about a command. Exit codes: 0 done, 2 bad input, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"SMIS Desktop {__version__}")
    subparsers = parser.add_subparsers(prog="smis", dest="command", metavar="COMMAND", required=True)
    for command in commands:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help, allow_abbrev=False)
        command.add_arguments(subparser)
        subparser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _print_any_name() -> None:
    """Let the streams escape characters that the terminal's encoding lacks: file names may hold any."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the program as Ctrl-C does while the context lasts, so that half-written files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
