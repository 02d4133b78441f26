"""Pictures on an accelerator whose memory may run out: then they are made by the processor, and nothing is lost."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from smis_desktop.generators.device import Precision
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.protocol import CoarseFeatures, Generator
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend

_Answer = TypeVar("_Answer")


class CpuFallbackBackend:
    """Another backend, until it has too little memory; from then on the processor's, in float32. Answers lie where the
    questions lay. A processor that has too little itself raises as before."""

    def __init__(self, pictures: SynthesisBackend, generator: Generator, told: Callable[[str], None]) -> None:
        """told: hears of the change, once, in a sentence."""
        self._pictures, self._generator, self._told = pictures, generator, told
        self._is_on_processor = False

    @property
    def name(self) -> str:
        return self._pictures.name

    @property
    def precision(self) -> Precision:
        return self._pictures.precision

    @property
    def lanes(self) -> int:
        return self._pictures.lanes

    @property
    def is_on_processor(self) -> bool:
        """Whether it has come to that."""
        return self._is_on_processor

    def structure(self, ws: Tensor) -> CoarseFeatures:
        return self._tried(lambda: _moved(self._pictures.structure(self._brought(ws)), ws.device))

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._tried(lambda: _all_moved(self._pictures.label_features(self._brought(ws)), ws.device))

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        def made() -> dict[int, Tensor]:
            there = self._brought(ws)
            return _all_moved(self._pictures.reduced_label_features(there, basis.on(there.device)), ws.device)

        return self._tried(made)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        def made() -> Tensor:
            there = _moved(structure, self._brought(ws).device)
            masks = None if regions is None else Regions(self._brought(regions.masks))
            return self._pictures.finish(there, self._brought(ws), side, masks).to(ws.device)

        return self._tried(made)

    def _tried(self, work: Callable[[], _Answer]) -> _Answer:
        try:
            return work()
        except torch.OutOfMemoryError:
            if self._is_on_processor:
                raise
        self._go_to_the_processor()
        return work()

    def _go_to_the_processor(self) -> None:
        self._told("the graphics card has too little memory: pictures are made by the processor from now on")
        self._is_on_processor = True
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._pictures = TorchBackend(_on_processor(self._generator))

    def _brought(self, tensor: Tensor) -> Tensor:
        return tensor.cpu() if self._is_on_processor else tensor


def _on_processor(generator: Generator) -> Generator:
    if not isinstance(generator, torch.nn.Module):
        return generator
    # What else is computed on the accelerator, the encoder for one, goes on there with the generator that it has. The
    # copy takes its tensors from the memo, which lie on the processor already: a copy over there would not fit either.
    memo: dict[int, Tensor] = {
        id(weight): torch.nn.Parameter(weight.detach().cpu(), weight.requires_grad) for weight in generator.parameters()
    }
    memo |= {id(buffer): buffer.cpu() for buffer in generator.buffers()}
    moved: Generator = copy.deepcopy(generator, memo)
    return moved


def _moved(structure: CoarseFeatures, device: torch.device) -> CoarseFeatures:
    picture = None if structure.picture is None else structure.picture.to(device)
    return CoarseFeatures(_all_moved(structure.label_features, device), structure.features.to(device), picture)


def _all_moved(features: dict[int, Tensor], device: torch.device) -> dict[int, Tensor]:
    return {side: found.to(device) for side, found in features.items()}
