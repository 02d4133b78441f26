"""What is known about generators without loading them: names, origins, part priors. Nothing here imports torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open

from smis_desktop.resources import MODEL_SUFFIX, models_folder
from smis_desktop.storage.data_folder import network_files
from smis_desktop.storage.safetensors_file import HEADER_KEY, read_metadata

DEFAULT_GENERATOR = "faces"
CHECKPOINT_SUFFIXES = (".pt", ".pth", ".pkl", ".safetensors")
_MAX_NAME_LENGTH = 60
PART_PRIOR_KIND, PART_PRIOR_VERSION = "known-parts", 2
PART_PRIOR_REMEDY = "install the program again"


def generator_names() -> tuple[str, ...]:
    """Return the names of all generators: the default one first, fetched or not, then the other installed ones,
    sorted."""
    installed = {path.stem for path in network_files("generators", "*.safetensors")}
    return (DEFAULT_GENERATOR, *sorted(installed - {DEFAULT_GENERATOR}))


def is_good_name(name: str) -> bool:
    """Return whether a generator may have that name, which must be a valid file name on every system."""
    fits = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", name) and name == name.rstrip(" .")
    return bool(fits) and len(name) <= _MAX_NAME_LENGTH


def proposed_name(checkpoint: Path) -> str:
    """Propose an unused name for a checkpoint's generator, made from the checkpoint's file name."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", checkpoint.stem).strip("-").lower()[: _MAX_NAME_LENGTH - 4] or "generator"
    taken = {name.lower() for name in generator_names()}
    numbers = ("", *(f"-{number}" for number in range(2, len(taken) + 3)))
    return next(stem + number for number in numbers if stem + number not in taken)


@dataclass(frozen=True)
class NetworkOrigin:
    """Where a network comes from. kind: `generator`, `perceptual-network` or `personal-model`; "" is unknown."""

    name: str
    kind: str
    source: str
    licence: str


class _OriginSchema(msgspec.Struct):
    kind: str
    name: str = ""
    source: str | None = None
    licence: str | None = None


def network_origins() -> tuple[NetworkOrigin, ...]:
    """List the origins of generators, the perceptual network and the shipped models, in this order; skip unreadable
    files."""
    paths = [
        *network_files("generators", "*.safetensors"),
        *network_files("networks", "*.safetensors"),
        *sorted(models_folder().glob(f"*{MODEL_SUFFIX}")),
    ]
    return tuple(origin for path in paths if (origin := _origin(path)) is not None)


def _origin(path: Path) -> NetworkOrigin | None:
    try:
        with safe_open(path, "np") as file:
            facts = msgspec.json.decode((file.metadata() or {})[HEADER_KEY], type=_OriginSchema)
    except (SafetensorError, OSError, KeyError, msgspec.DecodeError):
        return None
    ships = path.parent == models_folder()
    source = ("trained by this project" if ships else "") if facts.source is None else facts.source
    licence = ("MIT, like this program" if ships else "") if facts.licence is None else facts.licence
    return NetworkOrigin(facts.name or path.stem, facts.kind, source, licence)


def has_part_prior(weights_sha256: str) -> bool:
    """Return whether a part prior ships for the generator with those weights."""
    return part_prior_file(weights_sha256) is not None


def part_prior_file(weights_sha256: str) -> Path | None:
    """Return the path of the shipped part prior for the generator with those weights."""
    for path in sorted(models_folder().glob("*-parts.safetensors")):
        if (
            read_metadata(path, PART_PRIOR_KIND, PART_PRIOR_VERSION, PART_PRIOR_REMEDY)["weights_sha256"]
            == weights_sha256
        ):
            return path
    return None
