"""The recipe that sharpens the landscapes' generator: it goes on from a finished file, and from its own checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from smis_desktop.generators.stylegan2 import StyleGAN2
from smis_desktop.resources import shipped_networks_folder

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = shipped_networks_folder("generators") / "landscapes.safetensors"


def sharpened(folder: Path, steps: int) -> Path:
    out = folder / f"{steps}.safetensors"
    words = ["--work", folder / "work", "--steps", steps, "--out", out]
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "scripts" / "sharpen_landscapes.py"), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def opened(path: Path) -> StyleGAN2:
    return StyleGAN2.from_weights("it", "sha", {key: value.float() for key, value in load_file(path).items()})


@pytest.mark.slow
def test_it_begins_with_the_finished_generator_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    z = torch.randn(2, 512, generator=torch.Generator().manual_seed(0))
    shipped = opened(SHIPPED)
    before = shipped.synthesis(shipped.broadcast(shipped.mapping(z)))
    untouched, twice = opened(sharpened(tmp_path, 0)), opened(sharpened(tmp_path, 2))
    after = untouched.synthesis(untouched.broadcast(untouched.mapping(z)))
    assert (after - before).abs().mean() <= 0.01, "half precision, there and back"
    changed = twice.synthesis(twice.broadcast(twice.mapping(z)))
    assert 0 < (changed - before).abs().mean() <= 0.1
    words = (tmp_path / "2.safetensors").read_bytes()
    assert sharpened(tmp_path, 2).read_bytes() == words, "what is done is done"
