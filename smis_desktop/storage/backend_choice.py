"""Which backend makes the pictures: what a person has chosen, else what the self-test on this machine found best."""

from __future__ import annotations

import json
import logging
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from smis_desktop.errors import UserError
from smis_desktop.gan.backends import (
    BACKENDS,
    PRECISIONS,
    BackendMissing,
    BackendName,
    Progress,
    open_pictures,
    self_tests,
)
from smis_desktop.gan.precision import Precision
from smis_desktop.gan.protocol import Generator
from smis_desktop.gan.sparing import Sparing
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder

log = logging.getLogger(__name__)

AUTO = "auto"


@dataclass(frozen=True)
class BackendFacts:
    """chosen: a backend's name or `auto`. tests: what the self-test found, best first, as `SelfTest.as_dict`."""

    chosen: str
    tests: tuple[dict[str, Any], ...]


def backend_facts() -> BackendFacts:
    """As kept on the disk; nothing was tested yet on a new machine."""
    stored = _read()
    chosen = stored.get("chosen", AUTO)
    tests = stored.get("tests", [])
    is_sound = isinstance(tests, list) and all(isinstance(test, dict) and "backend" in test for test in tests)
    return BackendFacts(chosen if chosen in BACKENDS else AUTO, tuple(tests) if is_sound else ())


def asked_backend() -> str:
    """`$SMIS_BACKEND`, else the person's choice: a backend's name or `auto`. Raises UserError when it is neither."""
    asked = os.environ.get("SMIS_BACKEND") or backend_facts().chosen
    if asked not in (AUTO, *BACKENDS):
        raise UserError(f"SMIS_BACKEND={asked} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    return asked


def choose_backend(name: str) -> None:
    """From now on; `auto` goes by the self-test. Raises UserError for a name that is none, or a full disk."""
    if name not in (AUTO, *BACKENDS):
        raise UserError(f"{name!r} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    _write(_read() | {"chosen": name})


def open_chosen_pictures(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> Sparing:
    """The chosen backend; torch when that one cannot run."""
    backend, folder = chosen_backend(generator, threads, progress, precision), _folder()
    try:
        return Sparing(open_pictures(backend, generator, folder, threads, progress), generator, log.warning)
    except (BackendMissing, RuntimeError) as error:
        log.warning("pictures are made by torch, because %s: %s", backend, error)
        plain = open_pictures(_plain(precision or "float32"), generator, folder, threads, progress)
        return Sparing(plain, generator, log.warning)


def chosen_backend(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> BackendName:
    """The one that is asked for, else the self-test's winner.

    precision: what a training was begun with and has to go on with, wherever it is; then only such backends count.
    """
    asked, folder = asked_backend(), _folder()
    backend: BackendName = (
        _best(generator, threads, folder, progress) if asked == AUTO else next(b for b in BACKENDS if b == asked)
    )
    if precision is not None and PRECISIONS[backend] != precision:
        backend = _best(generator, threads, folder, progress, precision) if asked == AUTO else _plain(precision)
    return backend


def _plain(precision: Precision) -> BackendName:
    """The backend of that precision which runs everywhere, fast or slow."""
    return "torch" if precision == "float32" else "torch-bf16"


def _best(
    generator: Generator, threads: int, folder: Path, progress: Progress, precision: Precision | None = None
) -> BackendName:
    stored = _read()
    key = [
        *BACKENDS,
        _device(generator),
        platform.node(),
        platform.processor(),
        os.cpu_count(),  # not `threads`: processes that train together have fewer, and the same is fastest for them
        generator.weights_sha256,
    ]
    if stored.get("tested_on") != key:
        progress("Finding out what is fastest here, once", -1.0)
        tests = [test.as_dict() for test in self_tests(generator, folder, threads, progress)]
        for test in tests:
            log.info("self-test: %s", test)
        stored |= {"tested_on": key, "tests": tests}
        try:
            _write(stored)
        except UserError as error:
            log.warning("the self-test's outcome cannot be kept: %s", error)
    good = [test["backend"] for test in stored["tests"] if not test["fault"] and test["backend"] in PRECISIONS]
    fitting: list[BackendName] = [b for b in good if precision in (None, PRECISIONS[b])]
    return fitting[0] if fitting else _plain(precision or "float32")


def _device(generator: Generator) -> str:
    return torch.cuda.get_device_name(generator.device) if generator.device.type == "cuda" else generator.device.type


def _folder() -> Path:
    return data_folder("backends")


def _read() -> dict[str, Any]:
    try:
        found = json.loads((_folder() / "choice.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing was chosen yet, or it is unreadable: the self-test runs again
    return found if isinstance(found, dict) else {}


def _write(facts: dict[str, Any]) -> None:
    write_bytes(_folder() / "choice.json", json.dumps(facts, indent=1).encode())
