"""A trainable StyleGAN2: weights under the equalised learning rate, bfloat16 inside, a network that grows.

`smis_desktop/generators/stylegan2.py` runs finished networks; this is the same arithmetic for training on a
processor. Styles scale activations, upsampling convolutions are run as four ordinary ones (the filter folded into their
kernels), and the two elementwise steps have gradients written out, because they would otherwise take longer than the
convolutions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK, GAIN = 0.2, 2**0.5
_LAST = torch.channels_last


class Linear(nn.Module):
    """A linear layer whose weights are drawn with unit variance and scaled when used (Karras et al. 2018, section
    4.1)."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, speed: float = 1.0) -> None:
        """speed: how many times faster than others it learns."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / speed)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain = speed * inputs**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.gain, self.bias)


class Affine(Linear):
    """`w` → styles. They start near 1, so that nothing irrelevant has to be unlearned."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__(w_dim, channels, 1.0, speed=4.0)
        with torch.no_grad():
            self.weight.mul_(0.2)


class ModulatedConv(nn.Module):
    """As `generators.stylegan2.ModulatedConv`; the noise, a constant, is learned like any weight."""

    def __init__(self, w_dim: int, inputs: int, outputs: int, side: int, up: bool) -> None:
        super().__init__()
        self.affine = Affine(w_dim, inputs)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise = nn.Parameter(0.1 * torch.randn(1, 1, side, side))
        self.gain = (9 * inputs) ** -0.5
        self.up = up

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style, weight = self.affine(w), self.weight * self.gain
        demodulation = (F.linear(style.square(), weight.square().sum((2, 3))) + 1e-8).rsqrt()
        x = _Scaled.apply(x, style)
        kernel = (upsampling_kernel(weight) if self.up else weight).to(x.dtype).contiguous(memory_format=_LAST)
        x = F.conv2d(x, kernel, padding=1)
        if self.up:
            x = F.pixel_shuffle(x, 2).contiguous(memory_format=_LAST)
        activated: Tensor = _Activated.apply(x, demodulation, self.noise, self.bias)
        return activated


