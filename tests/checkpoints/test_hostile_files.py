"""Opening a checkpoint never runs code of it: a corpus of hostile files, a canary, and a line that nobody may call."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smis_desktop import main as cli
from smis_desktop.generators.checkpoints.confined_reader import ESCAPE_TRIED
from smis_desktop.generators.checkpoints.pickle_machine import ALLOWED
from tests.checkpoints.hostile_files import hostile_files
from tests.checkpoints.published_layouts import nvidia_file, nvidia_state
from tests.small_stylegan2 import small_stylegan2

CHECKOUT = Path(__file__).resolve().parents[2]
LIVE = ("os.system", "posix.system", "eval", "exec", "a getattr chain", "INST", "OBJ", "protocol 0")
THROUGH_THE_DOOR = ("os.system", "a zip bomb", "_load_from_bytes with a pickle inside", "only half of it", "empty")
_MOST_SECONDS = 2.0
_MOST_MEMORY = 400 << 10
"""KiB at the peak, interpreter and numpy included."""


@dataclass(frozen=True)
class Corpus:
    """files by name; facts: what `read_all` found, by name. What ran would have made `canary` or called `listener`."""

    files: dict[str, bytes]
    facts: dict[str, dict[str, Any]]
    canary: Path
    listener: socket.socket


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    folder = tmp_path_factory.mktemp("corpus")
    canary = folder / "canary"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        files = hostile_files(str(canary), listener.getsockname()[1])
        (folder / "files").mkdir()
        for number, data in enumerate(files.values()):
            (folder / "files" / f"{number:03d}").write_bytes(data)
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("read_all.py")), str(folder / "files")],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        yield Corpus(files, dict(zip(files, lines, strict=True)), canary, listener)


NAMES = tuple(hostile_files("/nowhere", 1))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_in_a_sentence_quickly_and_in_little_memory(corpus: Corpus, name: str) -> None:
    facts = corpus.facts[name]
    assert facts["code"] == 0, "refused by the reader itself, not stopped by its confinement"
    refused = facts["answer"]["refused"]
    assert refused
    assert refused[-1] not in ".\n"
    assert refused.isprintable()
    assert len(refused) <= 320
    assert facts["written"] == 0
    assert facts["seconds"] <= _MOST_SECONDS
    assert facts["peak"] <= _MOST_MEMORY


def test_nothing_ran_and_nobody_called(corpus: Corpus) -> None:
    assert len(corpus.facts) >= 40
    assert not corpus.canary.exists()
    with pytest.raises(BlockingIOError):
        corpus.listener.accept()


@pytest.mark.parametrize("name", LIVE)
def test_the_harm_is_real(tmp_path: Path, name: str) -> None:
    """A careless reader does run them: else the canary would prove nothing."""
    canary = tmp_path / "canary"
    data = hostile_files(str(canary), 1)[name]
    (tmp_path / "file").write_bytes(data)
    careless = f"import pickle; pickle.load(open({str(tmp_path / 'file')!r}, 'rb'))"
    subprocess.run([sys.executable, "-c", careless], capture_output=True, check=False)
    assert canary.exists()


@pytest.mark.parametrize("name", THROUGH_THE_DOOR)
def test_the_command_line_says_so_and_installs_nothing(
    corpus: Corpus, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused_by_the_command(_written(tmp_path / "bad.pkl", corpus.files[name]), monkeypatch, capsys)
    assert not corpus.canary.exists()


@pytest.mark.parametrize(
    "kind",
    ["folder", "missing", "device", "link to a device", "pipe", "link to itself", "link to nothing", "socket"],
)
def test_what_is_no_file_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.pkl"
    match kind:
        case "folder":
            path.mkdir()
        case "device":
            path = Path("/dev/zero")
        case "link to a device":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case "link to itself":
            path.symlink_to(path)
        case "link to nothing":
            path.symlink_to(tmp_path / "nothing")
        case "socket":
            monkeypatch.chdir(tmp_path)  # its whole path may be longer than a socket's name can be
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("bad.pkl")
    assert str(path) in _refused_by_the_command(path, monkeypatch, capsys)


ESCAPES = {
    "a file": "open('/tmp/x', 'w')",
    "a file by its number": "os.open('/tmp/x', 0)",
    "a process": "os.system('true')",
    "another process": "os.posix_spawn('/bin/true', ['true'], {})",
    "a fork": "os.fork()",
    "a socket": "socket.socket()",
    "an import": "__import__('antigravity')",
    "code": "eval('1')",
    "a pickle": "pickle.loads(b'cos\\nsystem\\n.')",
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_a_confined_process_that_tries_more_is_ended(escape: str) -> None:
    confined = "from smis_desktop.generators.checkpoints.confined_reader import confine\nconfine(0)"
    code = f"import os, pickle, socket\n{confined}\n{escape}"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=False)
    assert done.returncode == ESCAPE_TRIED


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_a_confined_process_that_wants_too_much_memory_gets_none() -> None:
    code = (
        "from smis_desktop.generators.checkpoints.confined_reader import confine\nconfine(0)\n"
        "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    raise SystemExit(5)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=False)
    assert done.returncode == 5


def test_no_allowed_name_runs_a_program_even_for_a_careless_reader() -> None:
    forbidden = {"os", "posix", "nt", "subprocess", "builtins.eval", "builtins.exec", "builtins.getattr", "importlib"}
    for name in ALLOWED:
        assert name.module not in forbidden
        assert str(name) not in forbidden


def test_the_good_file_that_the_bad_ones_are_made_from_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))
    path = _written(tmp_path / "good.pkl", nvidia_file(nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8))))
    assert cli.main(["import-generator", str(path), "--name", "good", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["generator"], facts["img_resolution"], facts["num_ws"]) == ("good", 16, 6)


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _refused_by_the_command(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What it said: one sentence, exit code 2, nothing in the store."""
    data = path.parent / "data" if path.parent != Path("/dev") else Path(os.environ["SMIS_DATA_DIR"]).parent / "none"
    if path.parent != Path("/dev"):
        monkeypatch.setenv("SMIS_DATA_DIR", str(data))
    assert cli.main(["import-generator", str(path), "--name", "bad"]) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    sentence = err.splitlines()[-1]
    assert sentence.startswith("smis: ")
    assert sentence.endswith(".")
    if data.exists():
        assert list((data / "generators").iterdir()) == []
    return sentence
