"""From a pointer event to coloured pixels, without a window: a recorded painting → editor → composite → colours."""

from __future__ import annotations

import time
from pathlib import Path

from smis_desktop.document.recording import read_recording, replay
from smis_desktop.resources import resources_folder


def painting_recording() -> Path:
    """The recording of a painting at 1024² that ships with the program."""
    return resources_folder() / "recordings" / "painting-1024.json"


def stroke_milliseconds(repeats: int) -> list[float]:
    """The time of every pointer event of the recording, `repeats` times over: the brush, the changed pixels, and their
    colours in the picture that a canvas would show."""
    recording = read_recording(painting_recording())
    taken = []
    for _ in range(repeats):
        editor = recording.new_editor()
        label_map, colors = editor.document.label_map, editor.document.palette.color_table
        composite = colors[label_map]
        started = time.perf_counter()
        for change in replay(recording, editor):
            if change is not None and change.rect is not None:
                composite[change.rect.slices] = colors[label_map[change.rect.slices]]
            now = time.perf_counter()
            taken.append(1000 * (now - started))
            started = now
    return taken
