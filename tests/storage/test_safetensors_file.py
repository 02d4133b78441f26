"""Weight files: whatever is wrong with one is told in one sentence that names it."""

from __future__ import annotations

import json
import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smis_desktop.errors import UserError
from smis_desktop.storage.safetensors_file import read_metadata, read_tensors, write_tensors

KIND, VERSION, REMEDY = "testimony", 3, "fetch it again"
TENSORS = {
    "a.weight": torch.arange(12.0).view(3, 4),
    "a.count": torch.tensor(7),
    "half": torch.ones(2, dtype=torch.half),
}
FACTS = {"name": "Zoë’s", "numbers": [1, 2.5, None], "nested": {"deep": True}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "witness.safetensors"
    write_tensors(file, KIND, VERSION, TENSORS, FACTS)
    return file


def _refused(path: Path, kind: str = KIND, version: int = VERSION) -> str:
    """The one sentence that both ways of reading refuse the file with."""
    with pytest.raises(UserError) as reading:
        read_tensors(path, kind, version, REMEDY)
    message = str(reading.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_everything_comes_back(path: Path) -> None:
    tensors, facts = read_tensors(path, KIND, VERSION, REMEDY)
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert facts == {"kind": KIND, "format_version": VERSION, **FACTS}
    assert read_metadata(path, KIND, VERSION, REMEDY) == facts


def test_transposed_tensors_and_ones_with_gradients_are_written_as_they_look(tmp_path: Path) -> None:
    tensor = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).T.requires_grad_()
    write_tensors(tmp_path / "t", KIND, 1, {"t": tensor}, {})
    read, _ = read_tensors(tmp_path / "t", KIND, 1, REMEDY)
    assert torch.equal(read["t"], tensor)


def test_an_older_format_is_read(path: Path) -> None:
    assert read_metadata(path, KIND, VERSION + 1, REMEDY)["format_version"] == VERSION


def test_a_newer_format_asks_for_an_update(path: Path) -> None:
    message = _refused(path, version=VERSION - 1)
    assert "newer version" in message
    assert "update" in message


def test_another_kind_is_refused(path: Path) -> None:
    assert "not a generator file" in _refused(path, kind="generator")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in _refused(tmp_path / "nothing")
    _refused(tmp_path)


@settings(max_examples=60, deadline=None)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_at_every_length(tmp_path_factory: pytest.TempPathFactory, kept: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "cut"
    write_tensors(path, KIND, VERSION, TENSORS, FACTS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert REMEDY in _refused(path)
    with pytest.raises(UserError):
        read_metadata(path, KIND, VERSION, REMEDY)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_never_surprises(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("damaged") / "damaged"
    write_tensors(path, KIND, VERSION, TENSORS, FACTS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(UserError):  # flipped numbers go unseen: the file has no checksum of its own
        read_tensors(path, KIND, VERSION, REMEDY)


@pytest.mark.parametrize(
    "content", [b"", b"just text", bytes(1000), b"\xff" * 1000], ids=["empty", "text", "zeros", "ones"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert REMEDY in _refused(path)


class _Trap:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(_Trap(tmp_path / "mark")))
    assert REMEDY in _refused(path)
    assert not (tmp_path / "mark").exists()


def _with_metadata(path: Path, metadata: dict[str, str] | None) -> Path:
    header: dict[str, Any] = {"t": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    if metadata is not None:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"format": "pt"},
        {"smis": "{"},
        {"smis": "[]"},
        {"smis": "null"},
        {"smis": '{"kind": ["testimony"]}'},
        {"smis": '{"kind": "testimony"}'},
        {"smis": '{"kind": "testimony", "format_version": "3"}'},
        {"smis": '{"kind": "testimony", "format_version": null}'},
    ],
    ids=str,
)
def test_foreign_metadata_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    _refused(_with_metadata(tmp_path / "foreign", metadata))


def test_a_failed_write_keeps_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="free some space"):
        write_tensors(path, KIND, VERSION, {"new": torch.zeros(3)}, {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
