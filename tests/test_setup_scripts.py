"""`./start` in a small checkout that needs no network, the lock file, and the system packages."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).resolve().parent.parent

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""

# A build backend of one function: pip needs nothing else to install the checkout below, editable, without a network.
BACKEND = """
import pathlib, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    here = pathlib.Path(__file__).parent
    if (here / "gate").exists():
        (here / "gate").read_text()  # a pipe: waits here until somebody writes to it
    requires = (here / "requires").read_text() if (here / "requires").exists() else ""
    name = "smis_desktop-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("smis_desktop.pth", str(here))
        info = "smis_desktop-1.dist-info/"
        metadata = "Metadata-Version: 2.1\\nName: smis-desktop\\nVersion: 1\\nProvides-Extra: test\\n" + requires
        wheel.writestr(info + "METADATA", metadata)
        kind = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", kind)
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nsmis = smis_desktop.cli:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""

PROGRAM = """
import sys

def main():
    print("smis", sys.argv[1:])
    return 7
"""


def _start(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`./start` from some other folder, with no package index to ask."""
    return subprocess.run(
        [checkout / "start", *arguments], cwd="/", env=_offline(), capture_output=True, text=True, check=False
    )


def _offline() -> dict[str, str]:
    return {**os.environ, "PIP_NO_INDEX": "1"}


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkout in which `./start` has run once. Its path holds a space."""
    checkout = tmp_path_factory.mktemp("check out")
    shutil.copytree(CHECKOUT / "setup", checkout / "setup")
    shutil.copy(CHECKOUT / "start", checkout)
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    (checkout / "requirements.lock").touch()
    (checkout / "backend.py").write_text(BACKEND)
    (checkout / "smis_desktop").mkdir()
    (checkout / "smis_desktop" / "__init__.py").touch()
    (checkout / "smis_desktop" / "cli.py").write_text(PROGRAM)
    first = _start(checkout, "render", "a layout.png")
    assert (first.stdout, first.returncode) == ("smis ['render', 'a layout.png']\n", 7), first.stderr
    assert "Ready." in first.stderr
    return checkout


@pytest.fixture
def checkout(set_up: Path) -> Iterator[Path]:
    """The same, with a canary file in its environment, which is gone once the environment has been made anew."""
    (set_up / ".venv" / "canary").touch()
    yield set_up
    for name in ("gate", "requires"):
        (set_up / name).unlink(missing_ok=True)
    (set_up / "pyproject.toml").write_text(PYPROJECT)
    (set_up / "requirements.lock").write_text("")


def _made_anew(checkout: Path) -> bool:
    return not (checkout / ".venv" / "canary").exists()


def test_a_second_start_only_starts(checkout: Path) -> None:
    log = checkout / ".cache" / "setup" / "log.txt"
    log.write_text("untouched")
    again = _start(checkout)
    assert (again.stdout, again.stderr, again.returncode) == ("smis []\n", "", 7)
    assert log.read_text() == "untouched"


def test_a_changed_project_file_refreshes_the_environment(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PYPROJECT + "# changed\n")
    changed = _start(checkout)
    assert (changed.stdout, changed.returncode) == ("smis []\n", 7), changed.stderr
    assert "Installing Python packages" in changed.stderr
    assert not _made_anew(checkout)
    assert _start(checkout).stderr == ""


def test_packages_come_in_the_locked_versions_from_the_index_that_the_user_has_set(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0+cpu", "3.0"):
        _write_wheel(tmp_path, "smis_brush", version)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (checkout / "requires").write_text("Requires-Dist: smis-brush\n")
    (checkout / "requirements.lock").write_text("smis-brush==1.0\nsmis-paper==1.0 ; python_version < '3'\n")
    first = _start(checkout)
    assert (first.returncode, _installed_version(checkout, "smis-brush")) == (7, "1.0"), first.stderr
    assert _start(checkout).stderr == ""
    (checkout / "requirements.lock").write_text("smis-brush==2.0\n")
    renewed = _start(checkout)
    assert "Installing Python packages" in renewed.stderr
    assert _installed_version(checkout, "smis-brush") == "2.0+cpu"  # a build of its own is a 2.0 too
    assert not _made_anew(checkout)
    assert _start(checkout).stderr == ""


def _write_wheel(folder: Path, name: str, version: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info/"
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")


def _installed_version(checkout: Path, package: str) -> str:
    ask = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    asked = subprocess.run(
        [checkout / ".venv" / "bin" / "python", "-c", ask], capture_output=True, text=True, check=True
    )
    return asked.stdout.strip()


def test_a_checkout_without_its_lock_file_is_not_whole(checkout: Path) -> None:
    (checkout / "requirements.lock").unlink()
    started = _start(checkout)
    assert (started.stdout, started.returncode) == ("", 1)
    assert str(checkout / "requirements.lock") in started.stderr


@pytest.fixture(scope="module")
def locked() -> dict[str, Requirement]:
    """The lines of the lock file by normalised name."""
    lines = (CHECKOUT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line.partition("#")[0]) for line in lines if not line.startswith("#")]
    return {_normalised(requirement.name): requirement for requirement in requirements}


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_file_holds_all_that_the_project_asks_for(locked: dict[str, Requirement], python: str) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    machine = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": "x86_64"}
    for requirement in map(Requirement, asked):
        if requirement.marker is None or requirement.marker.evaluate(machine):
            lock = locked[_normalised(requirement.name)]
            assert lock.marker is None or lock.marker.evaluate(machine), lock
            (version,) = (specifier.version for specifier in lock.specifier)
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_the_lock_file_leaves_the_build_of_torch_to_the_machine(locked: dict[str, Requirement]) -> None:
    assert not [name for name in locked if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert not [str(lock) for lock in locked.values() if "+" in str(lock.specifier)]


def test_a_failed_refresh_tells_why_and_spoils_nothing(checkout: Path) -> None:
    assert _start(checkout).returncode == 7
    (checkout / "pyproject.toml").write_text(PYPROJECT + "# wants more\n")
    (checkout / "requires").write_text("Requires-Dist: no-such-package-anywhere\n")
    failed = _start(checkout)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "no-such-package-anywhere" in failed.stderr
    log = checkout / ".cache" / "setup" / "log.txt"
    assert str(log) in failed.stderr
    assert "no-such-package-anywhere" in log.read_text()
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    back = _start(checkout)
    assert (back.stderr, back.returncode) == ("", 7)
    assert not _made_anew(checkout)


def test_a_set_up_that_was_killed_heals(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PYPROJECT + "# killed\n")
    os.mkfifo(checkout / "gate")
    process = subprocess.Popen(
        [checkout / "start"],
        env=_offline(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    with (checkout / "gate").open("w"):  # opens when pip has reached the gate
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (checkout / "gate").unlink()
    healed = _start(checkout)
    assert (healed.stdout, healed.returncode) == ("smis []\n", 7), healed.stderr
    assert _made_anew(checkout)
    assert _start(checkout).stderr == ""


def test_an_interrupted_set_up_stops_its_command_and_says_so(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PYPROJECT + "# interrupted\n")
    os.mkfifo(checkout / "gate")
    process = subprocess.Popen(
        [sys.executable, checkout / "setup" / "prepare.py", "start"], env=_offline(), stderr=subprocess.PIPE, text=True
    )
    with (checkout / "gate").open("w"):
        process.terminate()
        _, told = process.communicate()
    assert process.returncode == 130
    assert "Interrupted" in told


def test_a_checkout_that_was_moved_makes_a_new_environment(set_up: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(set_up, moved, symlinks=True)
    started = _start(moved)
    assert (started.stdout, started.returncode) == ("smis []\n", 7), started.stderr
    assert str(moved) in (moved / ".venv" / "bin" / "smis").read_text()


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(CHECKOUT / "setup")
    return importlib.import_module("system_packages")


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A first folder of PATH, with an apt-get that, like on a bare system, knows no package before `update`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    apt_get = folder / "apt-get"
    apt_get.write_text(
        f"""#!/bin/sh
cd '{folder}'
case "$*" in
  *update) touch lists ;;
  *" install "*brush-package) [ -e lists ] || {{ echo "E: Unable to locate package"; exit 100; }}
      touch smis-brush; chmod +x smis-brush ;;
  *) exit 99 ;;
esac
"""
    )
    apt_get.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def provide(packages: ModuleType, tmp_path: Path) -> Callable[..., None]:
    progress = importlib.import_module("progress")

    def call(*needs: object, is_root: bool) -> None:
        with (tmp_path / "lock").open("w") as lock, progress.Log(tmp_path / "log.txt", lock.fileno()) as log:
            packages.provide(needs, log, lambda: is_root)

    return call


def test_a_user_is_told_the_one_line_to_run(
    packages: ModuleType, provide: Callable[..., None], bin_folder: Path
) -> None:
    there = packages.Need("program", "sh", "dash")
    library = packages.Need("library", "libsmis-paper.so.9", "libsmis-paper9")
    program = packages.Need("program", "smis-brush", "brush-package")
    with pytest.raises(importlib.import_module("progress").SetupFailed) as failure:
        provide(there, library, program, is_root=False)
    assert failure.value.exit_code == 2
    line = str(failure.value).splitlines()[-1].strip()
    assert line.startswith("sudo apt-get update && sudo apt-get install -y ")
    assert line.endswith(" libsmis-paper9 brush-package")
    assert not (bin_folder / "lists").exists()


def test_root_installs_what_is_missing(packages: ModuleType, provide: Callable[..., None], bin_folder: Path) -> None:
    program = packages.Need("program", "smis-brush", "brush-package")
    provide(program, is_root=True)
    assert program.is_met()
    (bin_folder / "apt-get").unlink()
    provide(program, is_root=True)  # nothing is missing, nobody is asked


def test_an_installation_that_gives_too_little_is_told(
    packages: ModuleType, provide: Callable[..., None], bin_folder: Path
) -> None:
    need = packages.Need("program", "smis-paper", "brush-package")
    with pytest.raises(importlib.import_module("progress").SetupFailed, match="smis-paper"):
        provide(need, is_root=True)
