"""Layers that both architectures share: mapping network, wavelets, region blending, precision, frozen weights.

A styled convolution scales the channels that come in by its style and then convolves. Where the scales vary over the
picture, every place is drawn in its own style and the convolution blends them, so one run of the network serves any
number of styles. (Collins et al. 2020, arXiv 2004.14367, edit by interpolating the same scales for a whole picture.)

bfloat16 keeps float32's range and eight bits of its mantissa; processors with matrix tiles and graphics cards multiply
it several times as fast. Weights that learn, optimisers and losses stay in float32 everywhere.

On a processor, layers whose weights are not trained are computed by functions of our own, with their gradients in the
inputs and styles: about twice as fast as torch's (docs/experiments/frozen-layers.md).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Precision = Literal["float32", "bfloat16"]
Network = TypeVar("Network", bound=nn.Module)
LEAK = 0.2
"""Slope of every LeakyReLU below zero."""


def freeze(network: Network) -> Network:
    """Put the network in evaluation mode without gradients for its parameters, and return it."""
    return network.eval().requires_grad_(False)


def autocast_to(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which networks on `device` compute in that precision; gradients use that of the forward
    pass."""
    if precision == "float32":
        return nullcontext()
    # A cache of cast weights would go stale when an optimiser steps within the same block.
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)


def in_float32(x: Tensor) -> AbstractContextManager[object]:
    """Return a context for computing with `x` in float32, where bfloat16 would gain nothing or lose much."""
    device = x.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def is_bfloat16_on_cpu(x: Tensor) -> bool:
    """Return whether operations on `x` run in bfloat16 on the processor here."""
    return x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def current_precision(device: torch.device) -> Precision:
    """Return the precision that `autocast_to` has set in this thread; new threads begin in float32."""
    return "bfloat16" if torch.is_autocast_enabled(device.type) else "float32"


class MappingNetwork(nn.Module):
    """`z` → `w`: pixel norm, then linear layers with LeakyReLU and gain √2.

    Weights are the effective ones: gains of the equalised learning rate are already multiplied in.
    """

    def __init__(self, w_dim: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w_dim, w_dim) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        w = pixel_norm(z)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), LEAK) * 2**0.5
        return w


def pixel_norm(z: Tensor) -> Tensor:
    """Scale each row of [N, D] to a mean square of one."""
    return z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Affine(nn.Module):
    """`w` [N, 512] → channel scales [N, C, 1, 1]: StyleGAN's learned affine transform A."""

    def __init__(self, w_dim: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, w_dim))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, w: Tensor) -> Tensor:
        with in_float32(w):  # a scale's error applies to a whole channel
            return F.linear(w, self.weight, self.bias)[:, :, None, None]


def inverse_haar(x: Tensor) -> Tensor:
    """Apply one inverse orthonormal Haar step, [N, 4C, H, W] → [N, C, 2H, 2W].

    Channels 0…C-1 are the low band; channel C + 3c + k is high band k of output channel c: 0 changes sign
    down the rows, 1 along the columns, 2 in both.
    """
    n, channels, height, width = x.shape
    c = channels // 4
    low = x[:, :c]
    high = x[:, c:].unflatten(1, (c, 3))
    rows, columns, both = high.unbind(2)
    plus, minus = low + rows, low - rows
    sum_, difference = columns + both, columns - both
    corners = torch.stack((plus + sum_, plus - sum_, minus + difference, minus - difference), 2)
    return F.pixel_shuffle(corners.reshape(n, channels, height, width) * 0.5, 2)


def haar_matrix(channels: int) -> Tensor:
    """Return the step as a 1×1 convolution [C, C, 1, 1]: `inverse_haar(x) == pixel_shuffle(conv2d(x, haar_matrix(C)),
    2)`.

    `inverse_haar(x) == pixel_shuffle(conv2d(x, haar_matrix(C)), 2)`.
    """
    unit = torch.eye(channels)[:, :, None, None]
    return F.pixel_unshuffle(inverse_haar(unit), 2).transpose(0, 1).contiguous()


def band_order(channels: int) -> Tensor:
    """Return an order of `inverse_haar`'s input channels, int64 [4C], that groups them by band.

    `x[:, band_order(4C)]` holds C channels of the low band, then C of each high band `k` = 0, 1, 2.
    """
    c = channels // 4
    low = torch.arange(c)
    return torch.cat((low, *(c + 3 * low + k for k in range(3))))


def inverse_haar_of_bands(x: Tensor) -> Tensor:
    """Compute twice `inverse_haar`, for channels in `band_order`: no channel is gathered, nothing is halved."""
    low, rows, columns, both = x.chunk(4, 1)
    plus, minus = low + rows, low - rows
    sum_, difference = columns + both, columns - both
    corners = torch.cat((plus + sum_, plus - sum_, minus + difference, minus - difference), 1)
    n, channels, height, width = corners.shape
    c = channels // 4
    return corners.view(n, 2, 2, c, height, width).permute(0, 3, 4, 1, 5, 2).reshape(n, c, 2 * height, 2 * width)


