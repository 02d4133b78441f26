"""Patches are computed by every backend: what surrounds them stays bit for bit, and they continue it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.composition import MASK_SIDE
from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backend_selection import MIN_PSNR, BackendUnavailable, open_backend
from smis_desktop.inference.backends import CpuFallbackBackend, SynthesisBackend, TorchBackend
from smis_desktop.inference.cuda_graph_backend import CudaGraphBackend
from tests.inference.fake_capture import FakeCapture
from tests.small_generator import small_generator
from tests.small_stylegan2 import small_stylegan2

GENERATORS: dict[str, Callable[[], Generator]] = {
    "mobile": lambda: small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128),
    "mobile, features of 32²": lambda: small_generator(channels=(16, 16, 16, 16)),
    "stylegan2": lambda: small_stylegan2(1, (16, 16, 16, 12, 12, 8, 4)),
    "stylegan2, 32²": lambda: small_stylegan2(1, (12, 12, 10, 8)),
    "stylegan2, 16²": lambda: small_stylegan2(1, (12, 12, 8)),
}
MOBILE = GENERATORS["mobile"]()
OPENVINO = ("openvino", "openvino-bf16")
BACKENDS = [
    *((backend, generator) for generator in GENERATORS for backend in ("torch", "torch-bf16", "torch-graphs")),
    *((backend, "mobile") for backend in OPENVINO),
]
REACH = 3
"""Cells of the feature map, per side: how far the fine layers of these generators carry a change."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backends")


def opened(backend: str, generator: Generator, folder: Path) -> SynthesisBackend:
    if backend == "torch-graphs":
        return CudaGraphBackend(generator, FakeCapture())
    if backend not in OPENVINO:
        return TorchBackend(generator, "bfloat16" if backend == "torch-bf16" else "float32")
    pytest.importorskip("openvino")
    try:
        return open_backend("openvino" if backend == "openvino" else "openvino-bf16", generator, folder, 2, _silent)
    except BackendUnavailable as error:
        pytest.skip(str(error))


def _silent(words: str, fraction: float) -> None:
    """Progress that is not shown."""


def some_ws(generator: Generator, seed: int) -> Tensor:
    """`ws` [1, num_ws, D], another `w` in every slot."""
    z = torch.randn(generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(seed))
    return generator.mapping(z)[None]


def square(first: int, last: int) -> Tensor:
    """A mask: 1 from row and column `first` to before `last`, with a soft edge of a few pixels around."""
    mask = torch.zeros(1, 1, MASK_SIDE, MASK_SIDE)
    mask[:, :, first:last, first:last] = 1
    return F.avg_pool2d(F.max_pool2d(mask, 7, 1, 3), 7, 1, 3)


def all_maps(coarse: CoarseFeatures) -> dict[str, Tensor]:
    maps = {f"labels at {side}²": maps for side, maps in coarse.label_features.items()}
    return maps | {"features": coarse.features} | ({} if coarse.rgb is None else {"rgb": coarse.rgb})


def equal(found: CoarseFeatures, wanted: CoarseFeatures) -> bool:
    one, other = all_maps(found), all_maps(wanted)
    return list(one) == list(other) and all(torch.equal(maps, other[name]) for name, maps in one.items())


@pytest.mark.parametrize(("backend", "generator"), BACKENDS)
def test_what_surrounds_a_patch_stays_bit_for_bit(backend: str, generator: str, folder: Path) -> None:
    network = GENERATORS[generator]()
    computing = opened(backend, network, folder)
    ws, other = some_ws(network, 1), some_ws(network, 2)
    mask = square(40, 72)
    with torch.inference_mode():
        before = computing.coarse_features(ws)
        after = computing.coarse_features(other, Surroundings(before, mask))
        for (name, old), new in zip(all_maps(before).items(), all_maps(after).values(), strict=True):
            outside = (F.adaptive_avg_pool2d(mask, old.shape[-1]) == 0).expand_as(old)
            assert outside.any(), name
            assert torch.equal(old[outside], new[outside]), name
            assert not torch.equal(old[~outside], new[~outside]), name
        nowhere = computing.coarse_features(other, Surroundings(before, torch.zeros_like(mask)))
        assert equal(nowhere, before)
        side = network.draft_sizes[0]
        assert torch.equal(
            computing.synthesize_fine(nowhere, ws, side, None), computing.synthesize_fine(before, ws, side, None)
        )


