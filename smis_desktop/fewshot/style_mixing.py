"""Style mixing: layouts fix shape, not colour and texture, so the fine slots are free (StyleGAN, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from smis_desktop.gan.protocol import Generator
from smis_desktop.style import Style


def mix_styles(generator: Generator, ws: Tensor, look: Tensor, style: Style) -> Tensor:
    """`ws` [N, num_ws, D] moved towards `look` [N or 1, num_ws, D] by the style's strengths, each group of slots by its
    own."""
    strength = torch.zeros(generator.num_ws, 1, device=ws.device)
    for slots, fader in (
        (generator.coarse_slots, style.coarse),
        (generator.middle_slots, style.middle),
        (generator.fine_slots, style.fine),
    ):
        strength[slots.start : slots.stop] = style.mix * fader
    return torch.lerp(ws, look.expand_as(ws), strength)
