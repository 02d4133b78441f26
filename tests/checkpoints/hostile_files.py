"""Files that mean harm, or are broken in ways that hurt careless readers. Each is made, none is kept."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import Any

from tests.checkpoints.published_layouts import (
    Persistent,
    nvidia_file,
    nvidia_state,
    persistence_installed,
    rosinality_file,
)
from tests.small_stylegan2 import small_stylegan2

PROTO = b"\x80\x04"


def text(words: str) -> bytes:
    """An instruction that puts a word on the stack."""
    data = words.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def stack_global(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def classic(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def program(body: bytes) -> bytes:
    return PROTO + body + b"."


def hostile_files(canary: str, port: int) -> dict[str, bytes]:
    """By name. What runs of them makes a file at `canary`, or calls that port of this machine."""
    touch = f"touch {canary}"
    python = f"open({canary!r}, 'w').close()"
    connect = f"__import__('socket').create_connection(('127.0.0.1', {port}))"
    good = nvidia_file(nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8)))
    zipped = rosinality_file(small_stylegan2(channels=(4, 4, 4), w_dim=8))
    legacy = rosinality_file(small_stylegan2(channels=(4, 4, 4), w_dim=8), as_zip=False)
    inner = program(called(classic("posix", "system"), text(touch)))
    files = {
        "os.system": program(called(classic("os", "system"), text(touch))),
        "posix.system": inner,
        "os.system by a stack global": program(called(stack_global("os", "system"), text(touch))),
        "subprocess.Popen": program(called(classic("subprocess", "Popen"), text(touch))),
        "subprocess.check_output": program(called(stack_global("subprocess", "check_output"), text(touch))),
        "eval": program(called(classic("builtins", "eval"), text(python))),
        "eval of Python 2": program(called(classic("__builtin__", "eval"), text(python))),
        "exec": program(called(classic("builtins", "exec"), text(python))),
        "a socket": program(called(classic("builtins", "eval"), text(connect))),
        "socket.create_connection": program(called(stack_global("socket", "create_connection"), text("localhost"))),
        "a getattr chain": program(
            called(called(classic("builtins", "getattr"), called(classic("builtins", "__import__"), text("os")),
                          text("system")), text(touch))
        ),
        "an attribute path": program(called(stack_global("torch.storage", "os.system"), text(touch))),
        "a path out of an allowed name": program(called(stack_global("collections", "OrderedDict.__init__"), b"]")),
        "numpy's own loader": program(called(classic("numpy", "load"), text(canary))),
        "runpy": program(called(classic("runpy", "_run_code"), text(python))),
        "torch.load, nested": program(called(classic("torch", "load"), b"C" + bytes([len(inner)]) + inner)),
        "pickle.loads, nested": program(called(classic("_pickle", "loads"), b"C" + bytes([len(inner)]) + inner)),
        "_load_from_bytes with a pickle inside": with_storage_bytes(inner),
        "_load_from_bytes with an older file of torch inside": with_storage_bytes(legacy_with(inner_pickle=inner)),
        "_load_from_bytes inside itself": with_storage_bytes(with_storage_bytes(inner)),
        "__reduce__ beside a good network": nvidia_file(
            nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8)), extra={"z": _Reduces("os", "system", touch)}
        ),
        "__setstate__ of what would run": program(
            classic("functools", "partial") + b")\x81" + b"}" + text("func") + classic("os", "system") + b"sb"
        ),
        "BUILD on a name": program(classic("collections", "OrderedDict") + b"}" + text("__reduce__") + b"Nsb"),
        "BUILD on a number": program(b"K\x01}b"),
        "calling what was called": program(called(called(classic("argparse", "Namespace")), text(touch))),
        "calling a word": program(called(text("os.system"), text(touch))),
        "INST": program(b"(" + text(touch) + b"ios\nsystem\n"),
        "OBJ": program(b"(" + classic("os", "system") + text(touch) + b"o"),
        "NEWOBJ": program(classic("subprocess", "Popen") + b"(" + text(touch) + b"t\x81"),
        "NEWOBJ_EX": program(classic("collections", "OrderedDict") + b")}\x92"),
        "EXT1": program(b"\x82\x01" + b")R"),
        "EXT2": program(b"\x83\x01\x00" + b")R"),
        "EXT4": program(b"\x84\x01\x00\x00\x00" + b")R"),
        "a persistent id": program(text(touch) + b"Q"),
        "a persistent id of protocol 0": program(f"P{touch}\n".encode()),
        "a buffer that is not there": b"\x80\x05\x97.",
        "protocol 0": f"cos\nsystem\n(V{touch}\ntR.".encode(),
        "a protocol to come": b"\x80\xff" + inner[2:],
        "an import of a module that is there": program(called(classic("antigravity", "geohash"))),
        "a network that TensorFlow wrote": program(called(classic("dnnlib.tflib.network", "Network")) + b"}b"),
        "only half of it": good[: len(good) // 2],
        "the last byte missing": good[:-1],
        "half a zip": zipped[: len(zipped) // 2],
        "half an older file of torch": legacy[: len(legacy) // 2],
        "empty": b"",
        "one byte": b"\x80",
        "a wrong magic": b"MZ" + good,
        "a text": b"Dear reader, these are no weights.\n" * 20,
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
        "nothing but zeros": bytes(4096),
        "a stack that runs dry": program(b"00000"),
        "a mark that was never set": program(b"t"),
        "a memo that was never filled": program(b"h\x07"),
        "a memo at four billion": program(b"Nr\xff\xff\xff\xff"),
        "a word of four gigabytes": PROTO + b"X\xff\xff\xff\xff" + b"abc.",
        "bytes of eight exabytes": PROTO + b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f" + b"abc.",
        "a number of two gigabytes": PROTO + b"\x8b\xff\xff\xff\x7f" + b"abc.",
        "a frame of eight exabytes": PROTO + b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f" + b".",
        "lists in lists": program(b"]" * 200_000 + b"a" * 199_999),
        "tuples in tuples as a key": program(b"}" + b")" + b"\x85" * 200_000 + b"Ns"),
        "modules in modules": modules_in_modules(),
        "a module that holds itself": module_that_holds_itself(),
        "a dictionary that holds itself": program(b"}q\x00" + text("G_ema") + b"h\x00s"),
        "ten thousand doublings": program(b"]" + b"q\x002" * 10_000 + b"."),
        "a billion laughs": program(b")" + b"".join(b"q\x00h\x00h\x00\x86" for _ in range(60))),
        "a tensor of a quadrillion": tensor((1 << 25, 1 << 25), (1, 1)),
        "a tensor of minus one": tensor((-1, 4), (4, 1)),
        "strides that run backwards": tensor((2, 2), (-2, 1)),
        "strides past the end": tensor((2, 2), (1000, 1)),
        "an offset past the end": tensor((2, 2), (2, 1), offset=1 << 40),
        "a shape that is a word": tensor("wide", (1,)),
        "truths as lengths": tensor((True, True), (1, 1)),
        "a tensor all in one number": tensor((1 << 14, 1 << 14), (0, 0)),
        "weights that are no numbers": nvidia_file(
            {k: v * float("nan") for k, v in nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8)).items()}
        ),
        "a zip bomb": zip_of({"archive/data.pkl": bytes(1 << 24)}, zipfile.ZIP_DEFLATED),
        "a zip in a zip": zip_of({"archive/data.pkl": inner, "archive/data/0": zip_of({"archive/data.pkl": inner})}),
        "a zip whose entries overlap": overlapping_zip(),
        "a zip that claims more than it holds": zipped.replace(struct.pack("<I", 4 * 4 * 16), b"\xff\xff\xff\x7f"),
        "a zip with a pickle that runs": zip_of({"archive/data.pkl": inner}),
        "a zip with two pickles": zip_of({"a/data.pkl": inner, "b/data.pkl": inner}),
        "a zip of torch's other kind": zip_of({"archive/data.pkl": inner, "archive/code/run.py": python.encode()}),
        "a zip that leaves its folder": zip_of({"../data.pkl": inner}),
        "a storage that is not there": zip_of({"archive/data.pkl": missing_storage()}),
        "safetensors with a header of exabytes": b"\xff" * 7 + b"\x7f{" + bytes(16),
        "safetensors with offsets past the end": safetensors({"w": ("F32", [4], [0, 1 << 40])}),
        "safetensors of another length": safetensors({"w": ("F32", [1 << 30, 1 << 30], [0, 16])}),
        "safetensors with lists in lists": deep_json(),
        "safetensors that are no JSON": struct.pack("<Q", 8) + b"{{{{{{{{",
        "three million fetches from the memo": program(b"Nq\x00" + b"h\x00" * 3_000_000),
        "a whole number of a megabyte as a length": tensor((1 << (8 << 20), 1), (1, 1)),
        "a whole number of a megabyte as a storage's key": kept_storage(b"K\x01" + pickle.dumps(1 << (8 << 20))[2:-1]),
        "tuples in tuples as a storage's key": kept_storage(text("0") + b")" + b"\x85" * 200_000),
        "a persistent id that holds itself": kept_storage(b"]q\x00h\x00a"),
        "a persistent id of a persistent id": kept_storage(text("0") + b"Q"),
        "a storage of less than nothing": kept_storage(text("0"), count=b"J\xff\xff\xff\xff"),
        "a name that would clear the screen": kept_storage(text("\x1b[2J\x1b]0;ha\x07\nsmis: all is well\n")),
        "a name of a megabyte": kept_storage(text("x" * (1 << 20))),
        "an architecture of a megabyte": nvidia_file(
            nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8)), {"synthesis.b8.architecture": "x" * (1 << 20)}
        ),
        "gains that weights do not stand": nvidia_file(
            nvidia_state(small_stylegan2(channels=(4, 4, 4), w_dim=8)), {"mapping.fc0.bias_gain": 1e38}
        ),
        "a storage of many instructions": with_storage_bytes(legacy_with(program(b"N0" * 2_000 + b"N"))),
        "one storage that twenty thousand tensors read": one_storage_many_tensors(20_000),
        "sixty million elements out of one number": tensor((1, 1 << 22, 4, 4), (0, 0, 0, 0)),
        "safetensors that overlap": safetensors({"w": ("F32", [4], [0, 16]), "v": ("F32", [4], [0, 16])}),
        "safetensors with a gap": safetensors({"w": ("F32", [3], [4, 16])}),
        "safetensors that run backwards": safetensors({"w": ("F32", [4], [16, 0])}),
        "safetensors from before the start": safetensors({"v": ("F32", [4], [-16, 0]), "w": ("F32", [4], [0, 16])}),
        "safetensors with half an offset": safetensors({"w": ("F32", [4], [0.5, 16])}),  # type: ignore[list-item]
        "safetensors with one offset": safetensors({"w": ("F32", [4], [16])}),
        "safetensors with two tensors of one name": with_header(
            '{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"w":{"dtype":"F32","shape":[4],'
            '"data_offsets":[16,32]}}', 32,
        ),
        "safetensors with a length of a million digits": with_header(
            '{"w":{"dtype":"F32","shape":[' + "9" * 1_000_000 + '],"data_offsets":[0,16]}}', 16
        ),
        "safetensors with a hundred thousand tensors": with_header(
            json.dumps({str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}), 0
        ),
        "safetensors whose tensors are words": with_header('{"input.input":"F32","conv1.conv.weight":[]}', 16),
        "a zip whose names lead out of it": zip_of(
            {"archive/data.pkl": inner, "../../.config/autostart/x.desktop": b"x", "/etc/cron.d/x": b"x"}
        ),
        "a zip whose entry begins past its end": moved_entry(zipped),
    }  # fmt: skip
    return files


class _Reduces:
    """Pickles as a call."""

    def __init__(self, module: str, name: str, argument: str) -> None:
        self._function = getattr(__import__(module), name)
        self._argument = argument

    def __reduce__(self) -> tuple[Any, ...]:
        return self._function, (self._argument,)


def network_with(tensor_program: bytes) -> bytes:
    """A pickle whose `g_ema` holds one tensor, under a name that the reader looks at."""
    return program(b"}" + text("g_ema") + b"}" + text("input.input") + tensor_program + b"s" + text("conv1.conv.weight")
                   + tensor_program + b"ss")  # fmt: skip


def with_storage_bytes(data: bytes) -> bytes:
    """A tensor whose storage is in `data`, as torch writes into plain pickles."""
    storage = called(classic("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<I", len(data)) + data)
    return network_with(_rebuilt(storage, b"K\x00", b"(K\x01t", b"(K\x01t"))


def _rebuilt(storage: bytes, offset: bytes, shape: bytes, strides: bytes) -> bytes:
    return called(classic("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, b"\x89", b"N")


def legacy_with(inner_pickle: bytes, storages: bytes = b"", keys: tuple[str, ...] = ()) -> bytes:
    """torch's older file, whose object is another pickle."""
    parts = [pickle.dumps(part, protocol=2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join(parts) + inner_pickle + pickle.dumps(list(keys), protocol=2) + storages


def tensor(shape: Any, strides: Any, offset: int = 0) -> bytes:
    """A tensor over sixteen real numbers, of whatever shape."""
    identity = b"(" + text("storage") + classic("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x10NtQ"
    data = legacy_with(program(identity), struct.pack("<q16f", 16, *range(16)), ("0",))
    storage = called(classic("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<I", len(data)) + data)
    offset_, shape_, strides_ = (pickle.dumps(value, protocol=2)[2:-1] for value in (offset, shape, strides))
    return network_with(_rebuilt(storage, offset_, shape_, strides_))


def modules_in_modules() -> bytes:
    module = Persistent("Leaf", {"_parameters": {}, "_buffers": {}, "_modules": {}})
    for _ in range(100):
        module = Persistent("Nest", {"_parameters": {}, "_buffers": {}, "_modules": OrderedDict(inner=module)})
    with persistence_installed():
        return pickle.dumps({"G_ema": module})


def module_that_holds_itself() -> bytes:
    state: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    reconstruct = classic("torch_utils.persistence", "_reconstruct_persistent_obj")
    parts = b"".join(text(key) + b"}" + b"s" for key in state if key != "_modules")
    meta = (
        b"}q\x01"
        + text("class_name")
        + text("N")
        + b"s"
        + text("state")
        + b"}"
        + parts
        + text("_modules")
        + b"}q\x02ss"
    )
    loop = b"h\x02" + text("again") + reconstruct + b"h\x01\x85R" + b"s0"
    return program(meta + b"0" + loop + b"}" + text("G_ema") + reconstruct + b"h\x01\x85R" + b"s")


def missing_storage() -> bytes:
    identity = b"(" + text("storage") + classic("torch", "FloatStorage") + text("7") + text("cpu") + b"K\x10tQ"
    return network_with(_rebuilt(identity, b"K\x00", b"(K\x04t", b"(K\x01t"))


def kept_storage(key: bytes, count: bytes = b"K\x10") -> bytes:
    """A zip in which a tensor's storage has that key."""
    identity = b"(" + text("storage") + classic("torch", "FloatStorage") + key + text("cpu") + count + b"tQ"
    tensors = network_with(_rebuilt(identity, b"K\x00", b"(K\x04t", b"(K\x01t"))
    return zip_of({"archive/data.pkl": tensors, "archive/data/0": bytes(64)})


def one_storage_many_tensors(count: int) -> bytes:
    """Each of the tensors asks for the same bytes, which take some hundred instructions to read."""
    identity = b"(" + text("storage") + classic("torch", "FloatStorage") + text("0") + text("cpu") + b"K\x10NtQ"
    data = legacy_with(program(b"N0" * 400 + identity), struct.pack("<q16f", 16, *range(16)), ("0",))
    storage = called(
        classic("torch.storage", "_load_from_bytes"), b"B" + struct.pack("<I", len(data)) + data + b"q\x00"
    )
    again = called(classic("torch.storage", "_load_from_bytes"), b"h\x00")
    first = text("w") + _rebuilt(storage, b"K\x00", b"(K\x04t", b"(K\x01t") + b"s"
    rest = (
        text(f"w{i}") + _rebuilt(again, b"K\x00", b"(K\x04t", b"(K\x01t") + b"s" for i in range(count)
    )  # fmt: skip
    return program(b"}" + text("g_ema") + b"}" + first + b"".join(rest) + b"s")


def moved_entry(archive: bytes) -> bytes:
    """The first entry of the central directory said to begin far behind the file."""
    at = archive.index(b"PK\x01\x02") + 42
    return archive[:at] + struct.pack("<I", 0x7FFFFFF0) + archive[at + 4 :]


def zip_of(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def overlapping_zip() -> bytes:
    """Many entries over the same bytes (Fifield 2019): each is honest, together they are more than the file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 16))
        for i in range(2_000):
            copy = zipfile.ZipInfo(f"archive/data/{i}")
            copy.file_size = copy.compress_size = 1 << 16
            copy.CRC, copy.header_offset = archive.filelist[0].CRC, 0
            archive.filelist.append(copy)
    return file.getvalue()


def deep_json() -> bytes:
    return struct.pack("<Q", 200_008) + b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"  }"


def safetensors(tensors: dict[str, tuple[str, list[int], list[int]]]) -> bytes:
    """The first 16 bytes are theirs; 16 more are those of a tensor that a StyleGAN2 has."""
    header = {name: {"dtype": d, "shape": s, "data_offsets": o} for name, (d, s, o) in tensors.items()}
    header["conv1.conv.weight"] = {"dtype": "F32", "shape": [4], "data_offsets": [16, 32]}
    return with_header(json.dumps(header), 32)


def with_header(words: str, length: int) -> bytes:
    """safetensors with that many bytes of numbers."""
    return struct.pack("<Q", len(words)) + words.encode() + bytes(length)