@pytest.mark.parametrize(("backend", "generator"), BACKENDS)
def test_a_patch_that_covers_everything_is_its_own_picture(backend: str, generator: str, folder: Path) -> None:
    network = GENERATORS[generator]()
    computing = opened(backend, network, folder)
    ws, other = some_ws(network, 1), some_ws(network, 2)
    with torch.inference_mode():
        everywhere = Surroundings(computing.coarse_features(ws), torch.ones(1, 1, MASK_SIDE, MASK_SIDE))
        found, wanted = computing.coarse_features(other, everywhere), computing.coarse_features(other)
    assert equal(found, wanted)


@pytest.mark.parametrize(("backend", "generator"), BACKENDS)
def test_backends_compute_patches_as_torch_does(backend: str, generator: str, folder: Path) -> None:
    network = GENERATORS[generator]()
    computing, torch_alone = opened(backend, network, folder), TorchBackend(network)
    layers = [some_ws(network, seed) for seed in range(4)]
    masks = [square(first, first + 30) for first in (10, 30, 50)]
    with torch.inference_mode():
        found, wanted = computing.coarse_features(layers[0]), torch_alone.coarse_features(layers[0])
        for ws, mask in zip(layers[1:], masks, strict=True):
            alone = torch_alone.coarse_features(ws).features
            found = computing.coarse_features(ws, Surroundings(found, mask))
            wanted = torch_alone.coarse_features(ws, Surroundings(wanted, mask))
        tolerance = 1e-5 if computing.precision == "float32" else 0.015
        for (name, maps), other in zip(all_maps(found).items(), all_maps(wanted).values(), strict=True):
            assert (maps - other).norm() <= tolerance * other.norm(), name
        inside = (F.adaptive_avg_pool2d(masks[-1], alone.shape[-1]) == 1).expand_as(alone)
        assert (wanted.features - alone)[inside].abs().max() > 0.1, "a patch continues what surrounds it"


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_picture_changes_no_farther_from_a_patch_than_its_fine_layers_reach(generator: str, precision: str) -> None:
    network = GENERATORS[generator]()
    computing = TorchBackend(network, "float32" if precision == "float32" else "bfloat16")
    ws, other, mask = some_ws(network, 1), some_ws(network, 2), square(8, 16)
    with torch.inference_mode():
        before = computing.coarse_features(ws)
        after = computing.coarse_features(other, Surroundings(before, mask))
        for side in network.draft_sizes:
            old, new = (computing.synthesize_fine(coarse, ws, side, None) for coarse in (before, after))
            changed = F.adaptive_max_pool2d(mask, network.feature_resolution).ceil()
            reached = F.interpolate(F.max_pool2d(changed, 2 * REACH + 1, 1, REACH), (side, side))
            far = (reached == 0).expand_as(old)
            assert far.float().mean() > 0.2
            torch.testing.assert_close(new[far], old[far], atol=1e-5, rtol=0)
            assert not torch.allclose(new, old, atol=1e-2)


def test_the_processor_puts_patches_into_their_surroundings_where_the_card_is_full() -> None:
    class Full(TorchBackend):
        def coarse_features(  # type: ignore[no-untyped-def]
            self, ws: Tensor, surroundings: Surroundings | None = None, regions=None
        ) -> CoarseFeatures:
            if surroundings is not None:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().coarse_features(ws)

    messages: list[str] = []
    backend = CpuFallbackBackend(Full(MOBILE), MOBILE, messages.append)
    ws, other = some_ws(MOBILE, 1), some_ws(MOBILE, 2)
    with torch.inference_mode():
        around = Surroundings(backend.coarse_features(ws), square(40, 72))
        assert equal(backend.coarse_features(other, around), TorchBackend(MOBILE).coarse_features(other, around))
    assert len(messages) == 1


@pytest.mark.parametrize("backend", OPENVINO)
def test_patches_in_faces_are_as_accurate_as_faces(backend: str, faces: MobileStyleGAN, tmp_path: Path) -> None:
    computing, torch_alone = opened(backend, faces, tmp_path), TorchBackend(faces)
    side = faces.draft_sizes[1]
    ws, other = (
        faces.broadcast(faces.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(seed)), 0.7))
        for seed in (0, 1)
    )
    mask = square(40, 80)
    with torch.inference_mode():
        pictures = []
        for one in (computing, torch_alone):
            whole = one.coarse_features(ws)
            patched = one.coarse_features(other, Surroundings(whole, mask))
            pictures.append(one.synthesize_fine(patched, ws, side, None).clamp(-1, 1))
            outside = (F.adaptive_avg_pool2d(mask, 64) == 0).expand_as(whole.features)
            assert torch.equal(patched.features[outside], whole.features[outside])
    error = (pictures[0] - pictures[1]).square().mean().item()
    assert 10 * math.log10(4 / error) >= (MIN_PSNR if computing.precision == "bfloat16" else 100)
