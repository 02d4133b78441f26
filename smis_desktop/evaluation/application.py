"""Measures the program as a person uses it: time to the first picture, load at rest, and time per pointer event."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from smis_desktop.document.recording import read_recording, replay
from smis_desktop.resources import example_layout_path, resources_folder
from smis_desktop.storage.data_folder import data_folder

_FIRST_PICTURE = re.compile(r"revision \d+ draft in")
_TIMEOUT = 120.0
_BUSY_FRACTION = 0.05
"""Fraction of a core above which the program is still working on the picture."""


def application_figures(model: Path, is_cold: bool = False, idle_seconds: float = 10) -> dict[str, Any] | str:
    """Start the program on the example layout and measure it.

    Returns: `first_preview_s`, from the start of the process; `idle_cpu_percent` of a core and resident `memory_mib`
    once the picture is finished. A text says why nothing could be measured.

    Args:
        idle_seconds: for how long the load at rest is measured.
        is_cold: also measure `cold_first_preview_s`, with the networks fetched and nothing else in the data folder.
    """
    if not Path("/proc/self/stat").is_file():
        return "only measured where the system has /proc"
    cold: dict[str, Any] = {}
    if is_cold:
        with tempfile.TemporaryDirectory() as bare:
            for networks in ("generators", "networks"):
                (Path(bare) / networks).symlink_to(data_folder(networks))
            found = _figures_of_a_start(model, {"SMIS_DATA_DIR": bare}, idle_seconds=None)
        if isinstance(found, str):
            return found
        cold = {"cold_first_preview_s": found["first_preview_s"]}
    found = _figures_of_a_start(model, {}, idle_seconds)
    return found if isinstance(found, str) else {**found, **cold}


def _figures_of_a_start(model: Path, variables: dict[str, str], idle_seconds: float | None) -> dict[str, Any] | str:
    """Start the program once.

    Args:
        variables: added to the environment.
        idle_seconds: None measures only the time to the first picture.
    """
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "smis_desktop"]
    environment = {**os.environ, **variables}
    if not any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")):
        environment["QT_QPA_PLATFORM"] = "offscreen"
    words = ["--model", str(model), "--layout", str(example_layout_path()), "--verbose"]
    started = time.monotonic()
    with subprocess.Popen(
        [*program, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            first_picture = _FirstPicture(process)
            if not first_picture.event.wait(_TIMEOUT) or first_picture.at is None:
                return f"no picture appeared within {_TIMEOUT:.0f} seconds"
            first = {"first_preview_s": round(first_picture.at - started, 2)}
            if idle_seconds is None:
                return first
            idle = _idle_share(process.pid, idle_seconds)
            return {
                **first,
                "idle_cpu_percent": round(100 * idle, 2),
                "memory_mib": round(_resident_mib(process.pid)),
            }
        finally:
            process.kill()


class _FirstPicture:
    """Reads the program's log to its end, so that it never blocks, and notes when the first picture appears."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.at: float | None = None
        self.event = threading.Event()
        self._process = process
        threading.Thread(target=self._read, name="log", daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if self.at is None and _FIRST_PICTURE.search(line):
                self.at = time.monotonic()
                self.event.set()
        self.event.set()  # it has ended


def _idle_share(pid: int, seconds: float) -> float:
    """Return the fraction of a core that the program uses at rest."""
    until = time.monotonic() + _TIMEOUT
    while time.monotonic() < until and _cpu_share(pid, 2.0) > _BUSY_FRACTION:
        pass
    return _cpu_share(pid, seconds)


def _cpu_share(pid: int, seconds: float) -> float:
    before, started = _cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (_cpu_seconds(pid) - before) / (time.monotonic() - started)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def painting_recording() -> Path:
    """Return the path of the recorded painting at 1024² that ships with the program."""
    return resources_folder() / "recordings" / "painting-1024.json"


def stroke_milliseconds(repeats: int) -> list[float]:
    """Return the time of every pointer event of the recording, `repeats` times over, without a window.

    Each is the time for the brush, the changed pixels, and their colours in the picture that a canvas shows.
    """
    recording = read_recording(painting_recording())
    times = []
    for _ in range(repeats):
        editor = recording.new_editor()
        label_map, colors = editor.document.label_map, editor.document.palette.color_table
        composite = colors[label_map]
        started = time.perf_counter()
        for change in replay(recording, editor):
            if change is not None and change.rect is not None:
                composite[change.rect.slices] = colors[label_map[change.rect.slices]]
            now = time.perf_counter()
            times.append(1000 * (now - started))
            started = now
    return times
