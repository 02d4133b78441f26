"""CUDA graphs: replays take new inputs, results stay valid, and what cannot be captured is computed.

Graphs are stood in for by the processor here, which leaves out nothing but CUDA itself; `--gpu` runs the rest.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from smis_desktop.generators.coarse_features import Surroundings
from smis_desktop.generators.generator import Generator, seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backend_selection import BackendUnavailable, open_backend, self_tests
from smis_desktop.inference.backends import CpuFallbackBackend, SynthesisBackend, TorchBackend
from smis_desktop.inference.cuda_graph_backend import CapturedGraph, CudaGraphBackend, Work
from tests.inference.fake_capture import FakeCapture
from tests.small_generator import small_generator
from tests.small_stylegan2 import small_stylegan2

MOBILE = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)
STYLEGAN2 = small_stylegan2(1)


def some_ws(generator: Generator, seed: int) -> torch.Tensor:
    return generator.broadcast(generator.mapping(seeded_z(seed, generator.w_dim))).contiguous()


def everything(backend: SynthesisBackend, generator: Generator, ws: torch.Tensor) -> list[torch.Tensor]:
    coarse, labels = backend.coarse_features(ws), backend.label_features(ws)
    assert sorted(coarse.label_features) == sorted(labels)
    mask = torch.linspace(0, 1, 128).expand(1, 1, 128, 128)
    patched = backend.coarse_features(ws + 1, Surroundings(coarse, mask))
    return [
        coarse.features,
        *coarse.label_features.values(),
        patched.features,
        *patched.label_features.values(),
        *labels.values(),
        *(backend.synthesize_fine(coarse, ws, side, None) for side in generator.draft_sizes),
    ]


@pytest.mark.parametrize("generator", [MOBILE, STYLEGAN2], ids=["mobile", "stylegan2"])
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_one_graph_serves_every_picture_of_its_kind(generator: Generator, mode: type) -> None:
    capture = FakeCapture()
    recorded, plain = CudaGraphBackend(generator, capture), TorchBackend(generator, "bfloat16")
    with mode():
        first = everything(recorded, generator, some_ws(generator, 1))
        kept = [tensor.clone() for tensor in first]
        everything(recorded, generator, some_ws(generator, 2))
        assert capture.count == 3 + len(generator.draft_sizes)
        for tensor, copy in zip(first, kept, strict=True):
            assert torch.equal(tensor, copy), "a later picture changed an earlier result"
        for seed in (1, 2):
            ws = some_ws(generator, seed)
            for found, wanted in zip(
                everything(recorded, generator, ws), everything(plain, generator, ws), strict=True
            ):
                torch.testing.assert_close(found, wanted, atol=0.05, rtol=0.05)
    assert recorded.name == "torch, bfloat16, recorded"


def test_what_cannot_be_captured_is_computed_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(work: Work, inputs: tuple[torch.Tensor, ...]) -> CapturedGraph:
        raise RuntimeError("operation not permitted when stream is capturing")

    backend = CudaGraphBackend(MOBILE, refuse)
    ws = some_ws(MOBILE, 1)
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = backend.coarse_features(ws)
        torch.testing.assert_close(found.features, TorchBackend(MOBILE, "bfloat16").coarse_features(ws).features)
    assert caplog.text.count("not permitted") == 1


def test_the_processor_takes_over_where_a_graph_does_not_fit() -> None:
    def full(work: Work, inputs: tuple[torch.Tensor, ...]) -> CapturedGraph:
        raise torch.OutOfMemoryError("CUDA out of memory")

    messages: list[str] = []
    backend = CpuFallbackBackend(CudaGraphBackend(MOBILE, full), MOBILE, messages.append)
    ws = some_ws(MOBILE, 1)
    with torch.inference_mode():
        torch.testing.assert_close(backend.coarse_features(ws).features, MOBILE.coarse_features(ws).features)
    assert backend.has_fallen_back
    assert len(messages) == 1


def test_regions_are_computed_as_torch_does() -> None:
    masks = torch.zeros(2, 1, 64, 64)
    masks[0, :, :32], masks[1, :, 32:] = 1, 1
    ws = some_ws(MOBILE, 1)
    two, regions = torch.cat((ws, ws + 0.5)), Regions(masks)
    plain = TorchBackend(MOBILE, "bfloat16")
    with torch.inference_mode():
        wanted = plain.synthesize_fine(plain.coarse_features(ws), two, 512, regions)
        recorded = CudaGraphBackend(MOBILE, FakeCapture())
        found = recorded.synthesize_fine(recorded.coarse_features(ws), two, 512, regions)
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0.05)


def test_cuda_graphs_need_a_graphics_card(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="graphics cards"):
        open_backend("torch-graphs", MOBILE, tmp_path, 1, lambda words, fraction: None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("build", [small_generator, lambda: small_stylegan2(1)], ids=["mobile", "stylegan2"])
def test_a_cuda_graph_makes_what_float32_makes(build: object, tmp_path: Path) -> None:
    assert callable(build)
    generator = build().to("cuda")
    tests = {test.backend: test for test in self_tests(generator, tmp_path, 1, lambda words, fraction: None)}
    assert not tests["torch-graphs"].fault
    assert tests["torch-graphs"].psnr >= 45
    backend = open_backend("torch-graphs", generator, tmp_path, 1, lambda words, fraction: None)
    for seed in (1, 2, 1):  # a graph that kept an earlier input would show
        ws = generator.broadcast(generator.mapping(seeded_z(seed, generator.w_dim).to("cuda"))).contiguous()
        with torch.inference_mode():
            for side in generator.draft_sizes:
                found = backend.synthesize_fine(backend.coarse_features(ws), ws, side, None).clamp(-1, 1)
                wanted = generator.synthesize_fine(generator.coarse_features(ws), ws, side).clamp(-1, 1)
                assert 10 * torch.log10(4 / (found - wanted).square().mean()) >= 45
