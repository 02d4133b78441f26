"""What every test relies on: a data folder of its own, a light torch, a display of its own, no Qt leftovers."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from smis_desktop.generators.generator import Generator
    from smis_desktop.training.perceptual import PerceptualDistance

CHECKOUT = Path(__file__).resolve().parent.parent
_MOST_WORKERS = 4

# Set before anything of the program is imported, and inherited by every process that a test starts. The generator is
# fetched into this folder once and kept between runs; the user's own data folder is never touched.
os.environ["SMIS_DATA_DIR"] = str(CHECKOUT / ".cache" / "smis-data")
# Of several workers each has one thread: threads that outnumber the cores wait for one another, many times over.
_THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
os.environ.setdefault("OMP_NUM_THREADS", str(_THREADS))
os.environ["QT_API"] = "pyside6"
# The reference: what other backends compute is compared with it by tests of their own.
os.environ["SMIS_BACKEND"] = "torch"
# Tests in this process paint into memory: no window pops up, and no mouse or clipboard of a real desktop is touched.
# Tests of the whole program start it as a process of its own on `x_display`.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
for variable in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"):
    os.environ.pop(variable, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")
    parser.addoption("--gpu", action="store_true", help="run the tests marked gpu too (they need an accelerator)")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, four at most: each may take two gigabytes."""
    return min(os.cpu_count() or 1, _MOST_WORKERS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and NETWORK_FIXTURES & set(item.fixturenames):
            item.add_marker("network")
    left_out = [mark for mark in ("slow", "gpu") if not config.getoption(f"--{mark}")]
    deselected = [item for item in items if any(item.get_closest_marker(mark) for mark in left_out)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


NETWORK_FIXTURES = {"faces", "perceptual"}
"""Fixtures that download a file on first need; tests that use them are marked `network`."""


@pytest.fixture(scope="session")
def perceptual() -> PerceptualDistance:
    """The real perceptual network, downloaded on first need into the tests' data folder."""
    from smis_desktop.training.perceptual import open_perceptual_distance

    return open_perceptual_distance(lambda words, fraction: None)


@pytest.fixture(scope="session")
def faces() -> Generator:
    """The real default generator, fetched on first need into the tests' data folder."""
    from smis_desktop.generators.store import open_generator

    return open_generator("faces")


@pytest.fixture(autouse=True)
def few_torch_threads() -> None:
    """Keep torch from taking every core; tests that never import it do not pay for it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > _THREADS:
        torch.set_num_threads(_THREADS)


@pytest.fixture(scope="session")
def x_display() -> Iterator[str]:
    """The name (`:7`) of a virtual X display of this session's own, for programs started by a test.

    Give it to the process as DISPLAY, with QT_QPA_PLATFORM=xcb.
    """
    server = shutil.which("Xvfb")
    if server is None:
        pytest.fail("Xvfb is missing: run ./test, which installs it or says how to.")
    number_end, server_end = os.pipe()
    process = subprocess.Popen(
        # The server picks a free number by itself and says which: no race with other displays of this machine.
        [server, "-displayfd", str(server_end), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[server_end],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(server_end)
    try:
        with os.fdopen(number_end) as answer:
            number = answer.readline().strip()  # returns empty when the server dies instead
        if not number:
            pytest.fail(f"Xvfb did not start (exit code {process.wait()}).")
        yield f":{number}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(autouse=True)
def no_qt_leftovers() -> Iterator[None]:
    """Fail a test that leaves a top-level widget or a running QThread behind.

    Either one would live on into other tests: a forgotten window answers their events, and a running QThread that is
    garbage-collected aborts the whole run.
    """
    before = {id(thing) for thing in _qt_leftovers()}
    yield
    if not _new_leftovers(before):
        return
    gc.collect()  # widgets in a reference cycle are no leftovers, only late
    leftovers = _new_leftovers(before)
    names = [f"{type(thing).__name__} {thing.objectName()!r}" for thing in leftovers]
    for thing in leftovers:
        _remove(thing)
    del leftovers
    if names:
        pytest.fail(f"left behind: {', '.join(names)}")


def _new_leftovers(before: set[int]) -> list[Any]:
    return [thing for thing in _qt_leftovers() if id(thing) not in before]


def _qt_leftovers() -> list[Any]:
    """Top-level widgets and running QThreads, of those that Python has ever held."""
    widgets, core, shiboken = (sys.modules.get(name) for name in ("PySide6.QtWidgets", "PySide6.QtCore", "shiboken6"))
    if widgets is None or core is None or shiboken is None:
        return []
    if not isinstance(widgets.QApplication.instance(), widgets.QApplication):
        return []
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
    # The tool tip is Qt's own single one and stays.
    found = [w for w in widgets.QApplication.topLevelWidgets() if w.metaObject().className() != "QTipLabel"]
    threads = [thing for thing in shiboken.getAllValidWrappers() if isinstance(thing, core.QThread)]
    # The thread of the test itself can be wrapped too (by `QThread.currentThread()`).
    return found + [thread for thread in threads if thread.isRunning() and not thread.isCurrentThread()]


def _remove(thing: Any) -> None:
    """Get rid of a leftover so that it fails the one test that left it and no other."""
    from PySide6.QtCore import QCoreApplication, QEvent, QThread

    if isinstance(thing, QThread):
        thing.requestInterruption()
        thing.quit()
        thing.wait(5000)
    else:
        thing.close()
        thing.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
