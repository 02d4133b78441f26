"""Makes generators/landscapes.safetensors: a small StyleGAN2 that paints what `smis_desktop.landscapes` renders.

Every `z` has a scene, and the generator learns the picture of it: absolute and squared errors at several scales, and of
gradients. No class map is ever shown to it; auxiliary linear readings of the features of 16² to 64² have to predict the
distance to each thing's outline, and are thrown away at the end. One `z` decides what stands where, another the light,
which acts in the fine slots alone.

The network grows one side at a time, each starting as the enlarged last one. Run it again to continue from its last
checkpoint:
python scripts/train_landscapes.py [--work .cache/landscapes-training] [--minutes-per-side M]
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from trainable_stylegan2 import TrainableStyleGAN2

from smis_desktop.generators.store import write_shipped_generator
from smis_desktop.landscapes.rendering import render
from smis_desktop.landscapes.scene import layout_of
from smis_desktop.landscapes.shapes import shapes_of
from smis_desktop.resources import shipped_networks_folder

CHANNELS, W_DIM = (160, 160, 128, 96, 64, 32), 512
USED, FIRST_FINE = (*range(32), *range(64, 74)), 9
"""Numbers of `z` that scenes are made from, and the first slot that the light acts in."""
HINTED = (16, 32, 64)
HINTS_WEIGHT, HINTS_SHARPNESS = 2.0, 10.0
SOURCE = "this project: taught with rendered landscapes (scripts/train_landscapes.py)"


@dataclass(frozen=True)
class Stage:
    """A side, its share of the time, pictures a step, and the learning rate at its start and end."""

    side: int
    share: float
    batch: int
    rates: tuple[float, float]


STAGES = (
    Stage(16, 0.16, 32, (0.004, 0.004)),
    Stage(32, 0.21, 16, (0.004, 0.003)),
    Stage(64, 0.30, 8, (0.003, 0.0015)),
    Stage(128, 0.33, 4, (0.002, 0.0005)),
)


def main() -> None:
    arguments = _arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    training = Training(arguments.work / "checkpoint.pt")
    for number, stage in enumerate(STAGES):
        training.run(number, stage, 60 * arguments.minutes * stage.share)
    write(training.averaged, arguments.out)


class Training:
    """The network, its running average and its optimiser; writes a checkpoint every minute."""

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._network = TrainableStyleGAN2(CHANNELS, W_DIM, USED, FIRST_FINE, hints=(9, HINTED))
        self.averaged = copy.deepcopy(self._network).requires_grad_(False)
        self._adam = torch.optim.Adam(self._network.parameters(), lr=1e-3, betas=(0.9, 0.99))
        self._stage, self._seconds, self._steps = 0, 0.0, 0
        if checkpoint.is_file():
            self._restore(torch.load(checkpoint, weights_only=True))

    def run(self, number: int, stage: Stage, seconds: float) -> None:
        """Train a stage to its end; do nothing if it is over already."""
        if number < self._stage:
            return
        if number > self._stage:
            self._stage, self._seconds = number, 0.0
            self._network.load_state_dict(self.averaged.state_dict())
            self._network.grow(stage.side)
            self.averaged.load_state_dict(self._network.state_dict())
            self._adam = torch.optim.Adam(self._network.parameters(), lr=1e-3, betas=(0.9, 0.99))
        kept, recent = time.monotonic(), 0.0
        while self._seconds < seconds:
            started = time.monotonic()
            begin, end = stage.rates
            rate = begin * (end / begin) ** (self._seconds / seconds) * min(1.0, (self._steps + 10) / 100)
            for group in self._adam.param_groups:
                group["lr"] = rate
            loss = self._step(stage)
            recent = loss if recent == 0 else 0.98 * recent + 0.02 * loss
            self._seconds += time.monotonic() - started
            if time.monotonic() - kept > 60 or self._seconds >= seconds:
                kept = time.monotonic()
                torch.save(self._state(), self._checkpoint)
                print(
                    f"{stage.side}²: {self._steps} steps, {self._seconds / 60:.1f} of {seconds / 60:.1f} minutes, "
                    f"loss {recent:.3f}, {psnr(self.averaged, stage.side):.2f} dB",
                    flush=True,
                )

    def _step(self, stage: Stage) -> float:
        # Every step draws from a generator of its own: a training that goes on sees what it would have seen.
        draws = np.random.default_rng((stage.side, self._steps))
        z, light = draws.standard_normal((2, stage.batch, W_DIM)).astype(np.float32)
        wanted = rendered(z, light, stage.side)
        hinted_side = min(stage.side, HINTED[-1])
        distances = shapes_of(layout_of(z), hinted_side).distances
        hints = torch.from_numpy(np.tanh(HINTS_SHARPNESS * distances))
        w = self._network.map(torch.from_numpy(np.concatenate((z, light))))
        made, readings = self._network(w[: stage.batch], w[stage.batch :], stage.side)
        loss = difference(made[stage.side], wanted)
        for side, picture in made.items():
            if side < stage.side:
                loss = loss + 0.25 * difference(picture, F.avg_pool2d(wanted, stage.side // side))
        for side, reading in readings.items():
            loss = loss + HINTS_WEIGHT * (reading - F.avg_pool2d(hints, hinted_side // side)).square().mean()
        self._adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._adam.step()
        decay = min(0.998, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self._network.parameters()), 1 - decay)
        self._steps += 1
        return loss.item()

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "adam": self._adam.state_dict(),
            "at": [self._stage, self._seconds, self._steps],
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._adam.load_state_dict(state["adam"])
        self._stage, self._seconds, self._steps = state["at"]


def difference(made: Tensor, wanted: Tensor) -> Tensor:
    """Return absolute and squared error, of the pictures, their gradients, and at half and quarter side."""
    error = made - wanted
    total = error.abs().mean() + 0.5 * error.square().mean()
    total = total + error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    for _ in range(2):
        error = F.avg_pool2d(error, 2)
        total = total + 0.5 * error.abs().mean()
    return total


def rendered(z: np.ndarray, light: np.ndarray, side: int) -> Tensor:
    """Return rendered pictures [N, 3, side, side] in [-1, 1]."""
    return torch.from_numpy(render(z, side, light)).permute(0, 3, 1, 2) * 2 - 1


@torch.no_grad()
def psnr(network: TrainableStyleGAN2, side: int) -> float:
    """Return the PSNR of a dozen held-out pictures, in dB."""
    z, light = np.random.default_rng(99).standard_normal((2, 12, W_DIM)).astype(np.float32)
    made, _ = network(network.map(torch.from_numpy(z)), network.map(torch.from_numpy(light)), side)
    error = (made[side].clamp(-1, 1) - rendered(z, light, side)).square().mean((1, 2, 3))
    return float((10 * torch.log10(4 / error)).mean())


def write(network: TrainableStyleGAN2, path: Path) -> None:
    """Write the finished generator, as the store reads it."""
    write_shipped_generator(path, "stylegan2", network.finished(), SOURCE, "MIT")
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/landscapes-training"), help="for the checkpoint")
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, on one core (default: 60)")
    parser.add_argument("--out", type=Path, default=shipped_networks_folder("generators") / "landscapes.safetensors")
    return parser.parse_args()


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
