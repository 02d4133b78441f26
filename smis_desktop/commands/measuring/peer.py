"""The yardsticks of the generator: another runtime's run of the same weights, and the arithmetic itself."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from smis_desktop.commands.measuring.timing import Work
from smis_desktop.errors import UserError
from smis_desktop.gan.protocol import Generator
from smis_desktop.storage.generator_store import DEFAULT_GENERATOR
from smis_desktop.storage.original_faces import original_synthesis_network
from smis_desktop.storage.wheel_download import Progress

MATRIX_SIDE = 2048
MATRIX_FLOP = 2 * MATRIX_SIDE**3


def peer_work(generator: Generator, progress: Progress) -> Work | str:
    """OpenVINO's run of the original synthesis network, on as many threads as torch's; or why there is none."""
    if generator.name != DEFAULT_GENERATOR:
        return f"only the generator {DEFAULT_GENERATOR} has a peer, this is {generator.name}"
    try:
        from smis_desktop.gan.quiet_openvino import openvino
    except ImportError:
        return "the package openvino is not installed"
    try:
        network: Path = original_synthesis_network(progress)
    except UserError as error:
        return str(error)
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(network, "CPU", settings)
    style = generator.w_avg[None].cpu().numpy()
    return lambda: compiled(style)


def matrix_work(generator: Generator) -> Work:
    """One product of two 2048² matrices, `MATRIX_FLOP` operations: what the machine can do at its best."""
    a = torch.rand(2, MATRIX_SIDE, MATRIX_SIDE, generator=torch.Generator().manual_seed(0)).to(generator.device)
    return lambda: torch.mm(a[0], a[1])


def synthesis_flop(generator: Generator) -> int:
    """Multiplications and additions in the convolutions and matrix products of one full picture."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        generator.synthesis(generator.broadcast(generator.w_avg[None]))
    return int(counter.get_total_flops())
