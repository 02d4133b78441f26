"""Makes models/faces-draft-head.safetensors: a linear reading of the 128² features as a 256² picture.

Least squares in the wavelet domain: the Haar transform of the downsampled full picture is regressed, pixel by pixel,
on the 256 feature channels. Run with the generator installed: python scripts/fit_draft_head.py
"""

from __future__ import annotations

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from tqdm import trange

from smis_desktop.gan.haar import haar
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.resource_paths import models_folder
from smis_desktop.storage.generator_store import open_generator

TRAIN, HELD_OUT, RESOLUTION, RIDGE = 96, 16, 128, 1e-3


def pair(generator: MobileStyleGAN, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [1, 256, 128, 128] and the picture [1, 3, 256, 256] that they should give; truncation 0.7 to 1."""
    draws = torch.Generator().manual_seed(seed)
    truncation = 0.7 + 0.3 * torch.rand((), generator=draws).item()
    ws = generator.broadcast(generator.mapping(torch.randn(1, generator.w_dim, generator=draws), truncation))
    picture = F.interpolate(generator.synthesis(ws), size=(256, 256), mode="area")
    return generator.features(ws, [RESOLUTION])[RESOLUTION], picture


def main() -> None:
    generator = open_generator("faces")
    channels = generator.feature_channels(RESOLUTION)
    gram = torch.zeros(channels + 1, channels + 1, dtype=torch.float64)
    moment = torch.zeros(channels + 1, 12, dtype=torch.float64)
    for seed in trange(TRAIN, desc="pictures"):
        features, picture = pair(generator, seed)
        x = F.pad(features[0].flatten(1).T, (0, 1), value=1.0)
        y = haar(picture)[0].flatten(1).T
        gram += (x.T @ x).double()
        moment += (x.T @ y).double()
    gram += RIDGE * gram.diagonal().mean() * torch.eye(channels + 1, dtype=torch.float64) / 1000
    solution = torch.linalg.solve(gram, moment).float()
    head = {"weight": solution[:-1].T[:, :, None, None].contiguous(), "bias": solution[-1].contiguous()}
    save_file(head, models_folder() / "faces-draft-head.safetensors")
    generator.draft_head.load_state_dict(head)
    psnr = []
    for seed in range(10_000, 10_000 + HELD_OUT):
        features, picture = pair(generator, seed)
        error = (generator.draft_head(features).clamp(-1, 1) - picture.clamp(-1, 1)).square().mean()
        psnr.append((10 * torch.log10(4 / error)).item())
    print(f"held-out PSNR at 256²: mean {sum(psnr) / len(psnr):.1f} dB, worst {min(psnr):.1f} dB")


if __name__ == "__main__":
    with torch.inference_mode():
        main()
