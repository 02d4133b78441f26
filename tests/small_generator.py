"""A generator of the default one's architecture, small and random: 64² features, 256² pictures, quick everywhere."""

from __future__ import annotations

import torch

from smis_desktop.generators.generator import LatentStatistics, seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN


def small_generator(
    seed: int = 0, channels: tuple[int, ...] = (16, 16, 16, 16, 16, 8), w_dim: int = 24, head: int | None = None
) -> MobileStyleGAN:
    """Random weights of moderate size, so that activations stay finite and depend on `ws`.

    head: the side of a picture head, which it gets too.
    """
    generator = MobileStyleGAN("small", f"small-{seed}", channels, w_dim, mapping_depth=2)
    if head is not None:
        generator.heads[str(head)] = generator.blank_head(
            head, [4] * (generator.num_ws - 2 * generator.block_at(head) - 3)
        )
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            parameter.normal_(generator=random)
            if name.endswith(("affine.bias", "up.bias")):
                parameter.mul_(0.3).add_(1.0)
            elif parameter.dim() >= 2:
                parameter.mul_(parameter[0].numel() ** -0.5)
            else:
                parameter.mul_(0.1)
        generator.latents = LatentStatistics.measured(
            torch.cat([generator.mapping(seeded_z(i, w_dim)) for i in range(200)])
        )
    return generator.eval().requires_grad_(False)


def part_prior_of(generator: MobileStyleGAN, parts: int = 3) -> dict[int, torch.Tensor]:
    """A random part prior for the generator, as `Generator.part_prior`."""
    random = torch.Generator().manual_seed(2)
    features = generator.label_features(generator.broadcast(generator.w_avg[None]))
    return {r: torch.randn(parts, maps.shape[1], generator=random) for r, maps in features.items()}
