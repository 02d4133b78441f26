"""Synthesis on a graphics card in half precision, with CUDA graphs: kernels are captured once and replayed.

A small picture is hundreds of short kernels, and launching them one by one takes the processor longer than the card
takes to run them. Shapes never change here, so one graph for each kind of call serves all pictures.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend

log = logging.getLogger(__name__)

_WARM_UPS = 3

Work = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class CapturedGraph:
    """A captured graph. replay: computes `outputs` again, in place, from what the captured inputs hold by then."""

    replay: Callable[[], None]
    outputs: tuple[Tensor, ...]


Capture = Callable[[Work, tuple[Tensor, ...]], CapturedGraph]


def capture_cuda_graph(work: Work, inputs: tuple[Tensor, ...]) -> CapturedGraph:
    """Capture `work(*inputs)`. Raises RuntimeError when it does something that CUDA cannot capture."""
    with torch.cuda.device(inputs[0].device):
        side_stream = torch.cuda.Stream()
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):  # first runs allocate and choose algorithms, which must not be captured
            for _ in range(_WARM_UPS):
                work(*inputs)
        torch.cuda.current_stream().wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        # Only this thread's calls could spoil the capture; a training in another thread uses other streams.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = work(*inputs)
    return CapturedGraph(graph.replay, outputs)


class CudaGraphBackend(SynthesisBackend):
    """A backend that captures one picture at a time. What cannot be captured runs as in `TorchBackend`, and is logged.

    Pictures in regions are never captured: they are rare, and have any number of regions.
    """

    def __init__(self, generator: Generator, capture: Capture = capture_cuda_graph) -> None:
        channels_last = copy.deepcopy(generator)
        channels_last.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._torch = TorchBackend(channels_last, "bfloat16")
        super().__init__(f"{self._torch.name}, recorded", self._torch.precision)
        self._capture = capture
        side = generator.feature_resolution
        self._sides = [8 * 2**i for i in range(max(0, side.bit_length() - 3))]
        self._graphs: dict[tuple[str, int], tuple[tuple[Tensor, ...], CapturedGraph] | None] = {}

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        if regions is not None:
            return self._torch.coarse_features(ws, None, regions)

        def work(ws: Tensor, *around: Tensor) -> tuple[Tensor, ...]:
            surroundings = Surroundings(self._coarse(around[1:]), around[0]) if around else None
            return self._maps(self._torch.coarse_features(ws, surroundings))

        if surroundings is None:
            return self._coarse(self._replay("coarse features", 0, work, ws))
        mask = surroundings.mask
        return self._coarse(
            self._replay("features of a patch", mask.shape[-1], work, ws, mask, *self._maps(surroundings.coarse))
        )

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        def work(ws: Tensor) -> tuple[Tensor, ...]:
            features = self._torch.label_features(ws)
            return tuple(features[side] for side in self._sides)

        return dict(zip(self._sides, self._replay("label features", 0, work, ws), strict=True))

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        if regions is not None:
            return self._torch.synthesize_fine(coarse, ws, side, regions)

        def work(ws: Tensor, features: Tensor, *rgb: Tensor) -> tuple[Tensor, ...]:
            return (self._torch.synthesize_fine(CoarseFeatures({}, features, rgb[0] if rgb else None), ws, side),)

        rgb = () if coarse.rgb is None else (coarse.rgb,)
        return self._replay("fine synthesis", side, work, ws, coarse.features, *rgb)[0]

    def _maps(self, coarse: CoarseFeatures) -> tuple[Tensor, ...]:
        rgb = () if coarse.rgb is None else (coarse.rgb,)
        return (*(coarse.label_features[side] for side in self._sides), coarse.features, *rgb)

    def _coarse(self, maps: Sequence[Tensor]) -> CoarseFeatures:
        """Invert `_maps`."""
        labels, (features, *rgb) = maps[: len(self._sides)], maps[len(self._sides) :]
        return CoarseFeatures(dict(zip(self._sides, labels, strict=True)), features, rgb[0] if rgb else None)

    def _replay(self, call: str, side: int, work: Work, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute `work(*inputs)` into new tensors; the first call of its kind is captured."""
        # Captured inputs are written to again, which is not allowed for tensors of inference mode outside it.
        with torch.inference_mode(False), torch.no_grad():
            if (call, side) not in self._graphs:
                self._graphs[call, side] = self._captured(call, work, inputs)
            captured = self._graphs[call, side]
            if captured is None:
                return work(*inputs)
            held, graph = captured
            for place, value in zip(held, inputs, strict=True):
                place.copy_(value)
            graph.replay()
            return tuple(output.clone() for output in graph.outputs)

    def _captured(
        self, call: str, work: Work, inputs: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], CapturedGraph] | None:
        held = tuple(value.clone() for value in inputs)
        try:
            return held, self._capture(work, held)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("CUDA graphs are not used for %s, because %s", call, error)
            return None
