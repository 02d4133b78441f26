"""Sharpens generators/landscapes.safetensors, the output of scripts/train_landscapes.py, with a critic.

Regression alone paints the mean of what it is unsure of, and so blurs every edge. Here three losses act on each
picture: regression, feature matching, and the adversarial loss. The gradient of each is scaled to a fixed proportion of
the first one's length, so that no weight has to be tuned and the picture stays that of its scene. The auxiliary linear
readings of the first training continue, from zero.

Run it again to continue from its last checkpoint: python scripts/sharpen_landscapes.py [--work DIR] [--steps N]
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from landscape_critic import SCENE_SIDE, Critic, feature_matching_loss, loss_as_generated, loss_as_real, r1_penalty
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from train_landscapes import (
    CHANNELS,
    FIRST_FINE,
    HINTED,
    HINTS_SHARPNESS,
    HINTS_WEIGHT,
    USED,
    W_DIM,
    difference,
    psnr,
    rendered,
    write,
)
from trainable_stylegan2 import TrainableStyleGAN2

from smis_desktop.landscapes.scene import layout_of
from smis_desktop.landscapes.shapes import shapes_of
from smis_desktop.resources import shipped_networks_folder

SIDE, BATCH = 128, 8
SCENES = 3072
"""Each is rendered once, when first drawn: a rendering takes as long as a whole step with it."""
RATES, CRITIC_RATE = (0.0015, 0.0003), 0.002
MATCHING, ADVERSARIAL = 0.7, 0.5
"""Lengths of those two gradients, in lengths of the regression's."""
RAMP = 300
"""Steps over which those two are faded in, while the critic learns."""
R1, R1_EVERY = 1.0, 16
DECAY = 0.996
_KEPT_EVERY = 120.0


def main() -> None:
    arguments = _arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    training = Sharpening(arguments.work, arguments.begin)
    training.run(arguments.steps)
    write(training.averaged, arguments.out)


