"""Reads a pickle as data: calls are recorded, and nothing is ever called.

A pickle is a program for a small stack machine. This machine interprets its instructions without effects: a global
stays a name (one of an allow list, or the file is refused), and calling it makes a `Call` of name and arguments. So no
class that the file names is ever instantiated, no method looked up, no module imported.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

MAX_STEPS = 300_000
"""Six times what the largest checkpoints take; a slow computer runs them in a second and a half."""
_MAX_TEXT = 64 << 20
"""Bytes of names, embedded source texts and the like, which are not tensors."""


class Refused(Exception):
    """Raised when the file is refused. The text ends a sentence that begins with the file's name: `holds …`, `is …`."""


class ByteSource(Protocol):
    """A source of bytes; a `read` past the end raises Refused before it allocates."""

    def read(self, count: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...


@dataclass(frozen=True)
class Name:
    """A global name in the pickle: `torch.FloatStorage`."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Call:
    """A recorded call of `of`; `state` is what the pickle would have passed to `__setstate__`."""

    of: Name
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(eq=False, repr=False)
class Persistent:
    """A reference to something stored outside the pickle: a storage of `torch.save`."""

    identity: Any


_DICTIONARIES = {
    Name("collections", "OrderedDict"), Name("dnnlib.util", "EasyDict"), Name("dnnlib", "EasyDict"),
}  # fmt: skip
_STORAGES = ("Float", "Half", "Double", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped", "Typed")
ALLOWED = frozenset(
    {
        *_DICTIONARIES,
        *(Name(module, f"{kind}Storage") for kind in _STORAGES for module in ("torch", "torch.storage")),
        Name("torch.storage", "_load_from_bytes"),
        Name("torch._utils", "_rebuild_tensor"),
        Name("torch._utils", "_rebuild_tensor_v2"),
        Name("torch._utils", "_rebuild_parameter"),
        Name("torch.nn.parameter", "Parameter"),
        Name("torch", "Size"),
        Name("torch", "device"),
        Name("torch", "float32"),
        Name("torch", "float16"),
        Name("torch_utils.persistence", "_reconstruct_persistent_obj"),
        Name("argparse", "Namespace"),
        Name("builtins", "set"),
        Name("__builtin__", "set"),
        Name("numpy", "dtype"),
        Name("numpy", "ndarray"),
        *(
            Name(f"numpy.{core}.multiarray", name)
            for core in ("core", "_core")
            for name in ("scalar", "_reconstruct")
        ),
    }
)  # fmt: skip
"""Names that checkpoints of StyleGAN2 hold. They are never looked up; code of our own does what each stands for."""
_WRITTEN_BY_TENSORFLOW = ("dnnlib.tflib", "tfutil", "tensorflow")


def read_pickle(source: ByteSource, takes_persistent: bool, max_steps: int = MAX_STEPS) -> Any:
    """Read one object as plain containers, `Name`, `Call` and `Persistent`; `source` is left right after it.

    Containers may contain themselves: walk them with a bound.

    Raises:
        Refused: the pickle does what no checkpoint needs.
        ValueError, KeyError, IndexError or TypeError: its instructions do not fit together.
    """
    return _Machine(takes_persistent, max_steps).run(source)


@dataclass
class _Machine:
    takes_persistent: bool
    max_steps: int
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    text: int = 0

    def run(self, source: ByteSource) -> Any:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(source)):  # type: ignore[arg-type]
            if steps >= self.max_steps:
                raise Refused("holds more instructions than any checkpoint needs")
            name = opcode.name
            if name == "STOP":
                return self._pop()
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self._push_literal(argument)
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            else:
                raise Refused(f"holds a pickle instruction that no checkpoint needs ({name})")
        raise Refused("is cut off")

    def _push_literal(self, value: Any) -> None:
        if isinstance(value, str):
            self.text += len(value)
            if self.text > _MAX_TEXT:
                raise Refused("holds more text than any checkpoint needs")
        self.stack.append(value)

    def _pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("is damaged (its pickle pops from an empty stack)")
        return self.stack.pop()

    def _top(self) -> Any:
        value = self._pop()
        self.stack.append(value)
        return value

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _drop(self, _: Any) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self._pop()

    def _tuple_of(self, count: int) -> None:
        values = [self._pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise Refused("is damaged (its pickle appends to something other than a list)")
        target.extend(values)

    def _append_one(self, _: Any) -> None:
        value = self._pop()
        self._append([value])

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(values) % 2:
            raise Refused("is damaged (its pickle sets items of something other than a dictionary)")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not (key is None or isinstance(key, str | int | float)):
                raise Refused("holds a dictionary whose keys are not words or numbers")
            target[key] = value

    def _set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _dictionary(self, _: Any) -> None:
        values = self._since_mark()
        self.stack.append({})
        self._set_items(values)

    def _name(self, module: str, name: str) -> None:
        found = Name(module, name)
        if any(module.startswith(start) for start in _WRITTEN_BY_TENSORFLOW):
            raise Refused(
                "was written by the TensorFlow version of StyleGAN, which cannot be read; "
                "convert it with the script legacy.py of NVIDIA's PyTorch version first"
            )
        if found not in ALLOWED:
            raise Refused(
                f"would run code ({found})" if module.isprintable() and name.isprintable() else "would run code"
            )
        self.stack.append(found)

    def _global(self, words: str) -> None:
        module, name = words.split(" ", 1)
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise Refused("is damaged (its pickle names something by other than a word)")
        self._name(module, name)

    def _call(self, _: Any) -> None:
        arguments, of = self._pop(), self._pop()
        if not (isinstance(of, Name) and isinstance(arguments, tuple)):
            raise Refused("would run code (it calls an object of its own)")
        if of not in _DICTIONARIES:
            self.stack.append(Call(of, arguments))
            return
        self.stack.append({})
        pairs = arguments[0] if arguments else []
        if len(arguments) > 1 or not isinstance(pairs, list):
            raise Refused("is damaged (its pickle fills a dictionary from something other than a list)")
        for pair in pairs:
            if not (isinstance(pair, list | tuple) and len(pair) == 2):
                raise Refused("is damaged (its pickle fills a dictionary from something other than pairs)")
            self._set_items(list(pair))

    def _build(self, _: Any) -> None:
        state, target = self._pop(), self._top()
        if isinstance(target, Call):
            target.state = state
        elif not isinstance(target, dict):  # attributes of a dictionary are not needed
            raise Refused("would run code (it sets the state of something that has none)")

    def _put(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self._top()

    def _get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def _persistent(self, _: Any) -> None:
        if not self.takes_persistent:
            raise Refused("refers to data that it does not hold")
        self.stack.append(Persistent(self._pop()))

    def _set_of(self, values: list[Any]) -> None:
        self.stack.append(Call(Name("builtins", "set"), (values,)))

    def _add_items(self, values: list[Any]) -> None:
        target = self._top()
        if not (isinstance(target, Call) and target.of == Name("builtins", "set")):
            raise Refused("is damaged (its pickle adds to something other than a set)")
        target.arguments[0].extend(values)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING", "SHORT_BINUNICODE",
    "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda m, _: None,
    "FRAME": lambda m, _: None,
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": _Machine._drop,
    "POP_MARK": lambda m, _: m._since_mark().clear(),
    "DUP": lambda m, _: m.stack.append(m._top()),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "LIST": lambda m, _: m.stack.append(m._since_mark()),
    "APPEND": _Machine._append_one,
    "APPENDS": lambda m, _: m._append(m._since_mark()),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m._since_mark())),
    "TUPLE1": lambda m, _: m._tuple_of(1),
    "TUPLE2": lambda m, _: m._tuple_of(2),
    "TUPLE3": lambda m, _: m._tuple_of(3),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "DICT": _Machine._dictionary,
    "SETITEM": _Machine._set_item,
    "SETITEMS": lambda m, _: m._set_items(m._since_mark()),
    "EMPTY_SET": lambda m, _: m._set_of([]),
    "ADDITEMS": lambda m, _: m._add_items(m._since_mark()),
    "FROZENSET": lambda m, _: m._set_of(m._since_mark()),
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._put,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._persistent,
}
"""No checkpoint needs INST, OBJ, NEWOBJ_EX, the extension registry, buffers, or the text instructions of protocol 0."""
