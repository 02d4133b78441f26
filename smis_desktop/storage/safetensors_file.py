"""Reads and writes safetensors files: metadata with a format version, clear errors, atomic writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from safetensors import SafetensorError, safe_open

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import write_bytes

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, kind: str, version: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors with metadata as JSON, atomically. Raises UserError when the disk refuses."""
    from safetensors.torch import save  # not above: the window reads facts long before torch is there

    header = json.dumps({"kind": kind, "format_version": version, **facts}, sort_keys=True, ensure_ascii=True)
    contiguous = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    write_bytes(path, save(contiguous, {HEADER_KEY: header}))


def read_metadata(path: Path, kind: str, version: int, remedy: str) -> dict[str, Any]:
    """Read the metadata alone, without the tensors. Raises UserError; see `read_tensors`."""
    return _read(path, kind, version, remedy, with_tensors=False)[1]


def read_tensors(path: Path, kind: str, version: int, remedy: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors (to the CPU) and the metadata of a file that `write_tensors` made.

    Raises UserError naming the file, and `remedy` ("fetch it again"), when it is missing, damaged, of another kind or
    of a newer format than `version`.
    """
    return _read(path, kind, version, remedy, with_tensors=True)


def _read(
    path: Path, kind: str, version: int, remedy: str, with_tensors: bool
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"{path} does not exist; {remedy}.")
    try:
        with safe_open(path, "pt" if with_tensors else "np") as file:
            facts = json.loads((file.metadata() or {}).get(HEADER_KEY, "{}"))
            found = facts.get("kind") if isinstance(facts, dict) else None
            if found != kind:
                raise UserError(f"{path} is not a {kind} file of this program; {remedy}.")
            if not isinstance(facts.get("format_version"), int):
                raise UserError(f"{path} is damaged (it does not say its format); {remedy}.")
            if facts["format_version"] > version:
                raise UserError(
                    f"{path} was written by a newer version of this program (format {facts['format_version']}, "
                    f"this one reads up to {version}); update the program."
                )
            # Copied out of the mapped file: there tensors lie at any address, and a kernel that takes another path
            # for an unaligned one rounds differently, so that two copies of the same weights would not agree.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()} if with_tensors else {}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(f"{path} is damaged or not a {kind} file ({_first_line(error)}); {remedy}.") from error
    return tensors, facts


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


HEADER_KEY = "smis"
"""The entry of the safetensors header that holds a file's metadata as JSON."""


def palette_of(facts: Mapping[str, Any]) -> Palette:
    """Read the palette in a personal model's metadata. Raises KeyError or ValueError when there is no valid one."""
    try:
        classes = msgspec.convert(facts["palette"], list[_ClassSchema])
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return Palette(tuple(SemanticClass(c.id, c.name, c.color) for c in classes))


class _ClassSchema(msgspec.Struct):
    id: int
    name: str
    color: tuple[int, int, int]
