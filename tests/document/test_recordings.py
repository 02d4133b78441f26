"""Recorded strokes replay to the same label maps, to the last pixel."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from smis_desktop.document.recording import read_recording, replay
from smis_desktop.errors import UserError
from smis_desktop.resources import resources_folder

RECORDINGS = sorted((resources_folder() / "recordings").glob("*.json"))


def test_there_are_recordings() -> None:
    assert len(RECORDINGS) >= 8


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_replays_bit_for_bit(path: Path) -> None:
    recording = read_recording(path)
    editor = recording.new_editor()
    changed = [change for change in replay(recording, editor) if change is not None]
    assert changed
    assert hashlib.sha256(editor.document.label_map.tobytes()).hexdigest() == recording.sha256
    while editor.can_undo:
        editor.undo()
    assert (editor.document.label_map == 255).all()


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"name": 3}')
    with pytest.raises(UserError, match="broken"):
        read_recording(path)
