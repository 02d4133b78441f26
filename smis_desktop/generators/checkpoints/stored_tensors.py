"""The tensors in a checkpoint: where their bytes are, checked before any of them is read."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from smis_desktop.generators.checkpoints.pickle_machine import MAX_STEPS, Call, Name, Persistent, Refused, read_pickle

MAX_ELEMENTS = 1 << 26
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAX_NESTED_STEPS = 1_000
"""Steps of each pickle around a storage; torch writes dozens."""
_STORAGE_KINDS = {
    "FloatStorage": "f4", "HalfStorage": "f2", "DoubleStorage": "f8", "BFloat16Storage": "bf16", "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
_SIZES = {"f4": 4, "f2": 2, "f8": 8, "bf16": 2, "i8": 8, "i4": 4, "i2": 2, "i1": 1, "u1": 1}
_FLOATS = ("f4", "f2", "f8", "bf16")


class BoundedReader:
    """Reads a buffer from front to back. Raises Refused past its end."""

    def __init__(self, data: memoryview) -> None:
        self.data, self._at = data, 0

    def read(self, count: int, /) -> bytes:
        if not 0 <= count <= len(self.data) - self._at:
            raise Refused("is cut off")
        self._at += count
        return bytes(self.data[self._at - count : self._at])

    def readline(self) -> bytes:
        piece = bytes(self.data[self._at : self._at + 4096])
        end = piece.find(b"\n")
        if end < 0:
            raise Refused("is damaged (a name in it does not end)")
        return self.read(end + 1)

    def tell(self) -> int:
        return self._at

    @property
    def rest(self) -> memoryview:
        """The part that has not been read yet."""
        return self.data[self._at :]


@dataclass(frozen=True, eq=False)
class Storage:
    """A flat run of numbers. kind: the element type (`f4`, `bf16` …)."""

    kind: str
    data: memoryview

    @property
    def count(self) -> int:
        return len(self.data) // _SIZES[self.kind]


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A view of a storage, with strides in elements; it lies within the storage and has no more elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.strides)
        if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 48 for n in numbers):
            raise Refused("holds a tensor of an impossible shape")
        if len(self.shape) != len(self.strides) or len(self.shape) > 8 or math.prod(self.shape) > MAX_ELEMENTS:
            raise Refused("holds a tensor of an impossible shape")
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and max(last + 1, math.prod(self.shape)) > self.storage.count:
            raise Refused("holds a tensor that is larger than its storage")

    def array(self) -> np.ndarray:
        """Copy the tensor as float32. Raises Refused for integers, and for values that are not finite."""
        kind = self.storage.kind
        if kind not in _FLOATS:
            raise Refused("holds integers in place of weights")
        if 0 in self.shape:
            return np.zeros(self.shape, np.float32)
        plain = np.frombuffer(self.storage.data, "<u2" if kind == "bf16" else f"<{kind}", self.storage.count)
        strides = tuple(stride * plain.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(plain[self.offset :], self.shape, strides, writeable=False)
        if kind == "bf16":
            found = (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            with np.errstate(over="ignore"):
                found = view.astype(np.float32)
        if not np.isfinite(found).all():
            raise Refused("holds weights that are not finite")
        return found


class Storages:
    """The storages of a pickle: those referred to by key, and those embedded in it."""

    def __init__(self, keyed: dict[str, memoryview]) -> None:
        self._keyed = keyed
        self._nested: dict[int, tuple[bytes | bytearray, Storage]] = {}
        """By the identity of the bytes, which are kept too: a thousand tensors may share one storage."""

    def tensor(self, value: Any) -> StoredTensor | None:
        """Return the tensor that a recorded call creates; None if the call creates anything else."""
        if isinstance(value, Call) and value.of == Name("torch._utils", "_rebuild_parameter"):
            value = value.arguments[0] if value.arguments else None
        if not (isinstance(value, Call) and value.of.module == "torch._utils" and "tensor" in value.of.name):
            return None
        if len(value.arguments) < 4:
            raise Refused("is damaged (a tensor in it is incomplete)")
        storage, offset, shape, strides = value.arguments[:4]
        return StoredTensor(self._storage(storage), offset, _numbers(shape), _numbers(strides))

    def _storage(self, value: Any) -> Storage:
        if isinstance(value, Persistent):
            return self.stored(value.identity)
        if isinstance(value, Call) and value.of == Name("torch.storage", "_load_from_bytes"):
            (data,) = value.arguments
            if not isinstance(data, bytes | bytearray):
                raise Refused("is damaged (it embeds a storage that is not bytes)")
            if id(data) not in self._nested:
                self._nested[id(data)] = data, _nested(data)
            return self._nested[id(data)][1]
        raise Refused("is damaged (a tensor in it has no storage)")

    def stored(self, identity: Any) -> Storage:
        """Return the storage of a persistent reference."""
        if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"):
            raise Refused("is damaged (it refers to something other than a storage)")
        kind, key, count = identity[1], identity[2], identity[4]
        if not (isinstance(kind, Name) and kind.name in _STORAGE_KINDS and isinstance(key, str | int)):
            raise Refused("holds numbers of a type that weights never have")
        found = Storage(_STORAGE_KINDS[kind.name], self._keyed[str(key)])
        if not isinstance(count, int) or not 0 <= count <= found.count:
            raise Refused("is damaged (a storage in it is shorter than it says)")
        return found


def read_legacy(source: BoundedReader, max_steps: int = MAX_STEPS) -> tuple[Any, Storages]:
    """Read the format that `torch.save` wrote before it used zips: five pickles, then the numbers.

    Raises:
        Refused: the file is not one of these; also as `read_pickle`.
    """
    if any(read_pickle(source, False, max_steps) != wanted for wanted in (_LEGACY_MAGIC, _LEGACY_PROTOCOL)):
        raise Refused("is not a checkpoint of torch")
    read_pickle(source, False, max_steps)  # facts about the machine that wrote it
    root = read_pickle(source, True, max_steps)
    keys = read_pickle(source, False, max_steps)
    kinds = _kinds_of(root)
    if not isinstance(keys, list) or len(keys) > 100_000:
        raise Refused("is damaged (it does not say which storages it holds)")
    keyed: dict[str, memoryview] = {}
    for key in keys:
        if not isinstance(key, str) or key not in kinds:
            raise Refused("holds a storage that nothing refers to")
        (count,) = struct.unpack("<q", source.read(8))
        length = count * _SIZES[kinds[key]]
        if not 0 <= length <= len(source.rest):
            raise Refused("is cut off")
        keyed[key] = source.rest[:length]
        source = BoundedReader(source.rest[length:])
    return root, Storages(keyed)


def _kinds_of(root: Any) -> dict[str, str]:
    """Return the element types, by key, of all storages that an object refers to."""
    found: dict[str, str] = {}
    visited: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        if isinstance(value, Persistent):
            identity = value.identity
            if isinstance(identity, tuple) and len(identity) > 2 and isinstance(identity[1], Name):
                kind = _STORAGE_KINDS.get(identity[1].name)
                if kind is not None and isinstance(identity[2], str):
                    found[identity[2]] = kind
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, Call):
            waiting.extend((value.arguments, value.state))
    return found


def _nested(data: bytes | bytearray) -> Storage:
    """Read the storage from the bytes that torch embeds in a plain pickle."""
    root, storages = read_legacy(BoundedReader(memoryview(data)), _MAX_NESTED_STEPS)
    if not isinstance(root, Persistent):
        raise Refused("embeds something other than a storage")
    return storages.stored(root.identity)


def _numbers(value: Any) -> tuple[int, ...]:
    if isinstance(value, Call) and value.of == Name("torch", "Size") and len(value.arguments) == 1:
        value = value.arguments[0]
    if not isinstance(value, tuple):
        raise Refused("holds a tensor of an impossible shape")
    return value
