"""StyleGAN2 once more, from the paper's formulas (arXiv 1912.04958), in float64 and plain NumPy: slow, and independent.

It shares nothing with `smis_desktop.generators.stylegan2` but the names of the tensors. Convolutions are
sums over shifted copies, upsampling is written as what it is: zeros put in between, then a convolution.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Array = np.ndarray


def mapped(p: Mapping[str, Array], z: Array) -> Array:
    """`z` [D] → `w` [D]."""
    x = z / np.sqrt(np.mean(z**2) + 1e-8)
    for i in range(sum(key.startswith("map.") and key.endswith("weight") for key in p)):
        x = activated(p[f"map.layers.{i}.weight"] @ x + p[f"map.layers.{i}.bias"])
    return x


def synthesised(p: Mapping[str, Array], ws: Array) -> tuple[Array, dict[int, Array], dict[int, Array]]:
    """`ws` [num_ws, D] → picture [3, R, R], the second convolutions' outputs by side, the pictures so far by side."""
    limit = float(p["limit"])
    fir = p["filter"]
    x = layer(p, "first", p["constant"][0], ws[0], fir, limit, up=False)
    picture = rgb(p, "first_rgb", x, ws[1], limit)
    features, pictures = {4: x}, {4: picture}
    for i in range(sum(key.startswith("blocks.") and key.endswith("conv2.bias") for key in p)):
        x = layer(p, f"blocks.{i}.conv1", x, ws[2 * i + 1], fir, limit, up=True)
        x = layer(p, f"blocks.{i}.conv2", x, ws[2 * i + 2], fir, limit, up=False)
        taps = len(fir)
        wide = np.pad(zeros_between(picture), ((0, 0), (taps // 2, taps // 2 - 1), (taps // 2, taps // 2 - 1)))
        picture = filtered(wide, 4 * fir) + rgb(p, f"blocks.{i}.rgb", x, ws[2 * i + 3], limit)
        features[x.shape[-1]], pictures[x.shape[-1]] = x, picture
    return picture, features, pictures


def layer(p: Mapping[str, Array], name: str, x: Array, w: Array, fir: Array, limit: float, up: bool) -> Array:
    weight = p[f"{name}.weight"] * style(p, name, w)[None, :, None, None]  # equation 1
    weight = weight / np.sqrt((weight**2).sum((1, 2, 3), keepdims=True) + 1e-8)  # equation 3
    if up:
        wide = np.pad(zeros_between(x)[:, :-1, :-1], ((0, 0), (2, 2), (2, 2)))
        x = correlated(wide, weight[:, :, ::-1, ::-1])
        around = len(fir) // 2 - 1
        x = filtered(np.pad(x, ((0, 0), (around, around), (around, around))), 4 * fir)
    else:
        x = correlated(np.pad(x, ((0, 0), (1, 1), (1, 1))), weight)
    x = activated(x + p[f"{name}.noise"][0, 0] + p[f"{name}.bias"][:, None, None])
    return np.clip(x, -limit, limit)


def rgb(p: Mapping[str, Array], name: str, x: Array, w: Array, limit: float) -> Array:
    weight = p[f"{name}.weight"][:, :, 0, 0] * style(p, name, w)
    return np.clip(np.einsum("oi,ihw->ohw", weight, x) + p[f"{name}.bias"][:, None, None], -limit, limit)


def style(p: Mapping[str, Array], name: str, w: Array) -> Array:
    return p[f"{name}.affine.weight"] @ w + p[f"{name}.affine.bias"]


def activated(x: Array) -> Array:
    return np.sqrt(2) * np.where(x < 0, 0.2 * x, x)


def zeros_between(x: Array) -> Array:
    """[C, r, r] → [C, 2r, 2r]: every value followed by a zero, along both sides."""
    wide = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]))
    wide[:, ::2, ::2] = x
    return wide


def correlated(x: Array, weight: Array) -> Array:
    """Without padding. x [I, h, w], weight [O, I, k, k]."""
    k = weight.shape[-1]
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    return sum(
        np.einsum("oi,ihw->ohw", weight[:, :, a, b], x[:, a : a + height, b : b + width])
        for a in range(k)
        for b in range(k)
    )


def filtered(x: Array, fir: Array) -> Array:
    """A true convolution of every channel with `fir`, without padding."""
    flipped = fir[::-1, ::-1]
    taps = len(fir)
    height, width = x.shape[1] - taps + 1, x.shape[2] - taps + 1
    return sum(flipped[a, b] * x[:, a : a + height, b : b + width] for a in range(taps) for b in range(taps))
