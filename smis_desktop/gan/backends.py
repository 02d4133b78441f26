"""Which backend makes the pictures on this machine: held against torch, timed, the fastest good one taken."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.gan.pictures import Pictures, Remembering, TorchPictures, quick_side
from smis_desktop.gan.precision import Precision
from smis_desktop.gan.protocol import Generator
from smis_desktop.gan.recorded_pictures import RecordedPictures

log = logging.getLogger(__name__)

BackendName = Literal["torch", "torch-bf16", "torch-graphs", "openvino", "openvino-bf16"]
PRECISIONS: dict[BackendName, Precision] = {
    "torch": "float32",
    "torch-bf16": "bfloat16",
    "torch-graphs": "bfloat16",
    "openvino": "float32",
    "openvino-bf16": "bfloat16",
}
BACKENDS: tuple[BackendName, ...] = tuple(PRECISIONS)
MAX_DIFFERENCE = 1e-3
"""From torch, of a backend that computes in float32; pictures span [-1, 1]."""
MIN_PSNR = 45.0
"""Against torch in dB, of a backend of reduced precision, the worst of all pictures tried."""
_SEEDS = range(4)
"""Of the pictures tried besides the mean one: how far reduced precision is off differs from picture to picture."""
_TRUNCATION = 0.7
_RUNS = 5
_LEAST_RUNS = 2
_ENOUGH_SECONDS = 0.4
"""A backend that has been timed for so long is known to be slow; the first start waits for all of them."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SelfTest:
    """How one backend did: milliseconds of a small picture, and how far the worst of some was from torch's. `fault`:
    why it is no choice, empty when it is one."""

    backend: BackendName
    milliseconds: float = 0.0
    psnr: float = 0.0
    max_difference: float = 0.0
    fault: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def open_pictures(
    backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress
) -> Pictures:
    """That backend for that generator. folder: for files that it keeps. threads: cores to use.

    Raises BackendMissing when it cannot run here.
    """
    return Remembering(_open(backend, generator, folder, threads, progress), generator.fine_slots.start)


class BackendMissing(Exception):
    """A backend cannot run here. The text says why."""


def self_tests(generator: Generator, folder: Path, threads: int, progress: Progress) -> list[SelfTest]:
    """Each backend, tested; the best first, those that are no choice last."""
    side = quick_side(generator)
    reference = TorchPictures(generator)
    with torch.inference_mode():
        tried = [generator.broadcast(w[None]).contiguous() for w in (generator.w_avg, *_random_latents(generator))]
        wanted = [_picture(reference, ws, side).clamp(-1, 1).cpu() for ws in tried]
        found = []
        for backend in BACKENDS:
            try:
                pictures = _open(backend, generator, folder, threads, progress)
                found.append(_tested(backend, pictures, tried, side, wanted))
            except (BackendMissing, RuntimeError) as error:
                found.append(SelfTest(backend, fault=str(error).splitlines()[0]))
    return sorted(found, key=lambda test: (bool(test.fault), test.milliseconds))


def _random_latents(generator: Generator) -> torch.Tensor:
    z = torch.cat([seeded_z(seed, generator.w_dim) for seed in _SEEDS])
    return generator.mapping(z.to(generator.device), _TRUNCATION)


def _picture(pictures: Pictures, ws: torch.Tensor, side: int) -> torch.Tensor:
    return pictures.finish(pictures.structure(ws), ws, side, None)


def _tested(
    backend: BackendName, pictures: Pictures, tried: list[torch.Tensor], side: int, wanted: list[torch.Tensor]
) -> SelfTest:
    # The first one compiles, or records; `cpu` waits for an accelerator.
    errors = [_picture(pictures, ws, side).cpu().clamp(-1, 1) - of for ws, of in zip(tried, wanted, strict=True)]
    times: list[float] = []
    while len(times) < _LEAST_RUNS or (len(times) < _RUNS and sum(times) < _ENOUGH_SECONDS):
        started = time.perf_counter()
        _picture(pictures, tried[0], side).cpu()
        times.append(time.perf_counter() - started)
    psnr = min(float(10 * torch.log10(4 / error.square().mean().clamp_min(1e-20))) for error in errors)
    worst = max(float(error.abs().max()) for error in errors)
    is_good = psnr >= MIN_PSNR if PRECISIONS[backend] == "bfloat16" else worst <= MAX_DIFFERENCE
    fault = "" if is_good else f"its pictures differ from torch's ({psnr:.0f} dB)"
    return SelfTest(backend, 1000 * statistics.median(times), psnr, worst, fault)


def _open(backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress) -> Pictures:
    if backend in ("torch", "torch-bf16"):
        return TorchPictures(generator, PRECISIONS[backend])
    if backend == "torch-graphs":
        if generator.device.type != "cuda":
            raise BackendMissing("only CUDA's graphics cards record what they compute")
        return RecordedPictures(generator)
    if not isinstance(generator, MobileStyleGAN) or generator.device.type != "cpu":
        raise BackendMissing("OpenVINO runs MobileStyleGAN on the processor only")
    try:
        from smis_desktop.gan.openvino_pictures import ConvertedGenerator, OpenVINOPictures
        from smis_desktop.gan.quiet_openvino import openvino
    except ImportError as error:
        raise BackendMissing("OpenVINO is not installed") from error
    if backend == "openvino-bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BackendMissing("this processor has no bfloat16")
    try:
        converted = ConvertedGenerator(generator, folder, progress)
        return OpenVINOPictures(generator, converted, PRECISIONS[backend], threads)
    except OSError as error:
        raise BackendMissing(f"its files cannot be kept in {folder} ({error.strerror})") from error