@dataclass(frozen=True, eq=False)
class Regions:
    """Where each of K styles applies: `masks` float32 [K, 1, R, R] in [0, 1] that sum to 1 over K."""

    masks: Tensor

    def blend(self, values: Tensor, side: int) -> Tensor:
        """Blend one value per style and channel, [K, C, 1, 1], into maps [1, C, side, side]."""
        masks = F.adaptive_avg_pool2d(self.masks, side) if side <= self.masks.shape[-1] else _enlarged(self.masks, side)
        return torch.einsum("kc,khw->chw", values[:, :, 0, 0], masks[:, 0])[None]


def _enlarged(masks: Tensor, side: int) -> Tensor:
    return F.interpolate(masks, size=(side, side), mode="bilinear", align_corners=False)


def modulated(x: Tensor, scales: Tensor, regions: Regions | None) -> Tensor:
    """Multiply `x` [N, C, r, r] by `scales` [N, C, 1, 1]; with regions x is [1, C, r, r] and scales [K, C, 1, 1]."""
    return x * scales if regions is None else x * regions.blend(scales, x.shape[-1])


_LAST = torch.channels_last
ROWS_AT_ONCE = 1024
"""Rows of a matrix product that are computed at a time, so that they stay in the cache."""

_Context = Any  # torch's own type declares neither saved tensors nor further attributes


def supports_frozen_layers(x: Tensor, *weights: Tensor) -> bool:
    """Return whether the functions below apply: `x` is float32 on the processor, and the weights are not trained."""
    trains = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
    return x.device.type == "cpu" and x.dtype == torch.float32 and not trains


def depthwise(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve `x` [N, C, H, W] channel by channel with `kernel` [C, 1, 3, 3], zero-padded."""
    result: Tensor = _Depthwise.apply(x, kernel)  # type: ignore[no-untyped-call]
    return result


def unfold3x3(x: Tensor) -> Tensor:
    """Return the 3×3 neighbourhood of each pixel, [N, 9C, H, W], zero-padded, in the order of weights.

    `pointwise` of it is a 3×3 convolution. It pays at small sides, where weights are most of what is read.
    """
    return F.unfold(x, 3, padding=1).view(len(x), -1, *x.shape[2:])


def pointwise(x: Tensor, scales: Tensor | None, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply a 1×1 convolution to `x` [N, C, H, W] times `scales` [N, C, 1, 1]: `weight` [D, C, 1, 1], `bias` [D]."""
    result: Tensor = _Pointwise.apply(x, scales, weight, bias, None, 1.0)  # type: ignore[no-untyped-call]
    return result


def activated_pointwise(
    x: Tensor, scales: Tensor | None, weight: Tensor, bias: Tensor, noise: Tensor, leak: float
) -> Tensor:
    """Apply LeakyReLU to `pointwise` plus `noise` [1, 1, H, W].

    Args:
        leak: the slope below zero; more than zero.
    """
    result: Tensor = _Pointwise.apply(x, scales, weight, bias, noise, leak)  # type: ignore[no-untyped-call]
    return result


def scaled_inverse_haar(x: Tensor, scales: Tensor) -> Tensor:
    """Apply `inverse_haar` to `x` [N, 4C, H, W] times `scales` [N, 4C, 1, 1]."""
    result: Tensor = _ScaledInverseHaar.apply(x, scales)  # type: ignore[no-untyped-call]
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(kernel)
        with in_float32(x):  # there is no matrix product to speed up
            return F.conv2d(x.contiguous(memory_format=_LAST), kernel, padding=1, groups=len(kernel))

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor, None]:
        (kernel,) = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=_LAST)
        with in_float32(gradient):
            return F.conv2d(gradient, kernel.flip(2, 3), padding=1, groups=len(kernel)), None


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: _Context,
        x: Tensor,
        scales: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        noise: Tensor | None,
        leak: float,
    ) -> Tensor:
        pixels = _pixels(x)
        columns = weight.flatten(1).T
        result = pixels.new_empty(*pixels.shape[:2], len(weight))
        noise_rows = None if noise is None else noise.view(-1, 1).split(ROWS_AT_ONCE)
        multiply = _Multiplication(is_bfloat16_on_cpu(x), result)
        for n, (inputs, outputs) in enumerate(zip(pixels, result, strict=True)):
            scaled = multiply.cast(columns if scales is None else columns * scales[n].view(-1, 1))
            for i, (rows, out) in enumerate(zip(inputs.split(ROWS_AT_ONCE), outputs.split(ROWS_AT_ONCE), strict=True)):
                multiply(rows, scaled, out)
                if bias is not None:
                    out += bias
                if noise_rows is not None:
                    out += noise_rows[i]
                    F.leaky_relu_(out, leak)
        # The scales' gradient needs the inputs, LeakyReLU's the sign of its outputs.
        ctx.save_for_backward(None if scales is None else pixels, scales, weight, None if noise is None else result)
        ctx.leak, ctx.sides, ctx.is_bfloat16 = leak, x.shape[2:], is_bfloat16_on_cpu(x)
        return _maps(result, x.shape[2:])

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pixels, scales, weight, activated = ctx.saved_tensors
        leak: float = ctx.leak
        gradient = _pixels(gradients[0])
        x_gradient = gradient.new_empty(*gradient.shape[:2], weight.shape[1])
        multiply = _Multiplication(ctx.is_bfloat16, x_gradient)
        matrix = multiply.cast(weight.flatten(1))
        scales_gradient = None if scales is None else torch.zeros_like(scales)
        # Buffers that are used again: allocating fresh memory takes longer than the arithmetic.
        through_relu = gradient.new_empty(ROWS_AT_ONCE, gradient.shape[2])
        products = x_gradient.new_empty(ROWS_AT_ONCE, x_gradient.shape[2])
        for n, (incoming, outgoing) in enumerate(zip(gradient, x_gradient, strict=True)):
            for i, (rows, out) in enumerate(
                zip(incoming.split(ROWS_AT_ONCE), outgoing.split(ROWS_AT_ONCE), strict=True)
            ):
                part = slice(i * ROWS_AT_ONCE, (i + 1) * ROWS_AT_ONCE)
                if activated is not None:
                    sign = activated[n, part]
                    rows = torch.ops.aten.leaky_relu_backward.grad_input(
                        rows, sign, leak, True, grad_input=through_relu[: len(rows)]
                    )
                multiply(rows, matrix, out)
                if scales_gradient is not None:
                    scales_gradient[n, :, 0, 0] += torch.mul(out, pixels[n, part], out=products[: len(out)]).sum(0)
                    out *= scales[n].view(1, -1)
        return _maps(x_gradient, ctx.sides), scales_gradient, None, None, None, None


