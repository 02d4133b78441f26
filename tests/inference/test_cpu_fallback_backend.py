"""Too little memory: said once, and every picture is made all the same."""

from __future__ import annotations

import pytest
import torch

from smis_desktop.generators.generator import CoarseFeatures, seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import CpuFallbackBackend, TorchBackend
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

    def coarse_features(self, ws: torch.Tensor) -> CoarseFeatures:
        self._take()
        return super().coarse_features(ws)

    def label_features(self, ws: torch.Tensor) -> dict[int, torch.Tensor]:
        self._take()
        return super().label_features(ws)

    def synthesize_fine(
        self, coarse: CoarseFeatures, ws: torch.Tensor, side: int, regions: Regions | None = None
    ) -> torch.Tensor:
        self._take()
        return super().synthesize_fine(coarse, ws, side, regions)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_what_does_not_fit_is_made_by_the_processor(calls: int) -> None:
    told: list[str] = []
    pictures = CpuFallbackBackend(Full(calls), GENERATOR, told.append)
    ws = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, GENERATOR.w_dim)))
    assert pictures.name == "torch, bfloat16"
    with torch.inference_mode():
        exact = GENERATOR.coarse_features(ws)
        for _ in range(2):
            structure = pictures.coarse_features(ws)
            pictures.label_features(ws)
            picture = pictures.synthesize_fine(structure, ws, 128, None)
        torch.testing.assert_close(pictures.coarse_features(ws).features, exact.features)
        torch.testing.assert_close(picture, GENERATOR.synthesize_fine(exact, ws, 128))
    assert len(told) == 1
    assert "too little memory" in told[0]
    assert (pictures.name, pictures.precision) == ("torch, float32", "float32")


def test_a_processor_without_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(ws: torch.Tensor) -> CoarseFeatures:
        raise torch.OutOfMemoryError("no memory at all")

    generator = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)
    monkeypatch.setattr(generator, "coarse_features", fail)
    told: list[str] = []
    pictures = CpuFallbackBackend(Full(0), generator, told.append)
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError, match="no memory at all"):
            pictures.coarse_features(GENERATOR.broadcast(GENERATOR.w_avg[None]))
    assert len(told) == 1
