"""A first look into a personal model's file that takes milliseconds: the window shows its classes while torch loads."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from smis_desktop.labels.palette import Palette, SemanticClass


def glance_at_palette(path: Path) -> Palette | None:
    """The classes that the file names; None if there is anything odd about it.

    What is odd, the thorough reader (`personal_model_file.read_personal_model`) says in a sentence soon after.
    """
    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})["smis"])
        return Palette(tuple(SemanticClass(int(c["id"]), str(c["name"]), _color(c["color"])) for c in facts["palette"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def _color(channels: list[int]) -> tuple[int, int, int]:
    red, green, blue = channels
    return int(red), int(green), int(blue)
