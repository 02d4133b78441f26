"""The real program, its own process and main(), walked through by a real mouse on a real X server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import write_layout, write_photo

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 280


def played(story: str, display: str, *words: object) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONWARNINGS": "error",
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
    }
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests" / "workshop" / story), *map(str, words)],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def facts_of(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return facts


@pytest.mark.slow
def test_from_the_menu_to_painting_in_ones_own_classes(
    small_data: Path, small_model: Path, x_display: str, tmp_path: Path
) -> None:
    layout = write_layout(tmp_path / "layout.png")
    played("assistant_story.py", x_display, tmp_path, "--model", small_model, "--layout", layout)
    facts = facts_of(tmp_path)
    assert facts["generator"] == "small"
    assert facts["shots"] == ["seed-000000", "seed-000001"]
    assert facts["tried"] == 6
    assert facts["corrected"].startswith("seed-700")
    assert facts["correction"] > 0.05
    assert facts["painted while training"]
    assert facts["classes"] == ["background", "subject"]
    assert facts["classes to begin with"] == 2
    assert facts["photograph followed"]
    assert facts["library"] == ["Things of mine"]
    assert facts["has a picture"]


@pytest.mark.slow
def test_a_dropped_photo_becomes_a_layout_that_is_repainted(
    small_data: Path, small_model: Path, x_display: str, tmp_path: Path
) -> None:
    photo, layout = write_photo(tmp_path / "photo.png", 300), write_layout(tmp_path / "layout.png")
    played("photo_story.py", x_display, tmp_path, photo, "--model", small_model, "--layout", layout)
    facts = facts_of(tmp_path)
    assert set(facts["layers"]) <= set(facts["classes"])
    assert len(facts["layers"]) > 1
    assert 0 < facts["moved"] < 0.5, "it follows, and stays near the photo"
