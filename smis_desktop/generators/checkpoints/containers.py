"""The container formats of checkpoints: zips and older files of `torch.save`, plain pickles, safetensors."""

from __future__ import annotations

import encodings.cp437  # noqa: F401  (zipfile imports it with the first entry, when imports are forbidden)
import json
import math
import struct
import zipfile
from typing import Any

from smis_desktop.generators.checkpoints.pickle_machine import Refused, read_pickle
from smis_desktop.generators.checkpoints.stored_tensors import (
    BoundedReader,
    Storage,
    Storages,
    StoredTensor,
    read_legacy,
)

_MAX_ENTRIES = 20_000
_MAX_PICKLE = 128 << 20
_MAX_HEADER = 2 << 20
"""Bytes: some ten thousand tensors, where the largest checkpoints have hundreds."""
_KINDS = {"F32": "f4", "F16": "f2", "F64": "f8", "BF16": "bf16"}


def read_container(data: memoryview) -> tuple[Any, Storages]:
    """Read the object in a file and its storages; of safetensors a dict of `StoredTensor` by name.

    Raises:
        Refused: the file is not a checkpoint that can be read.
        ValueError, KeyError, IndexError, TypeError, RecursionError, struct.error or zipfile.BadZipFile: it is damaged.
    """
    start = bytes(data[:4])
    if start == b"PK\x03\x04":
        return _zip(data)
    if start[:1] == b"\x80":
        return _pickle(data)
    if len(data) > 9 and bytes(data[8:9]) == b"{":
        return _safetensors(data), Storages({})
    raise Refused("is not a checkpoint (.pt, .pkl or .safetensors)")


def _pickle(data: memoryview) -> tuple[Any, Storages]:
    if bytes(data[2:14]) == b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19":  # the magic number of torch, as a pickle of its own
        return read_legacy(BoundedReader(data))
    return read_pickle(BoundedReader(data), False), Storages({})


def _zip(data: memoryview) -> tuple[Any, Storages]:
    """Read a zip written by torch. Such zips are not compressed, so no entry can exceed the file; others are
    refused."""
    with zipfile.ZipFile(_Readable(data)) as archive:
        entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise Refused("holds more entries than any checkpoint needs")
    if sum(entry.file_size for entry in entries) > len(data):
        raise Refused("is a zip that unpacks to more than it holds")
    members: dict[str, memoryview] = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
            raise Refused("is a compressed zip, which torch never writes")
        header = bytes(data[entry.header_offset : entry.header_offset + 30])
        method, name, extra = struct.unpack("<8xH16xHH", header)
        begin = entry.header_offset + 30 + name + extra
        if method != zipfile.ZIP_STORED or begin + entry.file_size > len(data):
            raise Refused("is a damaged zip")
        members[entry.filename] = data[begin : begin + entry.file_size]
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("is a zip, but not one that torch wrote")
    folder = pickles[0].removesuffix("data.pkl")
    if bytes(members.get(f"{folder}byteorder", b"little")[:16]) != b"little":
        raise Refused("was written on a machine with another byte order")
    if len(members[pickles[0]]) > _MAX_PICKLE:
        raise Refused("holds more instructions than any checkpoint needs")
    start = f"{folder}data/"
    keyed = {name.removeprefix(start): part for name, part in members.items() if name.startswith(start)}
    return read_pickle(BoundedReader(members[pickles[0]]), True), Storages(keyed)


def _safetensors(data: memoryview) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise Refused("is cut off")
    if length > _MAX_HEADER:
        raise Refused("describes more tensors than any checkpoint needs")
    header = json.loads(bytes(data[8 : 8 + length]))
    body = data[8 + length :]
    found: dict[str, Any] = {"__metadata__": header.pop("__metadata__", {})}
    spans = [facts["data_offsets"] for facts in header.values()]
    if not _tile(spans, len(body)):
        raise Refused("is cut off, or its tensors overlap")
    for (begin, end), (name, facts) in zip(spans, header.items(), strict=True):
        if facts["dtype"] not in _KINDS:
            continue
        shape = facts["shape"]
        if not (isinstance(shape, list) and all(isinstance(n, int) and 0 <= n < 1 << 48 for n in shape)):
            raise Refused("holds a tensor of an impossible shape")
        strides = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        found[name] = StoredTensor(Storage(_KINDS[facts["dtype"]], body[begin:end]), 0, tuple(shape), strides)
    return found


def _tile(spans: list[Any], length: int) -> bool:
    """Return whether the spans [begin, end) cover 0 to `length` exactly once, as the format requires."""
    if not all(isinstance(at, int) for span in spans for at in span):
        return False
    at = 0
    for begin, end in sorted(spans):
        if begin != at or end < begin:
            return False
        at = end
    return at == length


class _Readable:
    """A buffer as a read-only file."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def read(self, count: int = -1) -> bytes:
        end = len(self._data) if count is None or count < 0 else min(len(self._data), self._at + count)
        piece = bytes(self._data[self._at : end])
        self._at = max(self._at, end)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._at, len(self._data))[whence]
        if start + offset < 0:
            raise ValueError("before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
