"""OpenVINO's run of a generator on the processor: the same arithmetic, fused and in the layout that the cores like.

The network is converted from torch once and kept on the disk, as is what OpenVINO compiles from it for this machine.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.device import Precision
from smis_desktop.generators.feature_basis import FeatureBasis, kept_axes
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.generators.protocol import CoarseFeatures
from smis_desktop.inference.backends import quick_side
from smis_desktop.inference.openvino_graph import FinishPart, LabelsPart, Part, ReducedLabelsPart, StructurePart
from smis_desktop.inference.openvino_runtime import openvino

log = logging.getLogger(__name__)

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_LAYOUT_OF_FILES = 5
"""Raised when what is converted changes."""
_EXACT_SIDE = 16
"""Maps up to this side stay in float32 whatever the precision. They are a fiftieth of the arithmetic, and every later
layer carries on what they are off by: so, and with exact scales, full pictures in bfloat16 are within 46 dB at worst
instead of 42 (docs/measurements.md)."""


class OpenVINOBackend:
    """The `Pictures` of a MobileStyleGAN. Pictures in regions are left to torch: they are rare, and any number wide."""

    def __init__(self, generator: MobileStyleGAN, converted: ConvertedGenerator, precision: Precision, threads: int):
        """threads: how many cores to use. Raises RuntimeError when this processor cannot run it."""
        self._generator, self._precision = generator, precision
        self._threads = threads
        self._core = openvino.Core()
        self._core.set_property({"CACHE_DIR": str(converted.folder / "compiled")})
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process sit on the same first cores: two that train together, or the window
            # and the training behind it, would take turns at one core while the next is idle.
            "ENABLE_CPU_PINNING": False,
        }
        self._converted = converted
        self._running: dict[str, _Running] = {}
        self._compiling = threading.Lock()
        self._sides = sorted(generator.label_features(_some_ws(generator)))

    @property
    def name(self) -> str:
        return f"OpenVINO, {self._precision}"

    @property
    def precision(self) -> Precision:
        return self._precision

    @property
    def lanes(self) -> int:
        return self._threads

    def structure(self, ws: Tensor) -> CoarseFeatures:
        *labels, features = self._run(STRUCTURE, ws)
        return CoarseFeatures(self._by_side(labels), _channels_first(features))

    def finish(self, structure: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        if regions is not None:
            return self._generator.finish(structure, ws, side, regions)
        (picture,) = self._run(finish(side), structure.features.permute(0, 2, 3, 1), ws)
        return torch.from_numpy(picture)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._by_side(self._run(LABELS, ws))

    def reduced_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        found = self._run(REDUCED_LABELS, ws, *basis.columns, *basis.shifts)
        pixels = {side: torch.from_numpy(steps) for side, steps in zip(self._sides, found, strict=True)}
        return {side: steps.mT.view(len(steps), -1, side, side) for side, steps in pixels.items()}

    def _by_side(self, features: Iterable[np.ndarray]) -> dict[int, Tensor]:
        return {side: _channels_first(found) for side, found in zip(self._sides, features, strict=True)}

    def _run(self, part: str, *inputs: Tensor) -> Iterable[np.ndarray]:
        """Compiled when it is first needed."""
        arrays = [np.ascontiguousarray(x.numpy()) for x in inputs]
        with self._compiling:
            running = self._running.get(part)
            if running is None:
                # Nobody else runs it yet: OpenVINO's binding gets ready in the first run of a process, and two threads
                # that were the first together have been seen to wait for each other for ever.
                return self._compile(part).run(arrays)
        return running.run(arrays)

    def _compile(self, part: str) -> _Running:
        # Labels are read of many pictures: one a core gives more of them than all cores at one.
        of_many = part in (LABELS, REDUCED_LABELS)
        settings = self._settings | ({"NUM_STREAMS": self._threads} if of_many else {})
        compiled = self._core.compile_model(self._converted.path(part), "CPU", settings)
        self._running[part] = _Running(compiled, [noise.numpy() for noise in part_of(self._generator, part).noises])
        return self._running[part]


class _Running:
    """A compiled part, and what it is given besides its other inputs. It may be run by several threads at once."""

    def __init__(self, compiled: Any, noises: list[np.ndarray]) -> None:
        self._compiled, self._noises = compiled, noises
        self._idle: deque[Any] = deque()
        """Requests that nobody runs. Each holds all feature maps, so that making one takes as long as a picture."""

    def run(self, inputs: list[np.ndarray]) -> Iterable[np.ndarray]:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        found: Iterable[np.ndarray] = request.infer([*inputs, *self._noises], share_inputs=True).values()
        self._idle.append(request)
        return found


class ConvertedGenerator:
    """A generator's network files on the disk: what quick pictures need at once, the other parts when they are asked
    for, so that the first start is not kept waiting by them."""

    def __init__(self, generator: MobileStyleGAN, folder: Path, progress: Callable[[str, float], None]) -> None:
        """folder: for all generators' files; each has its own in it. progress: words and a fraction, 0–1."""
        self._generator = generator
        self.folder = folder / f"{generator.name}-{_digest(generator)}"
        parts = [STRUCTURE, finish(quick_side(generator))]
        missing = [part for part in parts if not self._file(part).is_file()]
        words = "Preparing the networks for this processor, once"
        for number, part in enumerate(missing):
            progress(words, number / len(missing))
            self._convert(part)
        if missing:
            progress(words, 1.0)

    def path(self, part: str) -> Path:
        """The file of a part (see `part_of`), made when it is missing."""
        if not self._file(part).is_file():
            log.info("preparing %s for this processor, once", part)
            self._convert(part)
        return self._file(part)

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.xml"

    def _convert(self, name: str) -> None:
        part, ws = part_of(self._generator, name).eval(), _some_ws(self._generator)
        inputs: tuple[Tensor, ...] = (ws, *part.noises)
        if isinstance(part, ReducedLabelsPart):
            axes = kept_axes(self._generator)
            columns = [torch.zeros(self._generator.feature_channels(side), axes[side]) for side in sorted(axes)]
            inputs = (ws, *columns, *(torch.zeros(axes[side]) for side in sorted(axes)), *part.noises)
        if isinstance(part, FinishPart):
            with torch.no_grad():
                features = self._generator.structure(ws).features
            inputs = (features.permute(0, 2, 3, 1).contiguous(), *inputs)
        with warnings.catch_warnings():
            # The converter traces, which torch calls deprecated, and shapes that are Python numbers are constants.
            warnings.simplefilter("ignore")
            converted = openvino.convert_model(part, example_input=inputs, input=[list(one.shape) for one in inputs])
        for operation in converted.get_ops():
            if _stays_exact(operation):
                operation.get_rt_info()["precise_0"] = ""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Several processes may convert the same part; the network counts as there once its description is.
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="growing-") as growing:
            made = Path(growing) / self._file(name).name
            openvino.save_model(converted, made, compress_to_fp16=False)
            for file in (made.with_suffix(".bin"), made):
                os.replace(file, self.folder / file.name)


