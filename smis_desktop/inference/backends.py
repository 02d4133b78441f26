"""Synthesis backends: what runs a generator's forward pass. Torch is the reference; wrappers cache and fall back."""

from __future__ import annotations

import copy
import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision, Regions, autocast_to

_CACHE_SIZE = 3

_Result = TypeVar("_Result")


class SynthesisBackend(ABC):
    """A generator's forward pass, without gradients, one picture at a time. Results are float32.

    name: for people: `OpenVINO, bfloat16`. precision: of the products. num_streams: how many threads may call
    `label_features` at once and gain from it. has_fallen_back: whether the processor makes the pictures because the
    device ran out of memory.
    """

    has_fallen_back = False

    def __init__(self, name: str, precision: Precision, num_streams: int = 1) -> None:
        self.name, self.precision, self.num_streams = name, precision, num_streams

    @abstractmethod
    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        """Compute `Generator.coarse_features` of `ws` [1, num_ws, D], or of one picture in K regions [K, num_ws, D].

        Args:
            surroundings: the picture that a patch of these `ws` is put into. The result is then that of the picture
                with the patch in it; where the mask is 0 it is bit for bit the picture's.
            regions: where each of K latents applies; not of a patch.
        """

    @abstractmethod
    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        """Compute `Generator.label_features` of `ws` [1, num_ws, D], which is cheaper than the coarse features."""

    def projected_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        """Compute `basis.project` of the label features."""
        return basis.project(self.label_features(ws), self.precision)

    @abstractmethod
    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        """Compute `Generator.synthesize_fine`, [1, 3, side, side]; `side` is one of the generator's `draft_sizes`."""


class TorchBackend(SynthesisBackend):
    """The generator itself. In float32 it is the reference that other backends are compared with."""

    def __init__(self, generator: Generator, precision: Precision = "float32") -> None:
        super().__init__(f"torch, {precision}", precision)
        self._generator = generator

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        with autocast_to(self.precision, ws.device):
            coarse = self._generator.coarse_features(ws, surroundings, regions)
        rgb = None if coarse.rgb is None else coarse.rgb.float()
        own = CoarseFeatures(_to_float32(coarse.label_features), coarse.features.float(), rgb)
        return own if surroundings is None else surroundings.around_all(own)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        with autocast_to(self.precision, ws.device):
            return _to_float32(self._generator.label_features(ws))

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        with autocast_to(self.precision, ws.device):
            return self._generator.synthesize_fine(coarse, ws, side, regions).float()


def _to_float32(features: dict[int, Tensor]) -> dict[int, Tensor]:
    return {side: maps.float() for side, maps in features.items()}


class CachingBackend(SynthesisBackend):
    """Wraps a backend and keeps its last few coarse features: a new style on the same layout reuses them."""

    def __init__(self, backend: SynthesisBackend, fine_start: int) -> None:
        """Args: fine_start: the first of the fine slots, which coarse features do not depend on."""
        super().__init__(backend.name, backend.precision, backend.num_streams)
        self._backend, self._fine_start = backend, fine_start
        self._cache: OrderedDict[bytes, CoarseFeatures] = OrderedDict()

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        if surroundings is not None:
            return self._backend.coarse_features(ws, surroundings)
        key = ws[:, : self._fine_start].detach().cpu().numpy().tobytes()
        if regions is not None:
            key += hashlib.blake2b(regions.masks.cpu().numpy().tobytes()).digest()
        coarse = self._cache.pop(key, None) or self._backend.coarse_features(ws, None, regions)
        self._cache[key] = coarse
        if len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return coarse

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._backend.label_features(ws)

    def projected_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        return self._backend.projected_label_features(ws, basis)

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        return self._backend.synthesize_fine(coarse, ws, side, regions)


class CpuFallbackBackend(SynthesisBackend):
    """Wraps a backend until its device runs out of memory; then runs torch on the processor, in float32.

    Results lie on the device of `ws`. Where the processor runs out of memory too, torch.OutOfMemoryError is raised.
    """

    def __init__(self, backend: SynthesisBackend, generator: Generator, on_fallback: Callable[[str], None]) -> None:
        """Args: on_fallback: called once, with a sentence for people."""
        super().__init__(backend.name, backend.precision, backend.num_streams)
        self._backend, self._generator, self._on_fallback = backend, generator, on_fallback

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        def compute() -> CoarseFeatures:
            moved = self._moved(ws)
            around = None if surroundings is None else surroundings.to(moved.device)
            return self._backend.coarse_features(moved, around, self._moved_regions(regions)).to(ws.device)

        return self._run(compute)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._run(lambda: _all_to(self._backend.label_features(self._moved(ws)), ws.device))

    def projected_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        def compute() -> dict[int, Tensor]:
            moved = self._moved(ws)
            return _all_to(self._backend.projected_label_features(moved, basis.to(moved.device)), ws.device)

        return self._run(compute)

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        def compute() -> Tensor:
            moved, moved_regions = self._moved(ws), self._moved_regions(regions)
            return self._backend.synthesize_fine(coarse.to(moved.device), moved, side, moved_regions).to(ws.device)

        return self._run(compute)

    def _run(self, compute: Callable[[], _Result]) -> _Result:
        try:
            return compute()
        except torch.OutOfMemoryError:
            if self.has_fallen_back:
                raise
        self._fall_back()
        return compute()

    def _fall_back(self) -> None:
        self._on_fallback("the graphics card has too little memory; pictures are made by the processor from now on")
        self.has_fallen_back = True
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._backend = TorchBackend(_cpu_copy(self._generator))
        self.name, self.precision, self.num_streams = (
            self._backend.name, self._backend.precision, self._backend.num_streams,
        )  # fmt: skip

    def _moved_regions(self, regions: Regions | None) -> Regions | None:
        return None if regions is None else Regions(self._moved(regions.masks))

    def _moved(self, tensor: Tensor) -> Tensor:
        return tensor.cpu() if self.has_fallen_back else tensor


def _cpu_copy(generator: Generator) -> Generator:
    # The original stays on the accelerator, where the encoder and others use it. The memo gives the copy tensors that
    # are on the processor already: a second copy on the accelerator would not fit either.
    memo: dict[int, Tensor] = {
        id(weight): torch.nn.Parameter(weight.detach().cpu(), weight.requires_grad) for weight in generator.parameters()
    }
    memo |= {id(buffer): buffer.cpu() for buffer in generator.buffers()}
    return copy.deepcopy(generator, memo)


def _all_to(features: dict[int, Tensor], device: torch.device) -> dict[int, Tensor]:
    return {side: maps.to(device) for side, maps in features.items()}
