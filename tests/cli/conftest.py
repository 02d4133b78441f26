"""The real command line in this process, a data folder with a small generator, and small inputs."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from smis_desktop import main as cli
from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder
from smis_desktop.personal_model.label_transfer import LatentShot, learn_vectors
from smis_desktop.personal_model.model import PersonalModel, write_personal_model
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import write_tensors
from smis_desktop.training.perceptual import PerceptualDistance
from tests.small_generator import small_generator

PALETTE = Palette(
    (
        SemanticClass(0, "ground", (10, 20, 30)),
        SemanticClass(1, "skin", (200, 150, 120)),
        SemanticClass(7, "hair", (90, 60, 20)),
    )
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        facts: dict[str, Any] = json.loads(self.out)
        return facts


Smis = Callable[..., Ended]


@pytest.fixture
def smis(capsys: pytest.CaptureFixture[str]) -> Smis:
    """Runs `smis WORDS…` in this process."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        return Ended(code, *capsys.readouterr())

    return run


RunCommand = Callable[[argparse.Namespace, Console], Answer]


@pytest.fixture
def toy_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunCommand], None]:
    """Makes `smis toy` a command for this test, and the function that it is given what the command runs."""

    def add(run: RunCommand) -> None:
        toy = Command("toy", "play", order=1, add_arguments=lambda parser: None, run=run)
        monkeypatch.setattr(cli, "all_commands", lambda: [toy])

    return add


@pytest.fixture(scope="session")
def small() -> MobileStyleGAN:
    """A generator of moments: 256² pictures."""
    generator = small_generator()
    generator.weights_sha256 = hashlib.sha256(b"small").hexdigest()
    return generator


@pytest.fixture
def small_data(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    small: MobileStyleGAN,
    perceptual: PerceptualDistance,
) -> Path:
    """A data folder of its own with the generator `small`, and the real perceptual network."""
    networks = data_folder() / "networks"
    folder = tmp_path_factory.mktemp("data")
    (folder / "generators").mkdir()
    (folder / "networks").symlink_to(networks)
    facts = {
        "name": "small",
        "architecture": "mobile-stylegan",
        "weights_sha256": small.weights_sha256,
        "img_resolution": small.img_resolution,
        "num_ws": small.num_ws,
        "source": "random numbers",
        "licence": "none",
    }
    write_tensors(folder / "generators" / "small.safetensors", "generator", 1, small.state_dict(), facts)
    monkeypatch.setenv("SMIS_DATA_DIR", str(folder))
    return folder


def untrained_model(generator: MobileStyleGAN, name: str) -> PersonalModel:
    """A personal model whose vectors come from one generated picture, and whose encoder knows nothing yet: it answers
    another layout with another picture, and with no better one."""
    with torch.no_grad():
        ws = generator.broadcast(generator.mapping(seeded_z(3, generator.w_dim)))
        labels = generator.features(ws, [64])[64][0, :3].argmax(0)
        groups = (len(generator.coarse_slots), len(generator.middle_slots), len(generator.fine_slots))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            encoder = LayoutEncoder(EncoderShape(3, generator.num_ws, generator.w_dim, groups, 64, 8))
            for head in (encoder.structural, encoder.fine):
                torch.nn.init.normal_(head.weight, std=0.2)
        encoder.set_latent_space(generator.w_avg, generator.latents.axes, generator.latents.std)
        vectors = learn_vectors(generator, [LatentShot("shot", ws[0], labels)], 3, "dense", 3, 0.5)
    return PersonalModel(
        name, generator.name, generator.weights_sha256, PALETTE, "dense", vectors, None, encoder.eval(), {}
    )


@pytest.fixture
def small_model(tmp_path: Path, small: MobileStyleGAN) -> Path:
    """A model file for the generator `small`."""
    path = tmp_path / "models" / "small.smismodel"
    path.parent.mkdir(exist_ok=True)
    write_personal_model(path, untrained_model(small, "small classes"))
    return path


@pytest.fixture
def faces_model(tmp_path: Path, faces: MobileStyleGAN) -> Path:
    """A model file for the real generator."""
    path = tmp_path / "models" / "mine.smismodel"
    path.parent.mkdir(exist_ok=True)
    write_personal_model(path, untrained_model(faces, "mine"))
    return path


def label_map(side: int = 64, ids: tuple[int, ...] = (0, 1, 7)) -> np.ndarray:
    """A disc of the second id on the first, with a band of the third above. uint8 [side, side]."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    found = np.full((side, side), ids[0], np.uint8)
    found[rows**2 + columns**2 < 0.16] = ids[1]
    found[(rows < -0.2) & (np.abs(columns) < 0.3)] = ids[2]
    return found


def write_layout(path: Path, pixels: np.ndarray | None = None) -> Path:
    """An index PNG, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_label_map(label_map() if pixels is None else pixels, PALETTE))
    return path


def write_photo(path: Path, side: int = 64, seed: int = 0) -> Path:
    """A colourful photograph of nothing, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its path, and every folder with empty content."""
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else path.read_bytes() for path in sorted(folder.rglob("*"))
    }
