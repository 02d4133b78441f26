"""The Haar wavelet step of MobileStyleGAN (Belousov 2021, arXiv 2104.04767, section 3): four bands, twice the side."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def inverse_haar(x: Tensor) -> Tensor:
    """One inverse orthonormal Haar step, [N, 4C, H, W] → [N, C, 2H, 2W].

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


def haar(x: Tensor) -> Tensor:
    """The forward step, [N, C, 2H, 2W] → [N, 4C, H, W]; `inverse_haar(haar(x)) == x`."""
    a, b, c, d = F.pixel_unshuffle(x, 2).unflatten(1, (x.shape[1], 4)).unbind(2)
    low = a + b + c + d
    high = torch.stack((a + b - c - d, a - b + c - d, a - b - c + d), 2)
    return torch.cat((low, high.flatten(1, 2)), 1) * 0.5


def haar_matrix(channels: int) -> Tensor:
    """[C, C, 1, 1]: `inverse_haar(x)` of so many channels is `pixel_shuffle(conv2d(x, haar_matrix(C)), 2)`."""
    each = torch.eye(channels)[:, :, None, None]
    return F.pixel_unshuffle(inverse_haar(each), 2).transpose(0, 1).contiguous()


def by_bands(channels: int) -> Tensor:
    """int64 [4C]: `x[:, by_bands(4C)]` has the four bands of `inverse_haar`'s input one behind the other, C channels
    each: low, then those of `k` 0, 1 and 2."""
    c = channels // 4
    each = torch.arange(c)
    return torch.cat((each, *(c + 3 * each + k for k in range(3))))


def inverse_haar_of_bands(x: Tensor) -> Tensor:
    """Twice `inverse_haar` of channels that lie band by band: no channel has to be looked for, nothing is halved."""
    low, rows, columns, both = x.chunk(4, 1)
    plus, minus = low + rows, low - rows
    sum_, difference = columns + both, columns - both
    corners = torch.cat((plus + sum_, plus - sum_, minus + difference, minus - difference), 1)
    n, channels, height, width = corners.shape
    c = channels // 4
    return corners.view(n, 2, 2, c, height, width).permute(0, 3, 4, 1, 5, 2).reshape(n, c, 2 * height, 2 * width)