class ToRGB(nn.Module):
    """As `generators.stylegan2.ToRGB`."""

    def __init__(self, w_dim: int, inputs: int) -> None:
        super().__init__()
        self.affine = Affine(w_dim, inputs)
        self.weight = nn.Parameter(0.5 * torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.gain = inputs**-0.5

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = F.conv2d(_Scaled.apply(x, self.affine(w)), (self.weight * self.gain).to(x.dtype))
        return x.float() + self.bias[:, None, None]


class Block(nn.Module):
    """A block that doubles the side."""

    def __init__(self, w_dim: int, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.conv1 = ModulatedConv(w_dim, inputs, outputs, side, up=True)
        self.conv2 = ModulatedConv(w_dim, outputs, outputs, side, up=False)
        self.rgb = ToRGB(w_dim, outputs)


class Mapping(nn.Module):
    """`z` → `w`. It begins as a basis of hinges: each number of `w` bends one of the used numbers of `z`, up or down,
    at one of seven places."""

    def __init__(self, w_dim: int, used: Sequence[int]) -> None:
        """used: which numbers of `z` carry information."""
        super().__init__()
        self.layers = nn.ModuleList(Linear(w_dim, w_dim) for _ in range(2))
        own = torch.arange(w_dim)
        turn = own // len(used)
        with torch.no_grad():
            first, second = self.layers[0], self.layers[1]
            first.weight.zero_()
            first.weight[own, torch.tensor(used)[own % len(used)]] = torch.where(turn % 2 == 0, 1.0, -1.0) / first.gain
            first.bias.copy_(torch.linspace(-1.5, 1.5, 7)[(turn // 2) % 7])
            second.weight.mul_(0.02)
            second.weight[own, own] += 1 / second.gain

    def forward(self, z: Tensor) -> Tensor:
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            w = F.leaky_relu(layer(w), LEAK) * GAIN
        return w


class TrainableStyleGAN2(nn.Module):
    """Two `w` a picture: one says what stands where, the other acts in slots from `first_fine` on and in every RGB.

    Pictures of 16² and 32² serve training alone (the finished network's RGB is silent there), so that nothing but fine
    slots can decide colours.
    """

    def __init__(
        self,
        channels: Sequence[int],
        w_dim: int,
        used: Sequence[int],
        first_fine: int,
        hints: tuple[int, Sequence[int]],
    ) -> None:
        """channels[i]: width at side 4·2ⁱ. hints: how many numbers linear readings predict for each pixel, at which
        sides. used: as in `Mapping`."""
        super().__init__()
        self.channels, self.first_fine = tuple(channels), first_fine
        self.map = Mapping(w_dim, used)
        self.constant = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.first = ModulatedConv(w_dim, channels[0], channels[0], 4, up=False)
        self.blocks = nn.ModuleList(
            Block(w_dim, channels[i], channels[i + 1], 8 * 2**i) for i in range(len(channels) - 1)
        )
        count, sides = hints
        self.readings = nn.ModuleDict({str(side): nn.Conv2d(channels[_level(side)], count, 1) for side in sides})
        self.register_buffer("filter", torch.outer(_FIR, _FIR) / 4)

    def forward(self, w: Tensor, w_light: Tensor, side: int) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """`w`, `w_light` [N, D] → pictures {s: [N, 3, s, s]} of 16² up to side², and what is read off the features,
        {s: [N, count, s, s]}."""
        x = self.constant.expand(len(w), -1, -1, -1).bfloat16().contiguous(memory_format=_LAST)
        x = self.first(x, w)
        found: dict[int, Tensor] = {}
        readings: dict[int, Tensor] = {}
        for i, block in enumerate(self.blocks):
            own_side = 8 * 2**i
            if own_side > side:
                break
            x = block.conv1(x, w_light if 2 * i + 1 >= self.first_fine else w)
            x = block.conv2(x, w_light if 2 * i + 2 >= self.first_fine else w)
            if str(own_side) in self.readings:
                reading = self.readings[str(own_side)]
                readings[own_side] = F.conv2d(x, reading.weight.to(x.dtype)).float() + reading.bias[:, None, None]
            if own_side < 16:
                continue
            picture = block.rgb(x, w_light)
            if 2 * i + 1 >= self.first_fine:  # RGB adds up past the side that fine slots begin at
                kernel = (4 * self.filter).expand(3, 1, -1, -1)
                picture = picture + F.conv_transpose2d(found[own_side // 2], kernel, stride=2, padding=1, groups=3)
            found[own_side] = picture
        return found, readings

    @torch.no_grad()
    def grow(self, side: int) -> None:
        """Begin the block at `side` as the enlarged one before it, so that its first pictures are the same."""
        old, new = self.blocks[_level(side) - 2], self.blocks[_level(side) - 1]
        width = len(new.conv2.bias)
        kept = old.rgb.weight[:, :, 0, 0].abs().sum(0)
        if str(side // 2) in self.readings:
            read = self.readings[str(side // 2)].weight[:, :, 0, 0].abs().sum(0)
            kept = kept / kept.mean() + read / read.mean()
        chosen = kept.argsort(descending=True)[:width]
        for conv, source in ((new.conv1, chosen), (new.conv2, torch.arange(width))):
            conv.weight.mul_(0.06)
            conv.weight[torch.arange(width), source, 1, 1] += 1 / conv.gain
            conv.affine.weight.mul_(0.25)
            conv.noise.mul_(0.2)
        # Lifted above zero in between, where the activation is straight, and set down again.
        new.conv1.bias.fill_(_LIFT)
        new.conv2.bias.fill_(-_LIFT * GAIN)
        if 2 * (_level(side) - 1) + 1 >= self.first_fine:
            new.rgb.weight.mul_(0.02)  # RGB adds up here: what is there already goes on
            return
        new.rgb.weight.copy_(old.rgb.weight[:, chosen] * old.rgb.gain / new.rgb.gain / 2)
        new.rgb.bias.copy_(old.rgb.bias)
        new.rgb.affine.weight.copy_(old.rgb.affine.weight[chosen])
        new.rgb.affine.bias.copy_(old.rgb.affine.bias[chosen])
        if str(side) in self.readings and str(side // 2) in self.readings:
            self.readings[str(side)].weight.copy_(self.readings[str(side // 2)].weight[:, chosen] / 2)
            self.readings[str(side)].bias.copy_(self.readings[str(side // 2)].bias)

    @torch.no_grad()
    def load_finished(self, weights: dict[str, Tensor]) -> None:
        """Load a finished network, the inverse of `finished`. Weights that it does not hold are reset: readings start
        at zero."""
        for name, module in self.named_modules():
            if isinstance(module, Linear | ModulatedConv | ToRGB):
                module.weight.copy_(weights[f"{name}.weight"] / module.gain)
                module.bias.copy_(weights[f"{name}.bias"])
            if isinstance(module, ModulatedConv):
                module.noise.copy_(weights[f"{name}.noise"])
        self.constant.copy_(weights["constant"])
        for parameter in self.readings.parameters():
            parameter.zero_()

    def finished(self) -> dict[str, Tensor]:
        """Return the effective weights under `generators.stylegan2.StyleGAN2`'s names."""
        weights = {"limit": torch.tensor(math.inf), "filter": self.get_buffer("filter")}
        for name, module in self.named_modules():
            if isinstance(module, Linear | ModulatedConv | ToRGB):
                weights |= {f"{name}.weight": module.weight * module.gain, f"{name}.bias": module.bias}
            if isinstance(module, ModulatedConv):
                weights[f"{name}.noise"] = module.noise
        weights["constant"] = self.constant
        width, w_dim = self.channels[0], self.map.layers[0].weight.shape[0]
        silent = {f"blocks.{i}.rgb" for i in range(len(self.blocks)) if 2 * i + 3 < self.first_fine}
        weights |= {
            "first_rgb.affine.weight": torch.zeros(width, w_dim),
            "first_rgb.affine.bias": torch.zeros(width),
            "first_rgb.weight": torch.zeros(3, width, 1, 1),
            "first_rgb.bias": torch.zeros(3),
        }
        for name in weights:
            if name.rpartition(".")[0] in silent:
                weights[name] = torch.zeros_like(weights[name])
        return {name: tensor.detach().contiguous() for name, tensor in weights.items()}


def _level(side: int) -> int:
    """Return the index of a side: 0 for 4², 1 for 8², …"""
    return side.bit_length() - 3


def upsampling_kernel(weight: Tensor) -> Tensor:
    """[O, I, 3, 3] → [4·O, I, 3, 3]: a transposed convolution of stride 2 and the filter after it, as one convolution
    at the smaller side and `pixel_shuffle`."""
    outputs, inputs = weight.shape[:2]
    phases = (weight.reshape(-1, 9) @ _PHASES).reshape(outputs, inputs, 4, 9)
    return phases.transpose(1, 2).reshape(4 * outputs, inputs, 3, 3)


def _phases() -> Tensor:
    """Return [9, 36]: each tap of a 3×3 kernel, spread over the taps of the four phases."""
    taps = torch.eye(9).reshape(9, 1, 3, 3)
    whole = F.conv2d(taps, torch.outer(_FIR, _FIR)[None, None], padding=3)[:, 0]
    rows = [torch.tensor([phase + 2 - 2 * step for step in (-1, 0, 1)]) for phase in (0, 1)]
    return torch.stack([whole[:, row[:, None], column[None]] for row in rows for column in rows], 1).reshape(9, 36)


_LIFT = 0.4
_FIR = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
_PHASES = _phases()


def _rows(x: Tensor) -> Tensor:
    """Rearrange [N, C, H, W], channels last in memory, to [N, H·W, C] of the same numbers."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1])


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    n, channels, height, width = like.shape
    return rows.view(n, height, width, channels).permute(0, 3, 1, 2)


def _column_sums(rows: Tensor) -> Tensor:
    """Sum [N, P, C] to float32 [N, C]; a matrix product adds in float32 for any type of input."""
    return torch.bmm(rows.new_ones(len(rows), 1, rows.shape[1]), rows)[:, 0].float()


class _Scaled(torch.autograd.Function):
    """x [N, C, H, W] times a style [N, C]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, style: Tensor) -> Tensor:
        rows = _rows(x)
        ctx.save_for_backward(rows, style)
        return _maps(rows * style.to(x.dtype)[:, None], x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        rows, style = ctx.saved_tensors
        own = _rows(gradient)
        return _maps(own * style.to(own.dtype)[:, None], gradient), _column_sums(own * rows)


class _Activated(torch.autograd.Function):
    """x [N, C, H, W] times demodulation [N, C], plus noise [1, 1, H, W] and bias [C], then LeakyReLU with its gain."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, demodulation: Tensor, noise: Tensor, bias: Tensor) -> Tensor:
        rows = _rows(x)
        found = rows * demodulation.to(x.dtype)[:, None]
        found += (noise.reshape(1, -1, 1) + bias).to(x.dtype)
        found = F.leaky_relu_(found, LEAK).mul_(GAIN)
        ctx.save_for_backward(rows, demodulation, found)
        return _maps(found, x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rows, demodulation, found = ctx.saved_tensors
        own = torch.ops.aten.leaky_relu_backward(_rows(gradient), found, LEAK, False).mul_(GAIN)
        channels, height, width = gradient.shape[1:]
        noise = (own @ own.new_ones(channels, 1)).float().sum(0).reshape(1, 1, height, width)
        bias, scale = _column_sums(own).sum(0), _column_sums(own * rows)
        return _maps(own.mul_(demodulation.to(own.dtype)[:, None]), gradient), scale, noise, bias
