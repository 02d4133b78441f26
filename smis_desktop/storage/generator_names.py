"""Names of the generators that can be had, without opening one: quick enough for a dialog."""

from __future__ import annotations

import re
from pathlib import Path

from smis_desktop.storage.data_folder import network_files

DEFAULT = "faces"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".pkl", ".safetensors")
_LONGEST = 60


def generator_names() -> tuple[str, ...]:
    """The default one first, fetched or not; then those that are installed, by name."""
    installed = {path.stem for path in network_files("generators", "*.safetensors")}
    return (DEFAULT, *sorted(installed - {DEFAULT}))


def is_good_name(name: str) -> bool:
    """Whether a generator may be called that: it becomes a file's name on every system."""
    fits = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", name) and name == name.rstrip(" .")
    return bool(fits) and len(name) <= _LONGEST


def proposed_name(checkpoint: Path) -> str:
    """A good name, after the file's, that no generator has yet."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", checkpoint.stem).strip("-").lower()[: _LONGEST - 4] or "generator"
    taken = {name.lower() for name in generator_names()}
    numbers = ("", *(f"-{number}" for number in range(2, len(taken) + 3)))
    return next(plain + number for number in numbers if plain + number not in taken)
