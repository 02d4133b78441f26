"""Damaged and hostile files: every reader answers with one sentence, quickly, and touches nothing else."""

from __future__ import annotations

import fnmatch
import io
import json
import os
import resource
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from smis_desktop.document.composition import ClassLock, Composition, Held, Patch
from smis_desktop.document.document import DocumentState
from smis_desktop.document.layers import Layer
from smis_desktop.document.style import Look, Style
from smis_desktop.errors import UserError
from smis_desktop.formats.exported_picture import encode_project_picture, read_picture_project
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.formats.open_raster import read_ora, write_ora
from smis_desktop.formats.photoshop import read_psd, write_psd
from smis_desktop.formats.project import KeptStyle, Project, encode_project, read_project
from tests.formats.projects import IDS, PALETTE, latents, proposal_of, soft_mask

ROUNDS = int(os.environ.get("SMIS_FUZZ_ROUNDS", "5000"))
"""Mutants of each kind of file; a hundred thousand take an hour."""
MOST_SECONDS = 2.0
"""Of processor time that one file may take: nothing may hang, and a busy machine does not matter."""
MOST_MEMORY_KB = 600_000

LABELS = np.random.default_rng(3).choice(IDS, (64, 64)).astype(np.uint8)
DOCUMENT = DocumentState(64, PALETTE, (Layer(1, "a", pixels=LABELS), Layer(2, "b", left=5, pixels=LABELS[:9])), 2)

LOCK = ClassLock.of(Composition(latents(7, 4), (Patch(latents(8, 3), soft_mask(8)),)), Style(), LABELS, frozenset({3}))
MADE_OF = Composition(latents(1, 4), (Patch(latents(2, 3), soft_mask(2), Look(5)),), held=Held(LOCK, soft_mask(9)))
PROJECT = Project(DOCUMENT, KeptStyle(ws=latents(3, 4), composition=MADE_OF, refined=24, generator="faces"))


def _written(write: Callable[[Path, DocumentState], None], folder: Path) -> bytes:
    write(folder / "whole", DOCUMENT)
    data = (folder / "whole").read_bytes()
    (folder / "whole").unlink()
    return data


WHOLE: dict[str, Callable[[Path], bytes]] = {
    "project": lambda folder: encode_project(PROJECT),
    "recipe": lambda folder: encode_project_picture(np.zeros((8, 8, 3), np.uint8), PROJECT),
    "ora": lambda folder: _written(write_ora, folder),
    "psd": lambda folder: _written(write_psd, folder),
    "index": lambda folder: encode_label_map(LABELS, PALETTE),
    "labelme": lambda folder: json.dumps(
        {"shapes": [{"label": "x", "points": [[1, 2], [30, 4], [5, 60]]}], "imageHeight": 64, "imageWidth": 64}
    ).encode(),
}
READ: dict[str, Callable[[Path], object]] = {
    "project": read_project,
    "recipe": read_picture_project,
    "ora": lambda path: read_ora(path, PALETTE),
    "psd": lambda path: read_psd(path, PALETTE),
    "index": lambda path: proposal_of(path, PALETTE),
    "labelme": lambda path: proposal_of(path, PALETTE),
}


def _inside(whole: bytes, name: str) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The first entry of a zip that has such a name, and how to put another in its place, with a checksum that fits:
    damage that no checksum finds."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    name = fnmatch.filter(entries, name)[0]
    return entries[name], lambda data: _zip({**entries, name: data})


def _mutant(data: bytes, draws: np.random.Generator) -> bytes:
    mutant = bytearray(data)
    kind = draws.integers(5)
    at = int(draws.integers(len(mutant)))
    if kind == 0:
        return bytes(mutant[:at])
    if kind == 1:
        for _ in range(int(draws.integers(1, 12))):
            mutant[int(draws.integers(len(mutant)))] = int(draws.integers(256))
    elif kind == 2:
        mutant[at:at] = draws.bytes(int(draws.integers(1, 40)))
    elif kind == 3:
        del mutant[at : at + int(draws.integers(1, 200))]
    else:
        for value in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")[: int(draws.integers(1, 3))]:
            mutant[at : at + 4] = value
    return bytes(mutant)


@pytest.mark.filterwarnings("ignore")  # libraries may warn about what is wrong with a damaged file
@pytest.mark.parametrize("kind", list(WHOLE))
def test_a_damaged_file_is_read_or_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    data = WHOLE[kind](tmp_path)
    draws = np.random.default_rng(len(data))
    path = tmp_path / "file"
    refused, memory = 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(ROUNDS):
        path.write_bytes(_mutant(data, draws))
        told = _told(READ[kind], path)
        refused += told is not None
        assert told is None or ("\n" not in told and str(path) in told)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert refused > ROUNDS // 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MOST_MEMORY_KB


def _told(read: Callable[[Path], object], path: Path) -> str | None:
    """The sentence of a refusal; None where the mutation did no harm."""

    def hung(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"reading took more than {MOST_SECONDS} s of processor time")

    before = signal.signal(signal.SIGVTALRM, hung)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        read(path)
    except UserError as error:
        return str(error)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return None


def _zip(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("project", "project.json"),
        ("project", "document/layer-1.png"),
        ("project", "*.f32"),
        ("project", "compositions/*.png"),
        ("ora", "stack.xml"),
        ("ora", "data/layer0.png"),
    ],
)
def test_damage_behind_the_checksums_is_found_too(tmp_path: Path, kind: str, entry: str) -> None:
    data, wrapped = _inside(WHOLE[kind](tmp_path), entry)
    draws = np.random.default_rng(len(data))
    path = tmp_path / "file"
    refused = 0
    for _ in range(ROUNDS // 2):
        path.write_bytes(wrapped(_mutant(data, draws)))
        told = _told(READ[kind], path)
        refused += told is not None
        assert told is None or ("\n" not in told and str(path) in told)
    assert refused > ROUNDS // 20


def test_bombs_and_paths_are_harmless(tmp_path: Path) -> None:
    bomb = b'{"format_version": 1, "x": "' + b" " * (1 << 26) + b'"}'
    outside = b'<image w="64" h="64"><stack><layer src="../../etc/passwd"/></stack></image>'
    entity = b'<!DOCTYPE x [<!ENTITY a "b">]><image w="64" h="64"/>'
    cases = [
        ("bomb.smis", _zip({"project.json": bomb}), read_project),
        ("nested.smis", _zip({"project.json": b"[" * 100_000}), read_project),
        ("outside.ora", _zip({"stack.xml": outside}), lambda path: read_ora(path, PALETTE)),
        ("entity.ora", _zip({"stack.xml": entity}), lambda path: read_ora(path, PALETTE)),
    ]
    for name, data, read in cases:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UserError, match=name):
            read(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(name for name, _, _ in cases)
