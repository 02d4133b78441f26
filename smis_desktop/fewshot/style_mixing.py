"""Style mixing: layouts fix shape, not colour and texture, so the fine slots are free (StyleGAN, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from smis_desktop.gan.protocol import Generator


def mix_styles(generator: Generator, ws: Tensor, style_w: Tensor, mix: float) -> Tensor:
    """`ws` [N, num_ws, 512] with its fine slots moved towards `style_w` [N or 1, 512] by `mix`, 0 to 1."""
    if mix == 0.0 or len(generator.fine_slots) == 0:
        return ws
    fine = generator.fine_slots
    mixed = ws.clone()
    mixed[:, fine.start : fine.stop] = torch.lerp(ws[:, fine.start : fine.stop], style_w[:, None], mix)
    return mixed
