"""The direction of imports, checked on the running program (import-linter checks it on the text)."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import smis_desktop


def _modules_outside_the_window() -> list[str]:
    """Every module of the package but the window and its composition root."""
    found = (info.name for info in pkgutil.walk_packages(smis_desktop.__path__, "smis_desktop."))
    return [name for name in found if name != "smis_desktop.app" and not f"{name}.".startswith("smis_desktop.ui.")]


def _loaded_after_importing(names: list[str]) -> set[str]:
    """The top-level packages in `sys.modules` of a fresh Python that has imported `names`."""
    program = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, json.dumps(names)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_everything_but_the_window_runs_without_qt() -> None:
    names = _modules_outside_the_window()
    assert {"smis_desktop.cli", "smis_desktop.synthesis", "smis_desktop.labels.palette"} <= set(names)
    loaded = _loaded_after_importing(names)
    assert "torch" in loaded  # they were truly imported
    assert not loaded & {"PySide6", "shiboken6", "qtpy", "superqt", "qimage2ndarray"}


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("smis_desktop.labels", {"torch", "PySide6", "safetensors"}),
        ("smis_desktop.errors", {"torch", "PySide6", "numpy"}),
    ],
)
def test_painting_starts_light(package: str, heavy: set[str]) -> None:
    names = [name for name in _modules_outside_the_window() if f"{name}.".startswith(f"{package}.")]
    assert package in names
    assert not _loaded_after_importing(names) & heavy


def test_a_call_for_help_loads_neither_torch_nor_qt() -> None:
    assert not _loaded_after_importing(["smis_desktop.cli"]) & {"torch", "PySide6"}
