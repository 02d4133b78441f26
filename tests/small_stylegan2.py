"""A StyleGAN2, small and random, of any side."""

from __future__ import annotations

import torch
from torch import Tensor

from smis_desktop.generators.generator import LatentStatistics, seeded_z
from smis_desktop.generators.stylegan2 import StyleGAN2


def small_stylegan2(
    seed: int = 0, channels: tuple[int, ...] = (16, 16, 16, 12, 8), w_dim: int = 24, clamp: float | None = None
) -> StyleGAN2:
    """Random weights of moderate size, 64² pictures by default."""
    generator = StyleGAN2("small", f"small-{seed}", channels, w_dim, mapping_depth=2)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            parameter.normal_(generator=random)
            if name.endswith("affine.bias"):
                parameter.mul_(0.3).add_(1.0)
            elif parameter.dim() >= 2 and not name.endswith("noise"):
                parameter.mul_(parameter[0].numel() ** -0.5)
            else:
                parameter.mul_(0.1)
        generator.latents = LatentStatistics.measured(
            torch.cat([generator.mapping(seeded_z(i, w_dim)) for i in range(200)])
        )
        generator.centre = generator.w_avg.clone()
        if clamp is not None:
            generator.limit.fill_(clamp)
    return generator.eval().requires_grad_(False).finalize()


def some_ws(generator: StyleGAN2, seed: int = 0, count: int = 1) -> Tensor:
    """`ws` [count, num_ws, D], another `w` in every slot."""
    z = torch.randn(count * generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(seed))
    return generator.mapping(z).unflatten(0, (count, generator.num_ws))
