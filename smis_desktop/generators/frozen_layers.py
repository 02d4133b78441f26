"""Networks that are used but not trained."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.device import in_float32, is_reduced_on_processor

Network = TypeVar("Network", bound=nn.Module)


def freeze(network: Network) -> Network:
    """In evaluation mode, no parameter asks for a gradient."""
    return network.eval().requires_grad_(False)


_LAST = torch.channels_last
_PIXELS = 1024
"""Rows of a matrix product that are worked on at a time."""

_Context = Any  # torch's own type of it knows neither what is saved nor what else is kept


def supports_frozen_layers(x: Tensor, *weights: Tensor) -> bool:
    """Whether these layers may compute with `x`: on the processor, float32 maps, and nobody learns the weights."""
    learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in weights)
    return x.device.type == "cpu" and x.dtype == torch.float32 and not learns


def depthwise(x: Tensor, kernel: Tensor) -> Tensor:
    """`x` [N, C, H, W] convolved with `kernel` [C, 1, 3, 3], a channel each, zeros around it."""
    found: Tensor = _Depthwise.apply(x, kernel)  # type: ignore[no-untyped-call]
    return found


def neighbourhoods(x: Tensor) -> Tensor:
    """`x` [N, C, H, W] → [N, 9C, H, W]: what a 3×3 convolution reads at each pixel, zeros around, in the order of its
    weights; so that `product` is that convolution. For small sides: there the weights are most of what is read."""
    return F.unfold(x, 3, padding=1).view(len(x), -1, *x.shape[2:])


def product(x: Tensor, scales: Tensor | None, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """1×1 convolution of `x` [N, C, H, W] times `scales` [N, C, 1, 1] with `weight` [D, C, 1, 1] and `bias` [D]."""
    found: Tensor = _Product.apply(x, scales, weight, bias, None, 1.0)  # type: ignore[no-untyped-call]
    return found


def activated_product(
    x: Tensor, scales: Tensor | None, weight: Tensor, bias: Tensor, noise: Tensor, leak: float
) -> Tensor:
    """LeakyReLU of `product` plus `noise` [1, 1, H, W]. leak: its slope below zero, more than zero."""
    found: Tensor = _Product.apply(x, scales, weight, bias, noise, leak)  # type: ignore[no-untyped-call]
    return found


def scaled_inverse_haar(x: Tensor, scales: Tensor) -> Tensor:
    """`gan.haar.inverse_haar` of `x` [N, 4C, H, W] times `scales` [N, 4C, 1, 1]."""
    found: Tensor = _ScaledInverseHaar.apply(x, scales)  # type: ignore[no-untyped-call]
    return found


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _Context, x: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(kernel)
        with in_float32(x):  # no matrix product in it
            return F.conv2d(x.contiguous(memory_format=_LAST), kernel, padding=1, groups=len(kernel))

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor, None]:
        (kernel,) = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=_LAST)
        with in_float32(gradient):
            return F.conv2d(gradient, kernel.flip(2, 3), padding=1, groups=len(kernel)), None


class _Product(torch.autograd.Function):
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
        found = pixels.new_empty(*pixels.shape[:2], len(weight))
        noise_rows = None if noise is None else noise.view(-1, 1).split(_PIXELS)
        multiply = _Multiplication(is_reduced_on_processor(x), found)
        for n, (one, answer) in enumerate(zip(pixels, found, strict=True)):
            scaled = multiply.prepared(columns if scales is None else columns * scales[n].view(-1, 1))
            for i, (rows, answers) in enumerate(zip(one.split(_PIXELS), answer.split(_PIXELS), strict=True)):
                multiply(rows, scaled, answers)
                if bias is not None:
                    answers += bias
                if noise_rows is not None:
                    answers += noise_rows[i]
                    F.leaky_relu_(answers, leak)
        # What is scaled is needed for the scales' gradient, what is activated for its own sign.
        ctx.save_for_backward(None if scales is None else pixels, scales, weight, None if noise is None else found)
        ctx.leak, ctx.sides, ctx.is_reduced = leak, x.shape[2:], is_reduced_on_processor(x)
        return _maps(found, x.shape[2:])

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        pixels, scales, weight, answers = ctx.saved_tensors
        leak: float = ctx.leak
        gradient = _pixels(gradients[0])
        found = gradient.new_empty(*gradient.shape[:2], weight.shape[1])
        multiply = _Multiplication(ctx.is_reduced, found)
        flat = multiply.prepared(weight.flatten(1))
        of_scales = None if scales is None else torch.zeros_like(scales)
        # Fresh memory is slower than arithmetic.
        passed, shares = gradient.new_empty(_PIXELS, gradient.shape[2]), found.new_empty(_PIXELS, found.shape[2])
        for n, (one, whole) in enumerate(zip(gradient, found, strict=True)):
            for i, (rows, result) in enumerate(zip(one.split(_PIXELS), whole.split(_PIXELS), strict=True)):
                here = slice(i * _PIXELS, (i + 1) * _PIXELS)
                if answers is not None:
                    sign = answers[n, here]
                    rows = torch.ops.aten.leaky_relu_backward.grad_input(
                        rows, sign, leak, True, grad_input=passed[: len(rows)]
                    )
                multiply(rows, flat, result)
                if of_scales is not None:
                    of_scales[n, :, 0, 0] += torch.mul(result, pixels[n, here], out=shares[: len(result)]).sum(0)
                    result *= scales[n].view(1, -1)
        return _maps(found, ctx.sides), of_scales, None, None, None, None


class _Multiplication:
    """Products of a few rows of pixels with a constant matrix, in float32 or in bfloat16."""

    def __init__(self, is_reduced: bool, like: Tensor) -> None:
        """like: what its answers are rows of."""
        self._low = like.new_empty(_PIXELS, like.shape[-1], dtype=torch.bfloat16) if is_reduced else None

    def prepared(self, matrix: Tensor) -> Tensor:
        """The matrix as `__call__` takes it."""
        return matrix if self._low is None else matrix.bfloat16()

    def __call__(self, rows: Tensor, matrix: Tensor, answers: Tensor) -> None:
        """Writes rows · matrix to `answers`."""
        if self._low is None:
            torch.mm(rows, matrix, out=answers)
        else:
            answers.copy_(torch.mm(rows.bfloat16(), matrix, out=self._low[: len(rows)]))


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
        found = torch.empty_like(x)
        torch.add(upper, lower, out=found[..., :c])
        high = found[..., c:].unflatten(-1, (c, 3))
        torch.sub(upper, lower, out=high[..., 0])
        torch.add(upper_change, lower_change, out=high[..., 1])
        torch.sub(upper_change, lower_change, out=high[..., 2])
        of_scales = 0.5 * (found * x).sum((1, 2))[:, :, None, None]
        found *= (0.5 * scales).permute(0, 2, 3, 1)
        return found.permute(0, 3, 1, 2), of_scales


def _pixels(x: Tensor) -> Tensor:
    """Maps [N, C, H, W] → a pixel a row, [N, H·W, C], contiguous; a view where channels lie last already."""
    return x.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def _maps(pixels: Tensor, sides: torch.Size) -> Tensor:
    """The way back, a view: [N, C, H, W] with channels last."""
    return pixels.view(len(pixels), *sides, -1).permute(0, 3, 1, 2)
