"""Chooses the backend that makes the pictures: by its self-test or by the person, and stores the choice with the
results."""

from __future__ import annotations

import logging
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch

from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator, draft_side, seeded_z
from smis_desktop.generators.layers import Precision
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import CachingBackend, CpuFallbackBackend, SynthesisBackend, TorchBackend
from smis_desktop.inference.cuda_graph_backend import CudaGraphBackend
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.wheel_download import Progress

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
"""How far a float32 backend's pictures may differ from torch's; pictures span [-1, 1]."""
MIN_PSNR = 45.0
"""The least PSNR in dB against torch of a bfloat16 backend, over all test pictures."""
_SEEDS = range(4)
"""Seeds of the test pictures, in addition to the mean one: bfloat16's error differs from picture to picture."""
_TRUNCATION = 0.7
_MAX_RUNS = 5
_MIN_RUNS = 2
_MAX_SECONDS = 0.4
"""How long one backend is timed: the first start waits for all of them."""


@dataclass(frozen=True)
class SelfTest:
    """The self-test's result for one backend.

    milliseconds: for a draft. psnr, max_difference: of the worst test picture against torch's. fault: why the backend
    cannot be chosen, empty if it can.
    """

    backend: BackendName
    milliseconds: float = 0.0
    psnr: float = 0.0
    max_difference: float = 0.0
    fault: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-compatible values."""
        return asdict(self)


def open_backend(
    backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress
) -> SynthesisBackend:
    """Open a backend for a generator.

    Args:
        folder: where it may store converted networks.
        threads: how many cores to use.

    Raises:
        BackendUnavailable: it cannot run here.
    """
    return CachingBackend(_open(backend, generator, folder, threads, progress), generator.fine_slots.start)


class BackendUnavailable(Exception):
    """Raised when a backend cannot run here; the text says why."""


def self_tests(generator: Generator, folder: Path, threads: int, progress: Progress) -> list[SelfTest]:
    """Test every backend. Returns the fastest first, and the unavailable ones last."""
    side = draft_side(generator)
    reference = TorchBackend(generator)
    with torch.inference_mode():
        latents = [generator.broadcast(w[None]).contiguous() for w in (generator.w_avg, *_random_latents(generator))]
        expected = [_picture(reference, ws, side).clamp(-1, 1).cpu() for ws in latents]
        tests = []
        for name in BACKENDS:
            try:
                backend = _open(name, generator, folder, threads, progress)
                tests.append(_test(name, backend, latents, side, expected))
            except (BackendUnavailable, RuntimeError) as error:
                tests.append(SelfTest(name, fault=str(error).splitlines()[0]))
    return sorted(tests, key=lambda test: (bool(test.fault), test.milliseconds))


def _random_latents(generator: Generator) -> torch.Tensor:
    z = torch.cat([seeded_z(seed, generator.w_dim) for seed in _SEEDS])
    return generator.mapping(z.to(generator.device), _TRUNCATION)


def _picture(backend: SynthesisBackend, ws: torch.Tensor, side: int) -> torch.Tensor:
    return backend.synthesize_fine(backend.coarse_features(ws), ws, side)


def _test(
    name: BackendName,
    backend: SynthesisBackend,
    latents: list[torch.Tensor],
    side: int,
    expected: list[torch.Tensor],
) -> SelfTest:
    # The first picture compiles or captures, so these are not timed; `cpu` waits for an accelerator.
    errors = [
        _picture(backend, ws, side).cpu().clamp(-1, 1) - picture for ws, picture in zip(latents, expected, strict=True)
    ]
    errors = [error.nan_to_num(nan=2.0) for error in errors]  # NaN counts as the largest difference
    times: list[float] = []
    while len(times) < _MIN_RUNS or (len(times) < _MAX_RUNS and sum(times) < _MAX_SECONDS):
        started = time.perf_counter()
        _picture(backend, latents[0], side).cpu()
        times.append(time.perf_counter() - started)
    psnr = min(float(10 * torch.log10(4 / error.square().mean().clamp_min(1e-20))) for error in errors)
    worst = max(float(error.abs().max()) for error in errors)
    is_accurate = psnr >= MIN_PSNR if PRECISIONS[name] == "bfloat16" else worst <= MAX_DIFFERENCE
    fault = "" if is_accurate else f"its pictures differ from torch's ({psnr:.0f} dB)"
    return SelfTest(name, 1000 * statistics.median(times), psnr, worst, fault)


def _open(
    backend: BackendName, generator: Generator, folder: Path, threads: int, progress: Progress
) -> SynthesisBackend:
    if backend in ("torch", "torch-bf16"):
        return TorchBackend(generator, PRECISIONS[backend])
    if backend == "torch-graphs":
        if generator.device.type != "cuda":
            raise BackendUnavailable("CUDA graphs need one of NVIDIA's graphics cards")
        return CudaGraphBackend(generator)
    if not isinstance(generator, MobileStyleGAN) or generator.device.type != "cpu":
        raise BackendUnavailable("OpenVINO runs MobileStyleGAN on the processor only")
    try:
        from smis_desktop.inference.openvino_backend import ConvertedGenerator, OpenVINOBackend
        from smis_desktop.inference.openvino_runtime import openvino
    except ImportError as error:
        raise BackendUnavailable("OpenVINO is not installed") from error
    if backend == "openvino-bf16" and "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise BackendUnavailable("this processor has no bfloat16")
    try:
        converted = ConvertedGenerator(generator, folder, progress)
        return OpenVINOBackend(generator, converted, PRECISIONS[backend], threads)
    except OSError as error:
        raise BackendUnavailable(f"its files cannot be kept in {folder} ({error.strerror})") from error


AUTO = "auto"


@dataclass(frozen=True)
class BackendChoice:
    """The stored choice and self-test results. chosen: a backend's name or `auto`. tests: fastest first, as
    `SelfTest.as_dict`."""

    chosen: str
    tests: tuple[dict[str, Any], ...]


def read_backend_choice() -> BackendChoice:
    """Read the stored choice and results; on a new machine nothing is tested yet."""
    stored = _read()
    is_complete = all("backend" in test for test in stored.tests)
    return BackendChoice(
        stored.chosen if stored.chosen in BACKENDS else AUTO, tuple(stored.tests) if is_complete else ()
    )


def requested_backend() -> str:
    """Return `$SMIS_BACKEND`, else the person's choice: a backend's name or `auto`. Raises UserError for any other
    value."""
    requested = os.environ.get("SMIS_BACKEND") or read_backend_choice().chosen
    if requested not in (AUTO, *BACKENDS):
        raise UserError(f"SMIS_BACKEND={requested} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    return requested


def choose_backend(name: str) -> None:
    """Store the person's choice; `auto` takes the self-test's winner.

    Raises:
        UserError: there is no such backend, or the disk is full.
    """
    if name not in (AUTO, *BACKENDS):
        raise UserError(f"{name!r} is no backend; choose one of: {', '.join((AUTO, *BACKENDS))}.")
    _write(msgspec.structs.replace(_read(), chosen=name))


def open_chosen_backend(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> CpuFallbackBackend:
    """Open the chosen backend, or torch when that one cannot run here. See `chosen_backend`."""
    name, folder = chosen_backend(generator, threads, progress, precision), _folder()
    try:
        backend = open_backend(name, generator, folder, threads, progress)
    except (BackendUnavailable, RuntimeError) as error:
        log.warning("pictures are made by torch, because %s: %s", name, error)
        backend = open_backend(_torch_backend(precision or "float32"), generator, folder, threads, progress)
    return CpuFallbackBackend(backend, generator, log.warning)


def chosen_backend(
    generator: Generator, threads: int, progress: Progress, precision: Precision | None = None
) -> BackendName:
    """Return the requested backend, or the self-test's winner.

    Args:
        precision: what a training began with and has to go on with; then only backends of that precision count.
    """
    requested, folder = requested_backend(), _folder()
    name: BackendName = (
        _fastest(generator, threads, folder, progress)
        if requested == AUTO
        else next(b for b in BACKENDS if b == requested)
    )
    if precision is not None and PRECISIONS[name] != precision:
        if requested == AUTO:
            return _fastest(generator, threads, folder, progress, precision)
        return _torch_backend(precision)
    return name


def _torch_backend(precision: Precision) -> BackendName:
    """Return the torch backend of that precision, which runs everywhere."""
    return "torch" if precision == "float32" else "torch-bf16"


def _fastest(
    generator: Generator, threads: int, folder: Path, progress: Progress, precision: Precision | None = None
) -> BackendName:
    stored = _read()
    key: list[str | int | None] = [
        *BACKENDS,
        _device_name(generator),
        platform.node(),
        platform.processor(),
        os.cpu_count(),  # not `threads`: processes that train together use fewer, but the same backend is fastest
        generator.weights_sha256,
    ]
    if stored.tested_on != key:
        progress("Finding the fastest backend for this computer (once)", -1.0)
        tests = [test.as_dict() for test in self_tests(generator, folder, threads, progress)]
        for test in tests:
            log.info("self-test: %s", test)
        stored = msgspec.structs.replace(stored, tested_on=key, tests=tests)
        try:
            _write(stored)
        except UserError as error:
            log.warning("the self-test's results cannot be stored: %s", error)
    usable = [test["backend"] for test in stored.tests if not test["fault"] and test["backend"] in PRECISIONS]
    matching: list[BackendName] = [name for name in usable if precision in (None, PRECISIONS[name])]
    return matching[0] if matching else _torch_backend(precision or "float32")


def _device_name(generator: Generator) -> str:
    return torch.cuda.get_device_name(generator.device) if generator.device.type == "cuda" else generator.device.type


def _folder() -> Path:
    return data_folder("backends")


class _StoredChoice(msgspec.Struct, omit_defaults=True):
    chosen: str = AUTO
    tested_on: list[str | int | None] = []
    tests: list[dict[str, Any]] = []


def _read() -> _StoredChoice:
    try:
        return msgspec.json.decode((_folder() / "choice.json").read_bytes(), type=_StoredChoice)
    except (OSError, msgspec.DecodeError):
        return _StoredChoice()  # nothing is stored yet, or it is unreadable: the self-test runs again


def _write(choice: _StoredChoice) -> None:
    write_bytes(_folder() / "choice.json", msgspec.json.format(msgspec.json.encode(choice), indent=1))
