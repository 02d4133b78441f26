"""Makes models/faces-heads.safetensors: pictures of 256² and 512² from the middle of the generator, by distillation.

Each head starts as the generator's own remaining layers reduced to their low wavelet band, and is then trained on the
squared error against the averaged full picture. Styles are mixed in half of the samples, as the program does.
Run with the generator installed: python scripts/fit_picture_heads.py [--minutes M] [--side 256|512]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import cast

import openvino
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.mobile_stylegan import Block, MobileStyleGAN, PictureHead, StyledConv, product_of_affines
from smis_desktop.generators.store import open_generator
from smis_desktop.resources import models_folder

HELD_OUT = range(10_000, 10_024)
FIRST_TRAINED_SEED = 100_000
WIDTHS = {128: (64, 128, 32, 64, 64), 256: (32, 64, 64), 512: (24,)}


def main() -> None:
    arguments = _arguments()
    generator = cast(MobileStyleGAN, open_generator("faces"))
    target = models_folder() / "faces-heads.safetensors"
    stored = load_file(target) if target.is_file() else {}
    side: int = arguments.side
    head = begin(generator, side)
    known = {key.removeprefix(f"{side}."): value for key, value in stored.items() if key.startswith(f"{side}.")}
    if known:
        head.load_state_dict(known)
    teach = teacher(generator, side)
    print(f"{side}², before: {words(psnr(generator, head, teach))}", flush=True)
    train(generator, head, teach, 60 * arguments.minutes, arguments.rate)
    print(f"{side}², after: {words(psnr(generator, head, teach))}", flush=True)
    fresh = {f"{side}.{key}": value.contiguous() for key, value in head.state_dict().items()}
    save_file(stored | fresh, target)


def begin(generator: MobileStyleGAN, side: int) -> PictureHead:
    """Return the generator's own layers behind the first convolution at `side`, low bands only."""
    index = generator.block_at(side)
    head = generator.blank_head(side, WIDTHS[side])
    own = [cast(Block, block) for block in generator.blocks]
    layers = [own[index].conv2]
    for block in own[index + 1 :]:
        layers += [block.conv1, block.conv2]
    w = generator.w_avg
    with torch.no_grad():
        for conv, layer, width in zip(head.convs, layers, WIDTHS[side], strict=True):
            _take(cast(StyledConv, conv), layer, width, side)
        for later, block in enumerate(own[index + 1 :]):  # upsampling scales the low band before it is averaged
            conv = cast(StyledConv, head.convs[1 + 2 * later])
            weight, bias = product_of_affines(block.up, block.conv1.affine, w)
            conv.affine.weight.copy_(weight / 2)
            conv.affine.bias.copy_(bias / 2)
        width = WIDTHS[side][-1]
        head.to_rgb_affine.weight.copy_(generator.head.affine.weight[:width])
        head.to_rgb_affine.bias.copy_(generator.head.affine.bias[:width])
        head.to_rgb.weight.copy_(generator.head.weight[:3, :width] / 2)
        head.to_rgb.bias.copy_(generator.head.bias[:3] / 2)
    return head


def _take(conv: StyledConv, layer: StyledConv, width: int, side: int) -> None:
    for name in ("weight", "bias"):
        getattr(conv.affine, name).copy_(getattr(layer.affine, name))
    assert conv.depthwise is not None
    assert layer.depthwise is not None
    conv.depthwise.copy_(layer.depthwise)
    conv.weight.copy_(layer.weight[:width])
    conv.bias.copy_(layer.bias[:width])
    conv.noise.copy_(F.interpolate(layer.noise, size=(side, side), mode="area"))


class _Teacher(nn.Module):
    """The input of a head, and the picture that it should return."""

    def __init__(self, generator: MobileStyleGAN, side: int) -> None:
        super().__init__()
        self.generator, self.side, self.index = generator, side, generator.block_at(side)

    def forward(self, ws: Tensor) -> tuple[Tensor, Tensor]:
        generator = self.generator
        x = generator.first(generator.constant.expand(1, -1, -1, -1), ws[:, 0])
        for i, block in enumerate(generator.blocks):
            if i == self.index:
                read = cast(Block, block).first_half(x, ws[:, 2 * i + 1])
            x = block(x, ws[:, 2 * i + 1], ws[:, 2 * i + 2])
        picture = generator.head(x, ws[:, -1]).clamp(-1, 1)
        return read, F.avg_pool2d(picture, picture.shape[2] // self.side)


def teacher(generator: MobileStyleGAN, side: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return a compiled teacher: an eager full picture takes four times as long."""
    example = torch.zeros(1, generator.num_ws, generator.w_dim)
    converted = openvino.convert_model(_Teacher(generator, side), example_input=example, input=example.shape)
    compiled = openvino.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def teach(ws: Tensor) -> tuple[Tensor, Tensor]:
        read, picture = compiled(ws.numpy()).values()
        return torch.from_numpy(read), torch.from_numpy(picture)

    return teach


def drawn(generator: MobileStyleGAN, seed: int, truncation: float | None = None) -> Tensor:
    """Draw `ws` [1, num_ws, D]; in every second one, the fine slots are those of another `w`."""
    draws = torch.Generator().manual_seed(seed)
    psi = 0.5 + 0.5 * torch.rand((), generator=draws).item() if truncation is None else truncation
    w = generator.mapping(torch.randn(2, generator.w_dim, generator=draws), psi)
    ws = generator.broadcast(w[:1]).clone()
    if seed % 2:
        ws[:, generator.fine_slots.start :] = w[1]
    return ws


def train(
    generator: MobileStyleGAN,
    head: PictureHead,
    teach: Callable[[Tensor], tuple[Tensor, Tensor]],
    seconds: float,
    rate: float,
) -> None:
    started, seed, recent = time.monotonic(), FIRST_TRAINED_SEED + int(time.time()) % 10**6, []
    noise = [p for name, p in head.named_parameters() if name.endswith("noise")]
    others = [p for name, p in head.named_parameters() if not name.endswith("noise")]
    adam = torch.optim.Adam([{"params": others}, {"params": noise}], lr=rate, betas=(0.9, 0.99))
    while (spent := (time.monotonic() - started) / seconds) < 1:
        for group in adam.param_groups:
            group["lr"] = rate * min(1.0, len(recent) / 30) * (1 - spent) ** 0.8
        with torch.no_grad():
            ws = drawn(generator, seed)
            read, picture = teach(ws)
        loss = (head(read, ws) - picture).square().mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        adam.step()
        seed += 1
        recent.append(loss.item())
        if len(recent) % 50 == 0:
            mean = torch.tensor(recent[-50:]).mean()
            print(f"{len(recent)} pictures, {spent:.0%}: {10 * torch.log10(4 / mean):.2f} dB", flush=True)


@torch.no_grad()
def psnr(generator: MobileStyleGAN, head: PictureHead, teach: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
    """Return the PSNR in dB on pictures that were never trained on, with truncation 0.7."""
    found = []
    for seed in HELD_OUT:
        ws = drawn(generator, seed, 0.7)
        read, picture = teach(ws)
        found.append(10 * torch.log10(4 / (head(read, ws).clamp(-1, 1) - picture).square().mean()))
    return torch.stack(found)


def words(values: Tensor) -> str:
    plain, mixed = values[::2].mean(), values[1::2].mean()
    return f"mean {values.mean():.2f} dB, worst {values.min():.2f} (one style {plain:.2f}, mixed {mixed:.2f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, choices=list(WIDTHS), default=256)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=5e-5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
