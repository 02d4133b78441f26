"""The direction of imports, checked on the running program (import-linter checks the text), and what none may call."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

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
    assert {"smis_desktop.main", "smis_desktop.inference.synthesizer", "smis_desktop.document.palette"} <= set(names)
    loaded = _loaded_after_importing(names)
    assert "torch" in loaded  # they were truly imported
    assert not loaded & {"PySide6", "shiboken6", "qtpy", "superqt", "qimage2ndarray"}


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        ("smis_desktop.document", {"torch", "PySide6", "safetensors"}),
        ("smis_desktop.formats", {"torch", "PySide6"}),
        ("smis_desktop.errors", {"torch", "PySide6", "numpy"}),
    ],
)
def test_painting_starts_light(package: str, heavy: set[str]) -> None:
    names = [name for name in _modules_outside_the_window() if f"{name}.".startswith(f"{package}.")]
    assert package in names
    assert not _loaded_after_importing(names) & heavy


def test_a_call_for_help_loads_neither_torch_nor_qt() -> None:
    assert not _loaded_after_importing(["smis_desktop.main"]) & {"torch", "PySide6"}


_UNPICKLERS = {"pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}


def _ways_to_unpickle(text: str) -> list[str]:
    """Imports of what unpickles, `torch.load`, and `allow_pickle` that is not plainly False, in a module's text."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in _UNPICKLERS]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += [module] if module.partition(".")[0] in _UNPICKLERS else []
            found += ["torch.load"] if module == "torch" and any(alias.name == "load" for alias in node.names) else []
        elif isinstance(node, ast.Attribute) and node.attr == "load":
            found += ["torch.load"] if isinstance(node.value, ast.Name) and node.value.id == "torch" else []
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found += [] if isinstance(node.value, ast.Constant) and node.value.value is False else ["allow_pickle"]
    return found


def test_nothing_is_ever_unpickled() -> None:
    assert _ways_to_unpickle("import torch\ntorch.load(f, weights_only=True)") == ["torch.load"]
    assert _ways_to_unpickle("from pickle import loads\nnp.load(f, allow_pickle=True)") == ["pickle", "allow_pickle"]
    modules = sorted(Path(smis_desktop.__path__[0]).rglob("*.py"))
    assert len(modules) > 100
    for path in modules:
        assert _ways_to_unpickle(path.read_text("utf-8")) == [], path