class _Multiplication:
    """Multiplies rows of pixels by a constant matrix, in float32 or in bfloat16."""

    def __init__(self, is_bfloat16: bool, like: Tensor) -> None:
        """Args: like: the tensor whose rows the products are written to."""
        self._buffer = like.new_empty(ROWS_AT_ONCE, like.shape[-1], dtype=torch.bfloat16) if is_bfloat16 else None

    def cast(self, matrix: Tensor) -> Tensor:
        """The matrix in the form that `__call__` takes."""
        return matrix if self._buffer is None else matrix.bfloat16()

    def __call__(self, rows: Tensor, matrix: Tensor, out: Tensor) -> None:
        """Write rows · matrix to `out`."""
        if self._buffer is None:
            torch.mm(rows, matrix, out=out)
        else:
            out.copy_(torch.mm(rows.bfloat16(), matrix, out=self._buffer[: len(rows)]))


class _ScaledInverseHaar(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, scales: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1).contiguous()
        ctx.save_for_backward(x, scales)
        n, height, width, channels = x.shape
        c = channels // 4
        halved = x * (0.5 * scales).permute(0, 2, 3, 1)
        low = halved[..., :c]
        rows, columns, both = halved[..., c:].unflatten(-1, (c, 3)).unbind(-1)
        plus, minus, sum_, difference = low + rows, low - rows, columns + both, columns - both
        corners = x.new_empty(n, height, 2, width, 2, c)
        torch.add(plus, sum_, out=corners[:, :, 0, :, 0])
        torch.sub(plus, sum_, out=corners[:, :, 0, :, 1])
        torch.add(minus, difference, out=corners[:, :, 1, :, 0])
        torch.sub(minus, difference, out=corners[:, :, 1, :, 1])
        return corners.view(n, 2 * height, 2 * width, c).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        # The step is orthonormal: its gradient is the forward Haar step.
        x, scales = ctx.saved_tensors
        gradient = gradients[0].permute(0, 2, 3, 1).contiguous()
        n, height, width, c = gradient.shape
        corners = gradient.view(n, height // 2, 2, width // 2, 2, c)
        upper_left, upper_right = corners[:, :, 0, :, 0], corners[:, :, 0, :, 1]
        lower_left, lower_right = corners[:, :, 1, :, 0], corners[:, :, 1, :, 1]
        upper, lower = upper_left + upper_right, lower_left + lower_right
        upper_change, lower_change = upper_left - upper_right, lower_left - lower_right
        x_gradient = torch.empty_like(x)
        torch.add(upper, lower, out=x_gradient[..., :c])
        high = x_gradient[..., c:].unflatten(-1, (c, 3))
        torch.sub(upper, lower, out=high[..., 0])
        torch.add(upper_change, lower_change, out=high[..., 1])
        torch.sub(upper_change, lower_change, out=high[..., 2])
        scales_gradient = 0.5 * (x_gradient * x).sum((1, 2))[:, :, None, None]
        x_gradient *= (0.5 * scales).permute(0, 2, 3, 1)
        return x_gradient.permute(0, 3, 1, 2), scales_gradient


def _pixels(x: Tensor) -> Tensor:
    """Rearrange maps [N, C, H, W] to one pixel a row, [N, H·W, C], contiguous; a view if channels are last already."""
    return x.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def _maps(pixels: Tensor, sides: torch.Size) -> Tensor:
    """Invert `_pixels` by a view: [N, C, H, W] with channels last."""
    return pixels.view(len(pixels), *sides, -1).permute(0, 3, 1, 2)
