"""A stand-in for CUDA graphs on the processor, which leaves out nothing but CUDA itself."""

from __future__ import annotations

import torch

from smis_desktop.inference.cuda_graph_backend import CapturedGraph, Work


class FakeCapture:
    """Captures on the processor: a replay writes to the first outputs, from what the captured inputs hold by then."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, work: Work, inputs: tuple[torch.Tensor, ...]) -> CapturedGraph:
        self.count += 1
        outputs = work(*inputs)

        def replay() -> None:
            for place, value in zip(outputs, work(*inputs), strict=True):
                place.copy_(value)

        return CapturedGraph(replay, outputs)