class Sharpening:
    """Generator, critic, their optimisers and the generator's running average.

    Every two minutes it writes a checkpoint, and a sheet of pictures with their renderings.
    """

    def __init__(self, work: Path, begin: Path) -> None:
        self._work = work
        self._network = TrainableStyleGAN2(CHANNELS, W_DIM, USED, FIRST_FINE, hints=(9, HINTED))
        self._network.load_finished(load_file(begin))
        self.averaged = copy.deepcopy(self._network).requires_grad_(False)
        self._critic = Critic(9)
        self._adam = torch.optim.Adam(self._network.parameters(), lr=RATES[0], betas=(0.5, 0.99))
        self._critic_adam = torch.optim.Adam(self._critic.parameters(), lr=CRITIC_RATE, betas=(0.0, 0.99))
        self._scenes = Scenes()
        self._steps = 0
        self._checkpoint = work / "checkpoint.pt"
        if self._checkpoint.is_file():
            self._restore(torch.load(self._checkpoint, weights_only=True))

    def run(self, steps: int) -> None:
        """Train until that many steps have been taken."""
        kept, begun, recent = time.monotonic(), time.monotonic(), np.zeros(4)
        first = self._steps
        while self._steps < steps:
            rate = RATES[0] * (RATES[1] / RATES[0]) ** (self._steps / steps) * min(1.0, (self._steps + 10) / 100)
            for group in self._adam.param_groups:
                group["lr"] = rate
            recent += 0.02 * (np.array(self._step()) - recent)
            if time.monotonic() - kept > _KEPT_EVERY or self._steps == steps:
                kept = time.monotonic()
                torch.save(self._state(), self._checkpoint)
                made, wanted = self._sheet()
                print(
                    f"{self._steps} steps, {(kept - begun) / (self._steps - first):.2f} s each; "
                    f"regression {recent[0]:.3f}, feature matching {recent[1]:.3f}, adversarial {recent[2]:.3f}, "
                    f"critic {recent[3]:.3f}; {psnr(self.averaged, SIDE):.2f} dB, "
                    f"sharpness {fine_energy(made) / fine_energy(wanted):.2f} of the renderer's",
                    flush=True,
                )

    def _step(self) -> tuple[float, float, float, float]:
        # Every step draws from a generator of its own, so that a resumed training sees what it would have seen.
        drawn = np.random.default_rng((SIDE, self._steps)).integers(SCENES, size=BATCH)
        z, light, wanted = self._scenes.batch(drawn)
        scene = torch.from_numpy(np.tanh(HINTS_SHARPNESS * shapes_of(layout_of(z), SCENE_SIDE).distances))
        w = self._network.map(torch.from_numpy(np.concatenate((z, light))))
        made, readings = self._network(w[:BATCH], w[BATCH:], SIDE)
        critic = self._teach_critic(made[SIDE].detach(), wanted, scene)

        picture = made[SIDE].detach().requires_grad_()
        regression = difference(picture, wanted)
        gradient = _gradient(regression, picture)
        length = gradient.norm() * min(1.0, self._steps / RAMP)
        with torch.no_grad():
            as_rendered = self._critic(wanted, scene)
        output = self._critic(picture, scene)
        matching, adversarial = feature_matching_loss(output, as_rendered), loss_as_real(output)
        for loss, share in ((matching, MATCHING), (adversarial, ADVERSARIAL)):
            own = _gradient(loss, picture)
            gradient = gradient + own * (share * length / (own.norm() + 1e-12))
        auxiliary_loss = 0.25 * difference(made[SIDE // 2], F.avg_pool2d(wanted, 2))
        for side, reading in readings.items():
            auxiliary_loss = (
                auxiliary_loss + HINTS_WEIGHT * (reading - F.avg_pool2d(scene, SCENE_SIDE // side)).square().mean()
            )
        self._adam.zero_grad()
        torch.autograd.backward((made[SIDE], auxiliary_loss), (gradient, torch.ones(())))
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._adam.step()
        decay = min(DECAY, (1 + self._steps) / (10 + self._steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self._network.parameters()), 1 - decay)
        self._steps += 1
        return regression.item(), matching.item(), adversarial.item(), critic

    def _teach_critic(self, made: Tensor, wanted: Tensor, scene: Tensor) -> float:
        loss = loss_as_generated(self._critic(made, scene)) + loss_as_real(self._critic(wanted, scene))
        value = loss.item()
        if self._steps % R1_EVERY == 0:
            loss = loss + (0.5 * R1 * R1_EVERY) * r1_penalty(self._critic, wanted, scene)
        self._critic_adam.zero_grad()
        loss.backward()
        self._critic_adam.step()
        return value

    @torch.no_grad()
    def _sheet(self) -> tuple[Tensor, Tensor]:
        """Write sheet.png: 24 pictures of held-out scenes and their renderings. Returns both, [24, 3, S, S]."""
        z, light = np.random.default_rng(5).standard_normal((2, 24, W_DIM)).astype(np.float32)
        network = self.averaged
        made = network(network.map(torch.from_numpy(z)), network.map(torch.from_numpy(light)), SIDE)[0][SIDE].clamp(
            -1, 1
        )
        wanted = rendered(z, light, SIDE)
        rows = [torch.cat(list(row), 2) for i in (0, 8, 16) for row in (wanted[i : i + 8], made[i : i + 8])]
        sheet = ((torch.cat(rows, 1).permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8)
        Image.fromarray(sheet.numpy()).save(self._work / "sheet.png")
        return made, wanted

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "critic": self._critic.state_dict(),
            "adam": self._adam.state_dict(),
            "critic_adam": self._critic_adam.state_dict(),
            "steps": self._steps,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._critic.load_state_dict(state["critic"])
        self._adam.load_state_dict(state["adam"])
        self._critic_adam.load_state_dict(state["critic_adam"])
        self._steps = state["steps"]


class Scenes:
    """The training set, kept in memory as bytes."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[np.ndarray, Tensor]] = {}

    def batch(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Return `z`, the light's `z` [N, D] and pictures [N, 3, S, S] of the scenes of those numbers."""
        for number in numbers.tolist():
            if number not in self._kept:
                pair = np.random.default_rng((SIDE, 1, number)).standard_normal((2, W_DIM)).astype(np.float32)
                picture = rendered(pair[:1], pair[1:], SIDE)[0]
                self._kept[number] = pair, ((picture + 1) * 127.5).round().to(torch.uint8)
        pairs, pictures = zip(*(self._kept[number] for number in numbers.tolist()), strict=True)
        z, light = np.stack(pairs, 1)
        return z, light, torch.stack(pictures).float() / 127.5 - 1


def fine_energy(pictures: Tensor) -> float:
    """Return the energy of detail finer than two pixels of pictures [N, 3, S, S]: a measure of sharpness."""
    finer = pictures - F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2.0, mode="bilinear")
    return float(finer.square().mean())


def _gradient(loss: Tensor, picture: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, picture, retain_graph=True)
    return found


def _arguments() -> argparse.Namespace:
    shipped = shipped_networks_folder("generators") / "landscapes.safetensors"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/landscapes-sharpening"), help="for the checkpoint")
    parser.add_argument("--begin", type=Path, default=shipped, help="the generator to start from")
    parser.add_argument("--steps", type=int, default=2600, help="of training in all (default: 2600)")
    parser.add_argument("--out", type=Path, default=shipped)
    return parser.parse_args()


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
