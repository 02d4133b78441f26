"""Checkpoints of their true size, 512² and 1024² in all widths, come in through the command and paint as published."""

from __future__ import annotations

import argparse
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from smis_desktop import main as cli
from smis_desktop.generators.store import open_generator
from tests.checkpoints.published_layouts import Persistent, nvidia_file
from tests.checkpoints.published_networks import (
    State,
    nvidia_picture,
    nvidia_random,
    nvidia_w,
    rosinality_picture,
    rosinality_random,
    rosinality_w,
    widths,
)

FULL, SLIM = 1 << 15, 1 << 14


@dataclass(frozen=True)
class Layout:
    """How one of the two published versions makes tensors, runs them and writes them."""

    random: Callable[[dict[int, int], int], dict[str, Tensor]]
    w: Callable[[State, Tensor], Tensor]
    picture: Callable[[State, Tensor], Tensor]
    written: Callable[[Path, dict[str, Tensor], dict[int, int]], None]


def nvidia_written(path: Path, state: dict[str, Tensor], channels: dict[int, int]) -> None:
    """With the generator in training and the discriminator beside it, as network pickles of 380 MB are."""
    parameters = OrderedDict((name, torch.nn.Parameter(value)) for name, value in discriminator(channels).items())
    rest = {name: Persistent("Network", {"_parameters": own, "_buffers": OrderedDict(), "_modules": OrderedDict()})
            for name, own in (("G", OrderedDict(state)), ("D", parameters))}  # fmt: skip
    path.write_bytes(nvidia_file(state, extra={**rest, "augment_pipe": None, "training_set_kwargs": {"path": "x.zip"}}))


def rosinality_written(path: Path, state: dict[str, Tensor], channels: dict[int, int]) -> None:
    """With all that a training goes on from: both networks and both optimisers."""
    judge = discriminator(channels)
    torch.save(
        {
            "g": {key: value.clone() for key, value in state.items()},
            "d": judge,
            "g_ema": state,
            "g_optim": moments(state),
            "d_optim": moments(judge),
            "args": argparse.Namespace(size=max(channels), batch=4),
            "ada_aug_p": 0.0,
        },
        path,
    )


LAYOUTS = {
    "nvidia": Layout(nvidia_random, nvidia_w, nvidia_picture, nvidia_written),
    "rosinality": Layout(rosinality_random, rosinality_w, rosinality_picture, rosinality_written),
}


def discriminator(channels: dict[int, int]) -> dict[str, Tensor]:
    """Tensors as large as those of the discriminator that such a generator is trained against."""
    sides = sorted(channels, reverse=True)
    found = {"b4.fc.weight": torch.ones(channels[4], 16 * channels[4])}
    for side in sides[:-1]:
        own, after = channels[side], channels[side // 2]
        found |= {f"b{side}.conv0.weight": torch.ones(own, own, 3, 3), f"b{side}.skip.weight": torch.ones(after, own)}
        found[f"b{side}.conv1.weight"] = torch.ones(after, own, 3, 3)
    return found


def moments(state: dict[str, Tensor]) -> dict[str, object]:
    """What Adam keeps."""
    own = {i: {"step": 7, "exp_avg": value * 0, "exp_avg_sq": value * 0} for i, value in enumerate(state.values())}
    return {"state": own, "param_groups": [{"lr": 0.002, "params": list(own)}]}


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("side", "base"), [(512, SLIM), (512, FULL), (1024, SLIM), (1024, FULL)])
def test_it_paints_as_published(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    layout: str,
    side: int,
    base: int,
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "data"))
    published, channels = LAYOUTS[layout], widths(side, base=base)
    state = published.random(channels, side)
    path = tmp_path / "network.pkl"
    published.written(path, state, channels)
    assert cli.main(["import-generator", str(path), "--name", "large", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["img_resolution"], facts["num_ws"]) == (side, 2 * len(channels))
    path.unlink()

    generator = open_generator("large")
    exact = {name: value.double() for name, value in state.items()}
    with torch.no_grad():
        z = torch.randn(facts["num_ws"], 512, generator=torch.Generator().manual_seed(1))
        ws = published.w(state, z)
        assert (generator.mapping(z) - ws).abs().max() <= 1e-4
        ours = generator.synthesis(ws[None])[0]
        spread = ours.std()
        assert spread > 0.1, "there is a picture"
        for theirs in (published.picture(state, ws), published.picture(exact, ws.double()).float()):
            difference = (ours - theirs).abs().max()
            print(f"{layout}, {side}², {base}: {difference:.1e} of {spread:.2f}")
            assert difference <= 1e-3
