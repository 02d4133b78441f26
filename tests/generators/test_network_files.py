"""A packaged program ships networks; those in a person's data folder take precedence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smis_desktop.generators.catalog import generator_names
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import installed_generators, is_installed, open_generator
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import write_tensors
from tests.small_generator import small_generator


def write_generator(path: Path, source: str) -> MobileStyleGAN:
    generator = small_generator()
    generator.weights_sha256 = "00" * 32
    facts = {
        "name": path.stem,
        "architecture": "mobile-stylegan",
        "weights_sha256": generator.weights_sha256,
        "img_resolution": generator.img_resolution,
        "num_ws": generator.num_ws,
        "source": source,
        "licence": "none",
    }
    write_tensors(path, "generator", 1, generator.state_dict(), facts)
    return generator


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of shipped generators, with `bundled` in it, and an empty data folder."""
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))
    package = tmp_path / "smis_desktop"
    folder = package / "_data" / "generators"
    folder.mkdir(parents=True)
    monkeypatch.setattr("smis_desktop.resources._PACKAGE", package)
    write_generator(folder / "bundled.safetensors", "shipped")
    return folder


def test_a_shipped_generator_is_installed_and_opens(shipped: Path) -> None:
    assert is_installed("bundled")
    assert generator_names() == ("faces", "bundled")
    assert [(g.name, g.source) for g in installed_generators()] == [("bundled", "shipped")]
    assert open_generator("bundled").weights_sha256 == "00" * 32
    assert list(data_folder("generators").iterdir()) == []  # nothing was copied


def test_a_persons_own_generator_of_that_name_takes_precedence(shipped: Path) -> None:
    own = data_folder("generators") / "bundled.safetensors"
    write_generator(own, "own")
    assert [(g.name, g.source, g.path) for g in installed_generators()] == [("bundled", "own", own)]
    shutil.rmtree(shipped)
    assert is_installed("bundled")
