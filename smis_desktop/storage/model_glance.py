"""A first look into a personal model's file that takes milliseconds: the window shows its classes while torch loads."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from smis_desktop.labels.palette import Palette
from smis_desktop.storage.file_facts import HEADER_KEY, palette_of


def glance_at_palette(path: Path) -> Palette | None:
    """The classes that the file names; None if there is anything odd about it.

    What is odd, the thorough reader (`personal_model_file.read_personal_model`) says in a sentence soon after.
    """
    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})[HEADER_KEY])
        return palette_of(facts)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
