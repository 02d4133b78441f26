"""Where the networks on this computer come from, read from their files' headers in milliseconds, without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from smis_desktop.resource_paths import models_folder
from smis_desktop.storage.data_folder import network_files
from smis_desktop.storage.file_facts import HEADER_KEY


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
        *sorted(models_folder().glob("*.smismodel")),
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
