"""The limits of CONTRIBUTING.md: sizes of files and functions, names of files, and no import cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = CHECKOUT / "smis_desktop"
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60
VAGUE_NAMES = ("manager", "helper", "util")
TABLES = {
    "smis_desktop.formats.registry": "smis_desktop.formats.project",
    "smis_desktop.training.stages": "smis_desktop.training.training",
    "smis_desktop.ui.window.arrangement": "smis_desktop.ui.window.main_window",
    "smis_desktop.ui.window.actions": "smis_desktop.ui.window.main_window",
    "smis_desktop.ui.window.command_table": "smis_desktop.ui.window.main_window",
    "smis_desktop.ui.window.commands": "smis_desktop.ui.window.main_window",
    "smis_desktop.ui.window.docks": "smis_desktop.ui.window.main_window",
}
"""The rows of a table name, for types alone, what they work on: {module of the table: what it may name so}."""


def _sources() -> list[Path]:
    return sorted(path for folder in ("smis_desktop", "setup", "scripts") for path in (CHECKOUT / folder).rglob("*.py"))


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in _sources()}
    assert len(lengths) > 200
    assert [f"{path}: {length}" for path, length in lengths.items() if length > MAX_FILE_LINES] == []


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1000
    assert [f"{name}: {length}" for name, length in lengths.items() if length > MAX_FUNCTION_LINES] == []


def test_file_names_say_what_is_inside() -> None:
    vague = [path for path in (*_sources(), *(CHECKOUT / "tests").rglob("*.py")) if path.stem.lower().endswith(
        tuple(ending for name in VAGUE_NAMES for ending in (name, f"{name}s"))
    )]  # fmt: skip
    assert vague == []


def test_modules_import_each_other_in_one_direction() -> None:
    """Imports inside functions and for types alone count, but for those of `TABLES`."""
    modules = {_module_name(path): path for path in PACKAGE.rglob("*.py")}
    graph = {}
    for name, path in modules.items():
        graph[name] = set(_imported(path, set(modules))) - {name}
        if name in TABLES:
            assert TABLES[name] in graph[name]
            graph[name].remove(TABLES[name])
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = " → ".join(error.args[1])
        raise AssertionError(f"an import cycle: {cycle}") from None


def test_a_cycle_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from smis_desktop.b import B\n"
    )
    modules = {"smis_desktop.a", "smis_desktop.b", "smis_desktop.b.B"}
    assert list(_imported(tmp_path / "a.py", modules)) == ["smis_desktop.b.B"]
    assert list(_imported(tmp_path / "a.py", modules - {"smis_desktop.b.B"})) == ["smis_desktop.b"]


def _module_name(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, modules: set[str]) -> Iterator[str]:
    """The modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                yield part if part in modules else node.module
