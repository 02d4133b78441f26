"""The entry: help, version, mistakes, the window, and where text goes."""

from __future__ import annotations

import io
import json
import re
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from smis_desktop import __version__
from smis_desktop import main as cli
from smis_desktop.cli import commands
from smis_desktop.cli.command import all_commands
from smis_desktop.cli.console import Answer, Console
from smis_desktop.errors import UserError
from tests.cli.conftest import Ended, RunCommand, Smis

COMMANDS = [command.name for command in all_commands()]


def test_help_names_every_command(smis: Smis) -> None:
    ended = smis("--help")
    assert (ended.code, ended.err) == (0, "")
    assert [name for name in COMMANDS if not re.search(rf"^    {name}\s", ended.out, re.MULTILINE)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(smis: Smis, command: str) -> None:
    ended = smis(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"usage: smis {command} ")
    assert "--json" in ended.out


@pytest.mark.parametrize("page", ["README.md", "docs/guide/command-line.md"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained(page: str, command: str) -> None:
    text = (Path(__file__).resolve().parents[2] / page).read_text(encoding="utf-8")
    assert re.search(rf"^(\| `)?smis {command}( |`)", text, re.MULTILINE), "in a table, or in a block of shell lines"


def test_a_command_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smis: Smis) -> None:
    (tmp_path / "toy.py").write_text(
        "from smis_desktop.cli.command import Command\n"
        "from smis_desktop.cli.console import Answer\n"
        "def add_arguments(parser):\n"
        "    parser.add_argument('--times', type=int, default=1)\n"
        "def run(arguments, console):\n"
        "    return Answer({'said': arguments.times * 'ho'}, 'played')\n"
        "COMMAND = Command('toy', 'play a little', 45, add_arguments, run)\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        help_text = smis("--help").out
        assert help_text.index("    sample ") < help_text.index("    toy             play a little")
        assert help_text.index("    toy ") < help_text.index("    train ")
        assert smis("toy", "--times", 3, "--json").facts["said"] == "hohoho"
    finally:
        sys.modules.pop(f"{commands.__name__}.toy", None)


def test_version(smis: Smis) -> None:
    assert smis("--version").out == f"SMIS Desktop {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["render"],
        ["render", "a.png"],
        ["sample", "--seeds", "0", "--out", "x", "--size", "300"],
        ["sample", "--seeds", "3-1", "--out", "x"],
        ["sample", "--seeds", "1,,2", "--out", "x"],
        ["sample", "--seeds", "-1", "--out", "x"],
        ["sample", "--seeds", "0-99999999", "--out", "x"],
        ["sample", "--seeds", "0", "--out", "x", "--truncation", "nan"],
        ["render", "a.png", "--out", "x", "--mix", "1.5"],
        ["render", "a.png", "--out", "x", "--refine", "-3"],
        ["train", "shots", "--out", "x", "--labels", "fuzzy"],
        ["train", "shots", "--out", "x", "--samples", "10", "--minutes", "1"],
        ["models", "--jso"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_told_in_one_line(smis: Smis, words: list[str]) -> None:
    ended = smis(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("smis: ")
    assert ended.err.count("\n") == 1
    assert "--help" in ended.err


@pytest.mark.parametrize(
    "words", [[], ["--model", "m.smismodel"], ["--layout", "l.png", "--model", "m.smismodel"], ["a face.smis"]]
)
def test_no_command_opens_the_window_with_its_options(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    opened: list[Sequence[str]] = []
    window = types.ModuleType("smis_desktop.app")
    window.main = lambda argv: opened.append(list(argv)) or 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "smis_desktop.app", window)
    monkeypatch.setattr("smis_desktop.app", window, raising=False)
    assert cli.main(words) == 5
    assert opened == [words]


def test_a_fault_of_the_program_passes_through_as_it_is(toy_command: Callable[[RunCommand], None]) -> None:
    def fail(*_arguments: object) -> Answer:
        raise ZeroDivisionError

    toy_command(fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["toy"])


def test_ctrl_c_is_one_line_and_130(toy_command: Callable[[RunCommand], None], smis: Smis) -> None:
    def interrupted(*_arguments: object) -> Answer:
        raise KeyboardInterrupt

    toy_command(interrupted)
    ended = smis("toy")
    assert ended.code == 130
    assert ended.out == ""
    assert ended.err == "smis: interrupted; files that were not finished are not kept.\n"


def test_names_that_the_terminal_cannot_show_do_not_stop_an_answer(
    monkeypatch: pytest.MonkeyPatch, toy_command: Callable[[RunCommand], None]
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    toy_command(lambda *_: Answer({}, "Zoë \udcff 64²"))
    assert cli.main(["toy"]) == 0
    sys.stdout.flush()
    assert raw.getvalue() == b"Zo\\xeb \\udcff 64\\xb2\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_elsewhere_is_plain_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, as_json=True)
    for step in range(101):
        console.progress("Painting", step / 100)
    console.progress("Drying", -1.0)
    console.progress("Drying", -1.0)
    console.progress("Framing", 1.0)
    console.note("cropped")
    console.warn("unknown ids")
    console.answer(Answer({"pictures": 3}, "three pictures"))
    lines = err.getvalue().splitlines()
    assert lines[0] == "Painting"
    assert lines[1:11] == [f"Painting: {tenth} %" for tenth in range(10, 101, 10)]
    assert lines[11:] == ["Drying", "Framing: 100 %", "cropped", "Warning: unknown ids"]
    assert json.loads(out.getvalue()) == {"pictures": 3, "notes": ["cropped"], "warnings": ["unknown ids"]}
    assert out.getvalue().count("\n") == 1


def test_progress_on_a_terminal_is_a_bar_that_lines_do_not_tear() -> None:
    out, err = io.StringIO(), _Terminal()
    console = Console(out, err)
    console.progress("Painting", 0.0)
    console.progress("Painting", 0.5)
    console.note("cropped")
    console.progress("Painting", 0.75)
    console.progress("Painting", 1.0)
    console.progress("Painting", 1.0)
    console.progress("Waiting", -1.0)
    console.answer(Answer({"pictures": 3}, "three pictures"))
    shown = err.getvalue()
    assert "\r" in shown
    assert "100%" in shown
    assert "\ncropped\n" in shown
    assert shown.endswith("\n")
    assert out.getvalue() == "three pictures\n"


def test_a_user_error_of_the_window_ends_like_any_other(monkeypatch: pytest.MonkeyPatch, smis: Smis) -> None:
    def refuse(_argv: Sequence[str]) -> int:
        raise UserError("m.smismodel does not exist; choose another one.")

    window = types.ModuleType("smis_desktop.app")
    window.main = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "smis_desktop.app", window)
    monkeypatch.setattr("smis_desktop.app", window, raising=False)
    assert smis("--model", "m.smismodel") == Ended(2, "", "smis: m.smismodel does not exist; choose another one.\n")
