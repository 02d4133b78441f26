"""When memory runs out, the processor makes the pictures, and that is said once."""

from __future__ import annotations

import pytest
import torch

from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import CpuFallbackBackend, TorchBackend
from tests.small_generator import small_generator

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)


class Full(TorchBackend):
    """A backend that runs out of memory after a number of calls."""

    def __init__(self, calls: int) -> None:
        super().__init__(GENERATOR, "bfloat16")
        self._left = calls

    def _take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def coarse_features(
        self, ws: torch.Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        self._take()
        return super().coarse_features(ws, surroundings, regions)

    def label_features(self, ws: torch.Tensor) -> dict[int, torch.Tensor]:
        self._take()
        return super().label_features(ws)

    def synthesize_fine(
        self, coarse: CoarseFeatures, ws: torch.Tensor, side: int, regions: Regions | None = None
    ) -> torch.Tensor:
        self._take()
        return super().synthesize_fine(coarse, ws, side, regions)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_the_processor_makes_what_does_not_fit(calls: int) -> None:
    messages: list[str] = []
    backend = CpuFallbackBackend(Full(calls), GENERATOR, messages.append)
    ws = GENERATOR.broadcast(GENERATOR.mapping(seeded_z(1, GENERATOR.w_dim)))
    assert backend.name == "torch, bfloat16"
    with torch.inference_mode():
        exact = GENERATOR.coarse_features(ws)
        for _ in range(2):
            coarse = backend.coarse_features(ws)
            backend.label_features(ws)
            picture = backend.synthesize_fine(coarse, ws, 128, None)
        torch.testing.assert_close(backend.coarse_features(ws).features, exact.features)
        torch.testing.assert_close(picture, GENERATOR.synthesize_fine(exact, ws, 128))
    assert len(messages) == 1
    assert "too little memory" in messages[0]
    assert (backend.name, backend.precision) == ("torch, float32", "float32")


def test_a_processor_out_of_memory_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> CoarseFeatures:
        raise torch.OutOfMemoryError("no memory at all")

    generator = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)
    monkeypatch.setattr(generator, "coarse_features", fail)
    messages: list[str] = []
    backend = CpuFallbackBackend(Full(0), generator, messages.append)
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError, match="no memory at all"):
            backend.coarse_features(GENERATOR.broadcast(GENERATOR.w_avg[None]))
    assert len(messages) == 1
