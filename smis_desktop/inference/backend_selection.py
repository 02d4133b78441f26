"""Which backend makes the pictures: the self-test and the person's choice."""

from __future__ import annotations

import json
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from smis_desktop.errors import UserError
from smis_desktop.generators.device import Precision
from smis_desktop.generators.latents import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.protocol import Generator
from smis_desktop.inference.backends import CachingBackend, SynthesisBackend, TorchBackend, quick_side
from smis_desktop.inference.cpu_fallback_backend import CpuFallbackBackend
from smis_desktop.inference.cuda_graph_backend import CudaGraphBackend
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder

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


def open_backend(
    backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress
) -> SynthesisBackend:
    """That backend for that generator. folder: for files that it keeps. threads: cores to use.

    Raises BackendMissing when it cannot run here.
    """
    return CachingBackend(_open(backend, generator, folder, threads, progress), generator.fine_slots.start)


class BackendMissing(Exception):
    """A backend cannot run here. The text says why."""


def self_tests(generator: Generator, folder: Path, threads: int, progress: Progress) -> list[SelfTest]:
    """Each backend, tested; the best first, those that are no choice last."""
    side = quick_side(generator)
    reference = TorchBackend(generator)
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


def _picture(pictures: SynthesisBackend, ws: torch.Tensor, side: int) -> torch.Tensor:
    return pictures.finish(pictures.structure(ws), ws, side, None)


def _tested(
    backend: BackendName, pictures: SynthesisBackend, tried: list[torch.Tensor], side: int, wanted: list[torch.Tensor]
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


def _open(
    backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress
) -> SynthesisBackend:
    if backend in ("torch", "torch-bf16"):
        return TorchBackend(generator, PRECISIONS[backend])
    if backend == "torch-graphs":
        if generator.device.type != "cuda":
            raise BackendMissing("only CUDA's graphics cards record what they compute")
        return CudaGraphBackend(generator)
    if not isinstance(generator, MobileStyleGAN) or generator.device.type != "cpu":
        raise BackendMissing("OpenVINO runs MobileStyleGAN on the processor only")
    try:
        from smis_desktop.inference.openvino_backend import ConvertedGenerator, OpenVINOBackend
        from smis_desktop.inference.openvino_runtime import openvino
    except ImportError as error:
        raise BackendMissing("OpenVINO is not installed") from error
    if backend == "openvino-bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BackendMissing("this processor has no bfloat16")
    try:
        converted = ConvertedGenerator(generator, folder, progress)
        return OpenVINOBackend(generator, converted, PRECISIONS[backend], threads)
    except OSError as error:
        raise BackendMissing(f"its files cannot be kept in {folder} ({error.strerror})") from error


AUTO = "auto"


@dataclass(frozen=True)
class BackendFacts:
    """chosen: a backend's name or `auto`. tests: what the self-test found, best first, as `SelfTest.as_dict`."""

    chosen: str
    tests: tuple[dict[str, Any], ...]


def backend_facts() -> BackendFacts:
    """As kept on the disk; nothing was tested yet on a new machine."""
    stored = _read()
    chosen = stored.get("chosen", AUTO)
    tests = stored.get("tests", [])
    is_sound = isinstance(tests, list) and all(isinstance(test, dict) and "backend" in test for test in tests)
    return BackendFacts(chosen if chosen in BACKENDS else AUTO, tuple(tests) if is_sound else ())


def asked_backend() -> str:
    """`$SMIS_BACKEND`, else the person's choice: a backend's name or `auto`. Raises UserError when it is neither."""
    asked = os.environ.get("SMIS_BACKEND") or backend_facts().chosen
    if asked not in (AUTO, *BACKENDS):
        raise UserError(f"SMIS_BACKEND={asked} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    return asked


def choose_backend(name: str) -> None:
    """From now on; `auto` goes by the self-test. Raises UserError for a name that is none, or a full disk."""
    if name not in (AUTO, *BACKENDS):
        raise UserError(f"{name!r} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    _write(_read() | {"chosen": name})


def open_chosen_backend(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> CpuFallbackBackend:
    """The chosen backend; torch when that one cannot run."""
    backend, folder = chosen_backend(generator, threads, progress, precision), _folder()
    try:
        return CpuFallbackBackend(open_backend(backend, generator, folder, threads, progress), generator, log.warning)
    except (BackendMissing, RuntimeError) as error:
        log.warning("pictures are made by torch, because %s: %s", backend, error)
        plain = open_backend(_plain(precision or "float32"), generator, folder, threads, progress)
        return CpuFallbackBackend(plain, generator, log.warning)


def chosen_backend(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> BackendName:
    """The one that is asked for, else the self-test's winner.

    precision: what a training was begun with and has to go on with, wherever it is; then only such backends count.
    """
    asked, folder = asked_backend(), _folder()
    backend: BackendName = (
        _best(generator, threads, folder, progress) if asked == AUTO else next(b for b in BACKENDS if b == asked)
    )
    if precision is not None and PRECISIONS[backend] != precision:
        backend = _best(generator, threads, folder, progress, precision) if asked == AUTO else _plain(precision)
    return backend


def _plain(precision: Precision) -> BackendName:
    """The backend of that precision which runs everywhere, fast or slow."""
    return "torch" if precision == "float32" else "torch-bf16"


def _best(
    generator: Generator, threads: int, folder: Path, progress: Progress, precision: Precision | None = None
) -> BackendName:
    stored = _read()
    key = [
        *BACKENDS,
        _device(generator),
        platform.node(),
        platform.processor(),
        os.cpu_count(),  # not `threads`: processes that train together have fewer, and the same is fastest for them
        generator.weights_sha256,
    ]
    if stored.get("tested_on") != key:
        progress("Finding out what is fastest here, once", -1.0)
        tests = [test.as_dict() for test in self_tests(generator, folder, threads, progress)]
        for test in tests:
            log.info("self-test: %s", test)
        stored |= {"tested_on": key, "tests": tests}
        try:
            _write(stored)
        except UserError as error:
            log.warning("the self-test's outcome cannot be kept: %s", error)
    good = [test["backend"] for test in stored["tests"] if not test["fault"] and test["backend"] in PRECISIONS]
    fitting: list[BackendName] = [b for b in good if precision in (None, PRECISIONS[b])]
    return fitting[0] if fitting else _plain(precision or "float32")


def _device(generator: Generator) -> str:
    return torch.cuda.get_device_name(generator.device) if generator.device.type == "cuda" else generator.device.type


def _folder() -> Path:
    return data_folder("backends")


def _read() -> dict[str, Any]:
    try:
        found = json.loads((_folder() / "choice.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # nothing was chosen yet, or it is unreadable: the self-test runs again
    return found if isinstance(found, dict) else {}


def _write(facts: dict[str, Any]) -> None:
    write_bytes(_folder() / "choice.json", json.dumps(facts, indent=1).encode())