STRUCTURE, LABELS, REDUCED_LABELS = "structure", "labels", "reduced-labels"


def finish(side: int) -> str:
    """The name of the part that ends in pictures of that side."""
    return f"finish-{side}"


def part_of(generator: MobileStyleGAN, name: str) -> Part:
    """The part of that name."""
    whole = {STRUCTURE: StructurePart, LABELS: LabelsPart, REDUCED_LABELS: ReducedLabelsPart}.get(name)
    return whole(generator) if whole else FinishPart(generator, int(name.removeprefix("finish-")))


def _stays_exact(operation: Any) -> bool:
    """Whether it makes scales of channels or small maps. A product of scales need not be exact: a scale that it makes
    in float32 would have the large map that it scales reordered."""
    if operation.get_type_name() in ("Constant", "Parameter", "Result"):
        return False
    shape = operation.get_output_shape(0)
    if len(shape) != 4 or shape[2] != shape[3]:
        return False
    return bool(operation.get_type_name() == "Convolution" if shape[2] == 1 else shape[2] <= _EXACT_SIDE)


def _channels_first(features: np.ndarray) -> Tensor:
    """[N, r, r, Z] → [N, Z, r, r], the same memory."""
    return torch.from_numpy(features).permute(0, 3, 1, 2)


def _some_ws(generator: MobileStyleGAN) -> Tensor:
    return generator.broadcast(generator.w_avg[None]).contiguous()


def _digest(generator: MobileStyleGAN) -> str:
    """Of everything that the files are made from."""
    digest = hashlib.sha256(f"{_LAYOUT_OF_FILES} {openvino.__version__} {torch.__version__}".encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
