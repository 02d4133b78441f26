"""The checkout's own Python environment, `.venv`: made when missing, refreshed when project or lock file change.

The lock file (`requirements.lock`) is given to pip as a constraint: pip installs what `pyproject.toml` asks for, in
the locked versions, from whatever index the user has set up. A record in `.venv` says what the environment was made
from; while it holds, nothing is installed and no network is needed. A marker stands beside the log while pip installs:
a marker left over from an earlier run means that the installation was cut off, and the environment is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from progress import CommandFailed, Log, SetupFailed

# pip says this before it touches the environment; a failure before that has changed nothing.
_PIP_BEGINS_TO_INSTALL = "Installing collected packages"

LOCK_FILE = "requirements.lock"


@dataclass(frozen=True)
class Record:
    """What an environment was made from: the checkout's folder, SHA-256 of project and lock file, the extras."""

    checkout: str
    project: str
    lock: str
    extras: tuple[str, ...]

    def covers(self, wanted: Record) -> bool:
        """Return whether an environment of this record holds all that `wanted` asks for."""
        same = (self.checkout, self.project, self.lock) == (wanted.checkout, wanted.project, wanted.lock)
        return same and set(wanted.extras) <= set(self.extras)


def wanted_record(checkout: Path, extras: Sequence[str]) -> Record:
    """Return the record of an environment that would serve this checkout now.

    Raises:
        SetupFailed: pyproject.toml or the lock file is missing.
    """
    try:
        project, lock = (
            hashlib.sha256((checkout / name).read_bytes()).hexdigest() for name in ("pyproject.toml", LOCK_FILE)
        )
    except FileNotFoundError as error:
        raise SetupFailed(f"{error.filename} is missing: this is not a whole checkout.") from error
    return Record(str(checkout), project, lock, tuple(sorted(extras)))


def is_current(venv: Path, unfinished: Path, wanted: Record) -> bool:
    """Return whether the environment is whole, starts, and holds what is wanted."""
    record = _read_record(venv)
    return not unfinished.exists() and record is not None and record.covers(wanted) and _finds(venv, "smis_desktop")


def bring_up_to_date(venv: Path, unfinished: Path, wanted: Record, log: Log) -> None:
    """Make or refresh the environment `venv`, with the wanted project and extras installed in it, editable.

    Args:
        unfinished: path of the marker.

    Raises:
        SetupFailed: the environment cannot be made, or pip fails.
    """
    record = _read_record(venv)
    # A folder that was moved holds scripts that name its old place.
    moved = record is not None and record.checkout != wanted.checkout
    usable = not unfinished.exists() and not moved and _finds(venv, "pip")
    unfinished.touch()
    if not usable:
        log.say(f"Making the Python environment {venv} (Python {sys.version.split()[0]})")
        _remove(venv)
        log.run("Making .venv", [sys.executable, "-m", "venv", str(venv)])
    elif record is not None:
        # What an earlier set-up added stays, the test tools above all.
        wanted = replace(wanted, extras=tuple(sorted({*wanted.extras, *record.extras})))
    log.say("Installing Python packages (the first time takes some minutes)")
    _install(venv, wanted, unfinished, log)
    _write_record(venv, wanted)
    unfinished.unlink()
    log.say("Ready.")


@contextmanager
def exclusively(path: Path) -> Iterator[int]:
    """Hold the lock file `path`, after waiting for another process that holds it; yields its descriptor."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another set-up of this checkout to end …", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _install(venv: Path, wanted: Record, unfinished: Path, log: Log) -> None:
    project = f".[{','.join(wanted.extras)}]" if wanted.extras else "."
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # `PIP_USER=1` or PYTHONPATH would install to, or find packages in, another place than the environment.
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    env["PIP_USER"] = "0"
    try:
        install = [*pip, "install", "--progress-bar", "off", "--constraint", LOCK_FILE, "--editable", project]
        log.run("Installing Python packages", install, folder=Path(wanted.checkout), env=env)
    except CommandFailed as failure:
        if not any(line.startswith(_PIP_BEGINS_TO_INSTALL) for line in failure.lines):
            unfinished.unlink()
        raise


def _finds(venv: Path, module: str) -> bool:
    """Return whether the environment's Python starts and finds the module (isolated from the current folder)."""
    python = venv / "bin" / "python"
    if not python.exists():  # also when it links to a Python that was removed
        return False
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-I", "-c", look], capture_output=True, check=False).returncode == 0


def _read_record(venv: Path) -> Record | None:
    try:
        content = json.loads((venv / "smis-setup.json").read_text(encoding="utf-8"))
        lock = str(content.get("lock", ""))  # set-ups before 0.2 had no lock file
        return Record(str(content["checkout"]), str(content["project"]), lock, tuple(map(str, content["extras"])))
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None  # made by hand, or damaged: pip will tell what is there


def _write_record(venv: Path, record: Record) -> None:
    path, temporary = venv / "smis-setup.json", venv / "smis-setup.json.new"
    temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
    temporary.replace(path)


def _remove(venv: Path) -> None:
    if venv.is_symlink() or venv.is_file():
        venv.unlink()
    elif venv.exists():
        shutil.rmtree(venv)
