"""Too little memory: said once, and every picture is made all the same."""

from __future__ import annotations

import pytest
import torch

from smis_desktop.generators.latents import seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.protocol import CoarseFeatures
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.inference.cpu_fallback_backend import CpuFallbackBackend
from tests.small_generator import small_generator

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)


class Full(TorchBackend):
    """A backend whose memory is full after so many calls."""

    def __init__(self, calls: int) -> None:
        super().__init__(GENERATOR, "bfloat16")
        self._left = calls

    def _take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def structure(self, ws: torch.Tensor) -> CoarseFeatures:
        self._take()
        return super().structure(ws)

    def label_features(self, ws: torch.Tensor) -> dict[int, torch.Tensor]:
        self._take()
        return super().label_features(ws)

    def finish(self, structure: CoarseFeatures, ws: torch.Tensor, side: int, regions: Regions | None) -> torch.Tensor:
        self._take()
        return super().finish(structure, ws, side, regions)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_what_does_not_fit_is_made_by_the_processor(calls: int) -> None:
    told: list[str] = []
    pictures = CpuFallbackBackend(Full(calls), GENERATOR, told.append)
    ws = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, GENERATOR.w_dim)))
    assert pictures.name == "torch, bfloat16"
    with torch.inference_mode():
        exact = GENERATOR.structure(ws)
        for _ in range(2):
            structure = pictures.structure(ws)
            pictures.label_features(ws)
            picture = pictures.finish(structure, ws, 128, None)
        torch.testing.assert_close(pictures.structure(ws).features, exact.features)
        torch.testing.assert_close(picture, GENERATOR.finish(exact, ws, 128))
    assert len(told) == 1
    assert "too little memory" in told[0]
    assert (pictures.name, pictures.precision) == ("torch, float32", "float32")


def test_a_processor_without_memory_says_so() -> None:
    class Nothing:
        def structure(self, ws: torch.Tensor) -> CoarseFeatures:
            raise torch.OutOfMemoryError("no memory at all")

    told: list[str] = []
    pictures = CpuFallbackBackend(Full(0), Nothing(), told.append)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError, match="no memory at all"):
            pictures.structure(GENERATOR.broadcast(GENERATOR.w_avg[None]))
    assert len(told) == 1
