"""What the headers of this program's safetensors files say, read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smis_desktop.labels.palette import Palette, SemanticClass

HEADER_KEY = "smis"
"""The metadata entry that holds a file's facts as JSON."""


def palette_of(facts: Mapping[str, Any]) -> Palette:
    """The palette in a personal model's facts. Raises KeyError, TypeError or ValueError when it is not one."""
    return Palette(tuple(SemanticClass(int(c["id"]), str(c["name"]), _color(c["color"])) for c in facts["palette"]))


def _color(channels: list[int]) -> tuple[int, int, int]:
    red, green, blue = channels
    return int(red), int(green), int(blue)
