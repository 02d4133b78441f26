"""The two published StyleGAN2 once more, run from the tensors that their files keep: random ones of any size, and their
pictures.

It shares no arithmetic with `smis_desktop`: gains of the equalised learning rate are applied at run time, weights are
modulated and demodulated for the picture at hand (Karras et al. 2020, arXiv 1912.04958, equations 1 to 3), and what is
enlarged is enlarged by putting zeros in between. Precision is that of the tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]
FIR = torch.tensor([1.0, 3.0, 3.0, 1.0])
W_DIM, DEPTH, RATE = 512, 8, 0.01


def widths(side: int, most: int = 512, base: int = 1 << 15) -> dict[int, int]:
    """Channels by side: config-f as it stands, the slim one with half the base."""
    return {4 << i: min(most, base // (4 << i)) for i in range(side.bit_length() - 2)}


def nvidia_random(channels: Mapping[int, int], seed: int) -> dict[str, Tensor]:
    """Parameters and buffers of a `G_ema`."""
    draw = _Draw(seed)
    state = {"mapping.w_avg": draw(W_DIM, times=0.1), "synthesis.b4.const": draw(channels[4], 4, 4)}
    for i in range(DEPTH):
        state[f"mapping.fc{i}.weight"] = draw(W_DIM, W_DIM, times=1 / RATE)
        state[f"mapping.fc{i}.bias"] = draw(W_DIM, times=0.1 / RATE)
    for side, width in channels.items():
        before = channels.get(side // 2, width)
        for layer, inputs in (("conv0", before), ("conv1", width)):
            if side == 4 and layer == "conv0":
                continue
            name = f"synthesis.b{side}.{layer}"
            state |= {f"{name}.{key}": value for key, value in _layer(draw, inputs, width, 3).items()}
            state[f"{name}.noise_const"] = draw(side, side)
            state[f"{name}.noise_strength"] = draw().squeeze() * 0.1
            state[f"{name}.resample_filter"] = torch.outer(FIR, FIR) / 64
        state |= {f"synthesis.b{side}.torgb.{key}": value for key, value in _layer(draw, width, 3, 1).items()}
        state[f"synthesis.b{side}.resample_filter"] = torch.outer(FIR, FIR) / 64
    return state


def rosinality_random(channels: Mapping[int, int], seed: int) -> dict[str, Tensor]:
    """What a `g_ema` holds."""
    draw = _Draw(seed)
    state = {"input.input": draw(1, channels[4], 4, 4)}
    for i in range(1, DEPTH + 1):
        state[f"style.{i}.weight"] = draw(W_DIM, W_DIM, times=1 / RATE)
        state[f"style.{i}.bias"] = draw(W_DIM, times=0.1 / RATE)

    def conv(name: str, inputs: int, outputs: int, kernel: int) -> None:
        own = _layer(draw, inputs, outputs, kernel)
        state[f"{name}.conv.weight"] = own["weight"][None]
        state[f"{name}.conv.modulation.weight"] = own["affine.weight"]
        state[f"{name}.conv.modulation.bias"] = own["affine.bias"]
        if kernel == 1:
            state[f"{name}.bias"] = own["bias"].view(1, 3, 1, 1)
            return
        state[f"{name}.activate.bias"] = own["bias"]
        state[f"{name}.noise.weight"] = draw(1, times=0.1)

    conv("conv1", channels[4], channels[4], 3)
    conv("to_rgb1", channels[4], 3, 1)
    state["noises.noise_0"] = draw(1, 1, 4, 4)
    for i, (side, width) in enumerate(list(channels.items())[1:]):
        conv(f"convs.{2 * i}", channels[side // 2], width, 3)
        conv(f"convs.{2 * i + 1}", width, width, 3)
        conv(f"to_rgbs.{i}", width, 3, 1)
        state[f"convs.{2 * i}.conv.blur.kernel"] = state[f"to_rgbs.{i}.upsample.kernel"] = torch.outer(FIR, FIR) / 16
        for half in (1, 2):
            state[f"noises.noise_{2 * i + half}"] = draw(1, 1, side, side)
    return state


def nvidia_w(p: State, z: Tensor) -> Tensor:
    """`z` [N, D] → `w` [N, D]."""
    return _mapped(z, [(p[f"mapping.fc{i}.weight"], p[f"mapping.fc{i}.bias"]) for i in range(DEPTH)])


def rosinality_w(p: State, z: Tensor) -> Tensor:
    """`z` [N, D] → `w` [N, D]."""
    return _mapped(z, [(p[f"style.{i}.weight"], p[f"style.{i}.bias"]) for i in range(1, DEPTH + 1)])


def nvidia_picture(p: State, ws: Tensor) -> Tensor:
    """`ws` [num_ws, D] → picture [3, R, R]."""
    sides = sorted(int(key.split(".")[1][1:]) for key in p if key.endswith(".torgb.bias"))

    def style(name: str, w: Tensor) -> Tensor:
        return p[f"{name}.affine.weight"] @ w / math.sqrt(len(w)) + p[f"{name}.affine.bias"]

    def conv(x: Tensor, name: str, w: Tensor, fir: Tensor | None) -> Tensor:
        noise = p[f"{name}.noise_const"] * p[f"{name}.noise_strength"]
        return _convolved(x, p[f"{name}.weight"], style(name, w), noise, p[f"{name}.bias"], fir)

    def rgb(x: Tensor, name: str, w: Tensor) -> Tensor:
        weight = p[f"{name}.weight"]
        return _coloured(x, weight, style(name, w) / math.sqrt(weight[0].numel()), p[f"{name}.bias"])

    x = conv(p["synthesis.b4.const"], "synthesis.b4.conv1", ws[0], None)
    picture = rgb(x, "synthesis.b4.torgb", ws[1])
    for i, side in enumerate(sides[1:]):
        block = f"synthesis.b{side}"
        x = conv(x, f"{block}.conv0", ws[2 * i + 1], 4 * p[f"{block}.conv0.resample_filter"])
        x = conv(x, f"{block}.conv1", ws[2 * i + 2], None)
        larger = _filtered(_zeros_between(picture), 4 * p[f"{block}.resample_filter"], 2, 1)
        picture = larger + rgb(x, f"{block}.torgb", ws[2 * i + 3])
    return picture


def rosinality_picture(p: State, ws: Tensor) -> Tensor:
    """`ws` [num_ws, D] → picture [3, R, R]."""
    count = sum(key.startswith("to_rgbs.") and key.endswith(".bias") and "modulation" not in key for key in p)

    def style(name: str, w: Tensor) -> Tensor:
        return p[f"{name}.conv.modulation.weight"] @ w / math.sqrt(len(w)) + p[f"{name}.conv.modulation.bias"]

    def conv(x: Tensor, name: str, number: int, w: Tensor, fir: Tensor | None) -> Tensor:
        weight = p[f"{name}.conv.weight"][0]
        noise = p[f"noises.noise_{number}"][0, 0] * p[f"{name}.noise.weight"]
        scaled = weight / math.sqrt(weight[0].numel())
        return _convolved(x, scaled, style(name, w), noise, p[f"{name}.activate.bias"], fir)

    def rgb(x: Tensor, name: str, w: Tensor) -> Tensor:
        weight = p[f"{name}.conv.weight"][0]
        return _coloured(x, weight / math.sqrt(weight[0].numel()), style(name, w), p[f"{name}.bias"].flatten())

    x = conv(p["input.input"][0], "conv1", 0, ws[0], None)
    picture = rgb(x, "to_rgb1", ws[1])
    for i in range(count):
        x = conv(x, f"convs.{2 * i}", 2 * i + 1, ws[2 * i + 1], p[f"convs.{2 * i}.conv.blur.kernel"])
        x = conv(x, f"convs.{2 * i + 1}", 2 * i + 2, ws[2 * i + 2], None)
        larger = _filtered(_zeros_between(picture), p[f"to_rgbs.{i}.upsample.kernel"], 2, 1)
        picture = larger + rgb(x, f"to_rgbs.{i}", ws[2 * i + 3])
    return picture


class _Draw:
    """Normal numbers, one tensor after the other."""

    def __init__(self, seed: int) -> None:
        self._random = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, times: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=self._random) * times


def _layer(draw: Callable[..., Tensor], inputs: int, outputs: int, kernel: int) -> dict[str, Tensor]:
    return {
        "weight": draw(outputs, inputs, kernel, kernel),
        "bias": draw(outputs, times=0.1),
        "affine.weight": draw(inputs, W_DIM, times=0.3),
        "affine.bias": 1 + draw(inputs, times=0.1),
    }


def _mapped(z: Tensor, layers: list[tuple[Tensor, Tensor]]) -> Tensor:
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for weight, bias in layers:
        x = _activated(x @ (weight * (RATE / math.sqrt(x.shape[1]))).T + bias * RATE)
    return x


def _convolved(x: Tensor, weight: Tensor, style: Tensor, noise: Tensor, bias: Tensor, fir: Tensor | None) -> Tensor:
    """fir: of a layer that doubles the side."""
    weight = weight * style[None, :, None, None]
    weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if fir is None:
        x = F.conv2d(x[None], weight, padding=1)[0]
    else:
        wide = F.pad(_zeros_between(x)[:, :-1, :-1], (2, 2, 2, 2))
        x = _filtered(F.conv2d(wide[None], weight.flip(2, 3))[0], fir, 1, 1)
    return _activated(x + noise + bias[:, None, None])


def _coloured(x: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x[None], weight * style[None, :, None, None], bias)[0]


def _activated(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.2 * x, x) * math.sqrt(2)


def _zeros_between(x: Tensor) -> Tensor:
    wide = x.new_zeros(x.shape[0], 2 * x.shape[1], 2 * x.shape[2])
    wide[:, ::2, ::2] = x
    return wide


def _filtered(x: Tensor, fir: Tensor, before: int, after: int) -> Tensor:
    """Every channel convolved with `fir`, with that many zeros before and after it along both sides."""
    wide = F.pad(x, (before, after, before, after))
    return F.conv2d(wide[:, None], fir.flip(0, 1)[None, None])[:, 0]
