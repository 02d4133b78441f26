"""Finds which system packages are missing, by what they provide, and installs them where the user may."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from progress import CommandFailed, Log, SetupFailed


@dataclass(frozen=True)
class Need:
    """One thing that the system must provide: a shared library, a program, or a module of Python.

    The check looks for the thing itself, never the package, whose name differs between distributions.
    """

    kind: str
    """"library", "program" or "module"."""
    thing: str
    """soname, program name or module name."""
    package: str
    """The Debian package that holds it."""

    def is_met(self) -> bool:
        """Return whether it is there now."""
        if self.kind == "library":
            try:
                ctypes.CDLL(self.thing)
            except OSError:
                return False
            return True
        if self.kind == "program":
            return shutil.which(self.thing) is not None
        importlib.invalidate_caches()
        return importlib.util.find_spec(self.thing) is not None


def _venv_package() -> str:
    """Return Debian's package for the Python that runs this: `python3-venv` follows the default Python only."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


RUNNING: tuple[Need, ...] = (
    Need("module", "ensurepip", _venv_package()),
    Need("library", "libGL.so.1", "libgl1"),
    Need("library", "libEGL.so.1", "libegl1"),
    Need("library", "libgthread-2.0.so.0", "libglib2.0-0"),
    Need("library", "libdbus-1.so.3", "libdbus-1-3"),
    Need("library", "libfontconfig.so.1", "libfontconfig1"),
    Need("library", "libxkbcommon.so.0", "libxkbcommon0"),
    Need("library", "libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    Need("library", "libxcb-cursor.so.0", "libxcb-cursor0"),
    Need("library", "libxcb-icccm.so.4", "libxcb-icccm4"),
    Need("library", "libxcb-keysyms.so.1", "libxcb-keysyms1"),
    Need("library", "libxcb-randr.so.0", "libxcb-randr0"),
    Need("library", "libxcb-shape.so.0", "libxcb-shape0"),
    Need("library", "libxcb-sync.so.1", "libxcb-sync1"),
    Need("library", "libxcb-xfixes.so.0", "libxcb-xfixes0"),
    Need("library", "libX11-xcb.so.1", "libx11-xcb1"),
)
"""What the window needs; the Qt of PySide6 loads these when it starts."""

TESTING: tuple[Need, ...] = (
    Need("program", "Xvfb", "xvfb"),
    Need("program", "xdotool", "xdotool"),
)
"""What the tests of the whole program need besides: a display, and something that moves its mouse."""


def unmet(needs: Sequence[Need]) -> list[Need]:
    """Return the needs that are not met now."""
    return [need for need in needs if not need.is_met()]


def provide(needs: Sequence[Need], log: Log, is_root: Callable[[], bool] = lambda: os.geteuid() == 0) -> None:
    """Meet every need: install what is missing, as root.

    Raises:
        SetupFailed: with the one line to run (exit code 2) where that takes an administrator.
    """
    missing = unmet(needs)
    if not missing:
        return
    packages = list(dict.fromkeys(need.package for need in missing))
    if shutil.which("apt-get") is None:
        things = ", ".join(need.thing for need in missing)
        raise SetupFailed(
            f"Please install, with your system's package manager, the packages that provide: {things}", exit_code=2
        )
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if not is_root():
        raise SetupFailed(
            "Some system packages are missing. Run this line once, then the same command again:\n"
            f"  sudo apt-get update && sudo {' '.join(install)}",
            exit_code=2,
        )
    log.say(f"Installing system packages: {' '.join(packages)}")
    _install(install, log)
    still = unmet(needs)
    if still:
        things = ", ".join(need.thing for need in still)
        raise SetupFailed(f"Still missing after {' '.join(install)}: {things}. See {log.path}")


def _install(command: list[str], log: Log) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    # Another apt may be at work for a moment (unattended upgrades are, after every boot).
    wait = ["-o", "DPkg::Lock::Timeout=120"]
    try:
        log.run("apt-get install", [command[0], *wait, *command[1:]], env=quiet)
    except CommandFailed:
        # A fresh system has no package lists, an old one has stale ones: both are put right by fetching them.
        log.run("apt-get update", [command[0], *wait, "update"], env=quiet)
        log.run("apt-get install", [command[0], *wait, *command[1:]], env=quiet)
