"""Whatever is wrong with the input: exit code 2, one sentence on stderr, nothing written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smis_desktop.personal_model.model import read_personal_model
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from tests.cli.conftest import Smis, files_below, write_layout, write_photo

Words = list[object]
Prepare = Callable[[Path, Path], Words]
"""(folder to put bad input into, path of a good small model) → the words of the command, without --out."""


def png_of_one_colour(width: int, height: int, bits: int = 1) -> bytes:
    """A grey PNG of zeros, whole and correct, without holding its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(1)
    row = bytes(1 + (width * bits + 7) // 8)
    data = b"".join(rows.compress(row * 100) for _ in range(height // 100)) + rows.compress(row * (height % 100))
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data + rows.flush()) + chunk(b"IEND", b"")


def claims_to_be_huge() -> bytes:
    """A header of 20,000×20,000 pixels and nothing behind it."""
    return png_of_one_colour(20_000, 1)[:33].replace(struct.pack(">II", 20_000, 1), struct.pack(">II", 20_000, 20_000))


def shots(folder: Path) -> Path:
    """Two good pairs."""
    for name, seed in (("a", 1), ("b", 2)):
        write_photo(folder / "images" / f"{name}.png", seed=seed)
        write_layout(folder / "labels" / f"{name}.png")
    return folder


def broken_shots(break_it: Callable[[Path], object]) -> Prepare:
    def prepare(folder: Path, _model: Path) -> Words:
        break_it(shots(folder / "shots"))
        return ["train", folder / "shots", "--generator", "small"]

    return prepare


def bad_layout(content: bytes | None, name: str = "bad.png") -> Prepare:
    """A good layout and a bad one behind it: not even the first may be rendered."""

    def prepare(folder: Path, model: Path) -> Words:
        good = write_layout(folder / "good.png")
        if content is not None:
            (folder / name).write_bytes(content)
        return ["render", good, folder / name, "--model", model]

    return prepare


def bad_model(change: Callable[[Path], object]) -> Prepare:
    def prepare(folder: Path, model: Path) -> Words:
        change(model)
        return ["render", write_layout(folder / "good.png"), "--model", model]

    return prepare


def truncate(model: Path) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])


def from_the_future(model: Path) -> None:
    tensors, facts = read_tensors(model, "personal-model", 3, "…")
    rest = {key: value for key, value in facts.items() if key not in ("kind", "format_version")}
    write_tensors(model, "personal-model", 4, tensors, rest)


def of_other_weights(model: Path) -> None:
    tensors, facts = read_tensors(model, "personal-model", 3, "…")
    rest = {key: value for key, value in facts.items() if key not in ("kind", "format_version")}
    rest["generator"]["weights_sha256"] = "0" * 64
    write_tensors(model, "personal-model", 3, tensors, rest)


def without_a_tensor(model: Path) -> None:
    tensors, facts = read_tensors(model, "personal-model", 3, "…")
    rest = {key: value for key, value in facts.items() if key not in ("kind", "format_version")}
    del tensors["encoder.first.weight"]
    write_tensors(model, "personal-model", 3, tensors, rest)


def photo_as_label(folder: Path) -> None:
    write_photo(folder / "labels" / "b.png")


def narrow_label(folder: Path) -> None:
    write_layout(folder / "labels" / "b.png", np.zeros((64, 48), np.uint8))


def huge_label(folder: Path) -> None:
    (folder / "labels" / "b.png").write_bytes(png_of_one_colour(20_000, 20_000))


def with_generator(name: str) -> Prepare:
    return lambda folder, _model: ["train", shots(folder / "shots"), "--generator", name]


def layout_side(side: int) -> bytes:
    return png_of_one_colour(side, side, 8)


