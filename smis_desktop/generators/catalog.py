"""Which generators there are: names and origins, read from file headers without torch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from smis_desktop.resources import MODEL_SUFFIX, models_folder
from smis_desktop.storage.data_folder import network_files
from smis_desktop.storage.safetensors_file import HEADER_KEY

DEFAULT_GENERATOR = "faces"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".pkl", ".safetensors")
_LONGEST = 60


def generator_names() -> tuple[str, ...]:
    """The default one first, fetched or not; then those that are installed, by name."""
    installed = {path.stem for path in network_files("generators", "*.safetensors")}
    return (DEFAULT_GENERATOR, *sorted(installed - {DEFAULT_GENERATOR}))


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


@dataclass(frozen=True)
class NetworkOrigin:
    """A network's file. kind: `generator`, `perceptual-network` or `personal-model`; empty words are unknown."""

    name: str
    kind: str
    source: str
    licence: str


def network_origins() -> tuple[NetworkOrigin, ...]:
    """Generators, the perceptual network and the models that ship, in this order; what cannot be read is left out."""
    paths = [
        *network_files("generators", "*.safetensors"),
        *network_files("networks", "*.safetensors"),
        *sorted(models_folder().glob(f"*{MODEL_SUFFIX}")),
    ]
    return tuple(origin for path in paths if (origin := _origin(path)) is not None)


def _origin(path: Path) -> NetworkOrigin | None:
    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {})[HEADER_KEY])
        ships = path.parent == models_folder()
        return NetworkOrigin(
            str(facts.get("name", path.stem)),
            str(facts["kind"]),
            str(facts.get("source", "trained by this project" if ships else "")),
            str(facts.get("licence", "MIT, like this program" if ships else "")),
        )
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
