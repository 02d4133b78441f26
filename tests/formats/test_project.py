"""Projects: saving and opening is the identity, and a save that fails costs nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from smis_desktop.document.document import DocumentState
from smis_desktop.errors import UserError
from smis_desktop.formats.color_map import nearest_classes
from smis_desktop.formats.exported_picture import read_picture_project, write_photograph
from smis_desktop.formats.open_raster import read_ora, write_ora
from smis_desktop.formats.photoshop import read_psd, write_psd
from smis_desktop.formats.project import Project, decode_project, encode_project, read_project, write_project
from tests.formats.projects import PALETTE, documents, projects, same_project

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
files = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(projects())
@settings(max_examples=40, deadline=None)
def test_saving_and_opening_is_the_identity(project: Project) -> None:
    encoded = encode_project(project)
    assert same_project(decode_project(encoded, "it"), project)
    assert encode_project(project) == encoded, "the same project gives the same bytes"


@given(projects())
@files
def test_a_picture_carries_its_whole_recipe(tmp_path: Path, project: Project) -> None:
    path = tmp_path / "picture.png"
    write_photograph(path, PICTURE, project)
    found = read_picture_project(path)
    assert found is not None
    assert same_project(found, project)


@pytest.mark.parametrize(("write", "read", "name"), [(write_ora, read_ora, "a.ora"), (write_psd, read_psd, "a.psd")])
@given(document=documents())
@files
def test_layered_exports_keep_every_id(
    tmp_path: Path,
    write: Callable[..., None],
    read: Callable[..., DocumentState],
    name: str,
    document: DocumentState,
) -> None:
    write(tmp_path / name, document, PICTURE)
    assert read(tmp_path / name, PALETTE).equals(document)


def test_a_picture_without_a_recipe_has_none(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(PICTURE).save(tmp_path / "plain.png")
    Image.fromarray(PICTURE).save(tmp_path / "plain.jpg")
    assert read_picture_project(tmp_path / "plain.png") is None
    assert read_picture_project(tmp_path / "plain.jpg") is None


@given(projects(), projects())
@files
def test_the_file_before_stays_as_a_backup(tmp_path: Path, first: Project, second: Project) -> None:
    path = tmp_path / "work.smis"
    path.unlink(missing_ok=True)
    (tmp_path / "work.smis~").unlink(missing_ok=True)
    write_project(path, first)
    assert not (tmp_path / "work.smis~").exists()
    write_project(path, second)
    assert same_project(read_project(path), second)
    assert same_project(read_project(tmp_path / "work.smis~"), first)


def test_colours_come_back_as_the_nearest_class() -> None:
    rgba = np.array([[[10, 20, 31, 255], [0, 5, 250, 255], [0, 0, 255, 10]]], np.uint8)
    np.testing.assert_array_equal(nearest_classes(rgba, PALETTE), [[0, 254, 255]])


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip at all", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "two letters", "text", "empty zip"],
)
def test_what_is_no_project_is_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.smis"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.smis.*backup") as refusal:
        read_project(path)
    assert "\n" not in str(refusal.value)


def test_a_newer_project_asks_for_a_newer_program(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "newer.smis"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("project.json", '{"format_version": 99, "wonders": []}')
    with pytest.raises(UserError, match="newer version"):
        read_project(path)


def _calls_of_a_save(monkeypatch: pytest.MonkeyPatch, path: Path, project: Project) -> list[str]:
    """The names of the calls to the disk that one save makes, in order."""
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("write", "fsync", "replace", "open"):
            patch.setattr(os, name, counted(name))
        write_project(path, project)
    return calls


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["disk full", "failing disk"])
def test_whichever_call_of_a_save_fails_the_old_file_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Disk full and I/O errors injected at every single write, sync, rename and open of a save, one after another."""
    path = tmp_path / "work.smis"
    old, new = (Project(DocumentState(64, PALETTE, (_layer(value),), 1)) for value in (3, 7))
    write_project(path, old)
    calls = _calls_of_a_save(monkeypatch, path, old)
    assert calls.count("fsync") >= 4, "file and folder, for backup and project"
    for position in range(len(calls)):
        write_project(path, old)
        made = 0

        def failing(name: str, position: int = position) -> Callable[..., Any]:
            real = getattr(os, name)

            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal made
                made += 1
                if made - 1 == position:
                    raise OSError(number, os.strerror(number), str(path))
                return real(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for name in ("write", "fsync", "replace", "open"):
                patch.setattr(os, name, failing(name))
            try:
                write_project(path, new)
                told = None
            except UserError as error:
                told = str(error)
        found = read_project(path)
        if told is None:
            assert same_project(found, new)
        else:
            assert "\n" not in told
            assert str(path) in told
            # Only once the new file has taken the old one's place (the folder failed to sync) it may be the new one.
            assert same_project(found, old) or (same_project(found, new) and calls[position] in ("fsync", "open"))
        leftovers = [p.name for p in tmp_path.iterdir() if p.name not in ("work.smis", "work.smis~")]
        assert leftovers == []


def _layer(value: int) -> Any:
    from smis_desktop.document.layers import Layer

    return Layer(1, "Layer 1", pixels=np.full((64, 64), value, np.uint8))