def rewrite(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def same_stem(folder: Path, model: Path) -> Words:
    first, second = write_layout(folder / "one" / "face.png"), write_layout(folder / "two" / "face.png")
    return ["render", first, second, "--model", model]


def empty_folder(command: str) -> Prepare:
    def prepare(folder: Path, model: Path) -> Words:
        (folder / "empty").mkdir()
        return [command, folder / "empty", "--model", model]

    return prepare


def other_classes(folder: Path, model: Path) -> Words:
    return ["render", write_layout(folder / "l.png", np.full((64, 64), 42, np.uint8)), "--model", model]


def bad_picture(content: bytes) -> Prepare:
    def prepare(folder: Path, model: Path) -> Words:
        good, bad = write_photo(folder / "good.png"), folder / "bad.png"
        bad.write_bytes(content)
        return ["segment", good, bad, "--model", model, "--inversion-steps", 1]

    return prepare


TEXT = b"this is no picture at all\n" * 10
CASES: dict[str, tuple[Prepare, str]] = {
    "train: a label is missing": (broken_shots(lambda f: (f / "labels" / "b.png").unlink()), "b.png"),
    "train: a photo is missing": (broken_shots(lambda f: (f / "images" / "a.png").unlink()), "a.png"),
    "train: sizes differ": (broken_shots(narrow_label), "b.png"),
    "train: a photo as label": (broken_shots(photo_as_label), "b.png"),
    "train: a text file as label": (broken_shots(rewrite("labels/a.png", TEXT)), "a.png"),
    "train: a text file as photo": (broken_shots(rewrite("images/a.png", TEXT)), "a.png"),
    "train: a 1×1 photo": (broken_shots(rewrite("images/a.png", png_of_one_colour(1, 1))), "a.png"),
    "train: a 1×1 label": (broken_shots(rewrite("labels/a.png", png_of_one_colour(1, 1))), "a.png"),
    "train: a photo that claims 20,000×20,000": (broken_shots(rewrite("images/a.png", claims_to_be_huge())), "a.png"),
    "train: a label of 20,000×20,000": (broken_shots(huge_label), "b.png"),
    "train: an empty folder": (lambda folder, _: ["train", folder], "images"),
    "train: no folder": (lambda folder, _: ["train", folder / "nowhere"], "nowhere"),
    "train: an unknown generator": (with_generator("cats"), "'cats'"),
    "train: a generator outside": (with_generator("../small"), "'../small'"),
    "render: no layout there": (bad_layout(None), "bad.png"),
    "render: a text file as layout": (bad_layout(TEXT), "bad.png"),
    "render: a 1×1 layout": (bad_layout(layout_side(1)), "bad.png"),
    "render: a layout that claims 20,000×20,000": (bad_layout(claims_to_be_huge()), "bad.png"),
    "render: a truncated layout": (bad_layout(layout_side(64)[:60]), "bad.png"),
    "render: two layouts of one name": (same_stem, "face.png"),
    "render: a folder without layouts": (empty_folder("render"), "empty"),
    "render: a layout in other classes": (other_classes, "l.png"),
    "render: more than the generator makes": (
        lambda folder, model: ["render", write_layout(folder / "l.png"), "--model", model, "--size", 512], "--size 512",
    ),
    "render: a truncated model": (bad_model(truncate), "small.smismodel"),
    "render: an empty model": (bad_model(lambda m: m.write_bytes(b"")), "small.smismodel"),
    "render: a text file as model": (bad_model(lambda m: m.write_bytes(TEXT)), "small.smismodel"),
    "render: a model without its encoder": (bad_model(without_a_tensor), "small.smismodel"),
    "render: a model of a newer format": (bad_model(from_the_future), "update"),
    "render: a model for other weights": (bad_model(of_other_weights), "small classes"),
    "render: no model there": (bad_model(Path.unlink), "small.smismodel"),
    "segment: a text file as picture": (bad_picture(TEXT), "bad.png"),
    "segment: a 1×1 picture": (bad_picture(png_of_one_colour(1, 1)), "bad.png"),
    "segment: a picture of 20,000×20,000": (bad_picture(claims_to_be_huge()), "bad.png"),
    "segment: a folder without pictures": (empty_folder("segment"), "empty"),
    "sample: an unknown generator": (lambda *_: ["sample", "--generator", "cats", "--seeds", "0-3"], "'cats'"),
    "sample: more than the generator makes": (
        lambda *_: ["sample", "--generator", "small", "--seeds", "0", "--size", "1024"], "--size 1024",
    ),
}  # fmt: skip


@pytest.mark.parametrize("json_flag", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(("prepare", "named"), CASES.values(), ids=CASES.keys())
def test_bad_input(
    smis: Smis,
    tmp_path: Path,
    small_data: Path,
    small_model: Path,
    prepare: Prepare,
    named: str,
    json_flag: list[str],
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    words = prepare(folder, small_model)
    before, data_before = files_below(tmp_path), files_below(small_data / "generators")
    ended = smis(*words, "--out", tmp_path / "out", *json_flag)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("smis: ")
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1
    assert named in ended.err
    assert files_below(tmp_path) == before
    assert files_below(small_data / "generators") == data_before


@pytest.mark.parametrize(
    "prepare",
    [
        empty_folder("evaluate"),
        lambda folder, model: ["evaluate", folder / "nowhere", "--model", model],
        lambda folder, model: ["evaluate", write_layout(folder / "l.png"), "--model", model],
        lambda folder, model: ["evaluate", write_layout(folder / "l.png").parent, "--model", folder / "no.smismodel"],
        lambda folder, _: ["bench", "--model", folder / "no.smismodel"],
        lambda folder, _: ["models", folder / "nowhere"],
        lambda *_: ["fetch", "cats"],
        lambda folder, _: ["fetch", "faces", "--from", folder / "missing.whl"],
    ],
)
def test_bad_input_of_commands_that_write_nothing(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, prepare: Prepare
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    words = prepare(folder, small_model)
    before = files_below(tmp_path)
    ended = smis(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("smis: ")
    assert ended.err.count("\n") == 1
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("command", ["render", "segment", "sample"])
def test_an_out_folder_that_is_a_file_is_refused_before_any_work(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, command: str
) -> None:
    (tmp_path / "out").write_text("a file")
    words: dict[str, Words] = {
        "render": ["render", write_layout(tmp_path / "l.png"), "--model", small_model],
        "segment": ["segment", write_photo(tmp_path / "p.png"), "--model", small_model],
        "sample": ["sample", "--generator", "small", "--seeds", 0],
    }
    for out in (tmp_path / "out", tmp_path / "out" / "below"):
        ended = smis(*words[command], "--out", out)
        assert ended.code == 2
        assert ended.err.startswith(f"smis: {out} cannot be used as a folder")
        assert ended.err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "a file"


def test_a_model_that_cannot_be_written_is_refused_before_any_work(
    smis: Smis, tmp_path: Path, small_data: Path
) -> None:
    folder = shots(tmp_path / "shots")
    for out in (tmp_path, tmp_path / "missing" / "m.smismodel"):
        ended = smis("train", folder, "--generator", "small", "--out", out)
        assert ended.code == 2
        assert ended.err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shots"]


@pytest.mark.parametrize("command", ["render", "segment"])
def test_results_never_replace_their_own_input(
    smis: Smis, tmp_path: Path, small_data: Path, small_model: Path, command: str
) -> None:
    source = (write_layout if command == "render" else write_photo)(tmp_path / "in" / "l.png")
    before = source.read_bytes()
    ended = smis(command, source, "--model", small_model, "--out", tmp_path / "in" / ".." / "in")
    assert ended.code == 2
    assert "overwritten" in ended.err
    assert source.read_bytes() == before


def test_the_cases_are_bad_for_one_reason_only(smis: Smis, tmp_path: Path, small_data: Path, small_model: Path) -> None:
    """The good inputs that the cases above are made from are taken."""
    assert read_personal_model(small_model).name == "small classes"
    assert smis("render", write_layout(tmp_path / "l.png"), "--model", small_model, "--out", tmp_path / "o").code == 0
    with Image.open(tmp_path / "o" / "l.png") as image:
        assert image.size == (256, 256)
    huge = tmp_path / "huge.png"
    huge.write_bytes(png_of_one_colour(2000, 1500))
    with Image.open(huge) as image:
        image.load()
