"""Pictures on a graphics card in half precision, its kernels recorded once and played back (CUDA graphs).

A small picture is hundreds of short kernels, and starting them one by one takes the processor longer than the card
takes to run them. Shapes never change here, so one recording for each kind of call serves all pictures.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from smis_desktop.generators.device import Precision
from smis_desktop.generators.feature_basis import FeatureBasis
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.protocol import CoarseFeatures, Generator
from smis_desktop.inference.backends import TorchBackend

log = logging.getLogger(__name__)

_WARM_UPS = 3

Work = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, eq=False)
class CapturedGraph:
    """play: computes `outputs` anew, in place, from what the recorded inputs hold by then."""

    play: Callable[[], None]
    outputs: tuple[Tensor, ...]


Record = Callable[[Work, tuple[Tensor, ...]], CapturedGraph]


def capture_cuda_graph(work: Work, inputs: tuple[Tensor, ...]) -> CapturedGraph:
    """A CUDA graph of `work(*inputs)`. Raises RuntimeError when it does something that cannot be recorded."""
    with torch.cuda.device(inputs[0].device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # what is allocated or chosen at a first run is no part of the recording
            for _ in range(_WARM_UPS):
                work(*inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # Only this thread's own calls could spoil it: a training in another has nothing to do with this stream.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            outputs = work(*inputs)
    return CapturedGraph(graph.replay, outputs)


class CudaGraphBackend:
    """`Pictures` of one picture at a time. What cannot be recorded is computed as `TorchBackend` does, and the log
    says so; pictures in regions always are: they are rare, and any number wide."""

    def __init__(self, generator: Generator, record: Record = capture_cuda_graph) -> None:
        """record: how calls are recorded."""
        laid_out = copy.deepcopy(generator)
        if isinstance(laid_out, torch.nn.Module):
            laid_out.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._pictures = TorchBackend(laid_out, "bfloat16")
        self._record = record
        side = generator.feature_resolution
        self._sides = [8 * 2**i for i in range(max(0, side.bit_length() - 3))]
        self._recordings: dict[tuple[str, int], tuple[tuple[Tensor, ...], CapturedGraph] | None] = {}

    @property
    def name(self) -> str:
        return f"{self._pictures.name}, recorded"

    @property
    def precision(self) -> Precision:
        return self._pictures.precision

    @property
    def lanes(self) -> int:
        return 1

    def structure(self, ws: Tensor) -> CoarseFeatures:
        def work(ws: Tensor) -> tuple[Tensor, ...]:
            found = self._pictures.structure(ws)
            picture = () if found.picture is None else (found.picture,)
            return (*(found.label_features[side] for side in self._sides), found.features, *picture)

        found = self._played("structure", 0, work, ws)
        labels, (features, *picture) = found[: len(self._sides)], found[len(self._sides) :]
        return CoarseFeatures(dict(zip(self._sides, labels, strict=True)), features, picture[0] if picture else None)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        def work(ws: Tensor) -> tuple[Tensor, ...]:
            found = self._pictures.label_features(ws)
            return tuple(found[side] for side in self._sides)

        return dict(zip(self._sides, self._played("labels", 0, work, ws), strict=True))

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        return basis.reduced(self.label_features(ws), self.precision)

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        if regions is not None:
            return self._pictures.finish(structure, ws, side, regions)

        def work(ws: Tensor, features: Tensor, *picture: Tensor) -> tuple[Tensor, ...]:
            begun = CoarseFeatures({}, features, picture[0] if picture else None)
            return (self._pictures.finish(begun, ws, side, None),)

        picture = () if structure.picture is None else (structure.picture,)
        return self._played("finish", side, work, ws, structure.features, *picture)[0]

    def _played(self, call: str, side: int, work: Work, *inputs: Tensor) -> tuple[Tensor, ...]:
        """`work(*inputs)`, in tensors of its own. Recorded at the first call of that kind."""
        # Recorded inputs are written to again and again, which tensors of the inference mode would not allow elsewhere.
        with torch.inference_mode(False), torch.no_grad():
            if (call, side) not in self._recordings:
                self._recordings[call, side] = self._recorded(call, work, inputs)
            known = self._recordings[call, side]
            if known is None:
                return work(*inputs)
            held, recording = known
            for place, value in zip(held, inputs, strict=True):
                place.copy_(value)
            recording.play()
            return tuple(output.clone() for output in recording.outputs)

    def _recorded(
        self, call: str, work: Work, inputs: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], CapturedGraph] | None:
        held = tuple(value.clone() for value in inputs)
        try:
            return held, self._record(work, held)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            log.warning("%s is not recorded but computed each time, because %s", call, error)
            return None
