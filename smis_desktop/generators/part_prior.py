"""What parts the pictures of a generator are known to have: rows that tell them in its label features and ship.

For faces they come of the twelve pictures labelled by hand for the default model (scripts/fit_face_parts.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from smis_desktop.resources import models_folder
from smis_desktop.storage.safetensors_file import read_facts, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

_KIND, _VERSION = "known-parts", 1
_REMEDY = "install the program anew"


def shipped_parts(weights_sha256: str) -> dict[int, Tensor]:
    """{r: float32 [K, Z_r]} for the generator of those weights; empty where none ship with it. Raises UserError for a
    damaged file."""
    path = _file_for(weights_sha256)
    if path is None:
        return {}
    return {int(r): rows.float() for r, rows in read_tensors(path, _KIND, _VERSION, _REMEDY)[0].items()}


def are_parts_known(weights_sha256: str) -> bool:
    """Whether `shipped_parts` has any; nothing is loaded."""
    return _file_for(weights_sha256) is not None


def _file_for(weights_sha256: str) -> Path | None:
    for path in sorted(models_folder().glob("*-parts.safetensors")):
        if read_facts(path, _KIND, _VERSION, _REMEDY)["weights_sha256"] == weights_sha256:
            return path
    return None


def write_parts(path: Path, weights_sha256: str, rows: Mapping[int, Tensor], names: Sequence[str]) -> None:
    """rows {r: [K, Z_r]}, names: what each of the K tells."""
    tensors = {str(r): found.half() for r, found in rows.items()}
    write_tensors(path, _KIND, _VERSION, tensors, {"weights_sha256": weights_sha256, "names": list(names)})
