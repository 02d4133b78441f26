"""MobileStyleGAN in OpenVINO on the processor: the same arithmetic, fused and in the memory layout that cores prefer.

The network is converted from torch once and stored on disk, as is what OpenVINO compiles from it for this machine.
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
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.coarse_features import CoarseFeatures, Surroundings, blended_sides
from smis_desktop.generators.feature_basis import FeatureBasis, num_axes
from smis_desktop.generators.generator import draft_side
from smis_desktop.generators.layers import Precision, Regions
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.inference.openvino_graph import CoarsePart, FinePart, LabelsPart, Part, ProjectedLabelsPart
from smis_desktop.inference.openvino_runtime import openvino

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_FILES_VERSION = 6
"""Raised when what is converted changes."""
_EXACT_SIDE = 16
"""Maps up to this side stay in float32 whatever the precision. They are a fiftieth of the arithmetic, and every later
layer passes on their errors: with these maps and all scales exact, full pictures in bfloat16 reach 46 dB at worst
instead of 42 (docs/experiments/backends.md)."""


class OpenVINOBackend(SynthesisBackend):
    """Runs a MobileStyleGAN in OpenVINO. Pictures in regions are left to torch: they are rare, and vary in number of
    regions."""

    def __init__(self, generator: MobileStyleGAN, converted: ConvertedGenerator, precision: Precision, threads: int):
        """Args: threads: how many cores to use. Raises RuntimeError when this processor cannot run it."""
        super().__init__(f"OpenVINO, {precision}", precision, num_streams=threads)
        self._generator = generator
        self._torch = TorchBackend(generator, precision)
        self._core = openvino.Core()
        self._core.set_property({"CACHE_DIR": str(converted.folder / "compiled")})
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Pinned, the threads of every process would share the same first cores: two processes that train together,
            # or the window and a training, would take turns at one core while the next is idle.
            "ENABLE_CPU_PINNING": False,
        }
        self._converted = converted
        self._networks: dict[str, CompiledPart] = {}
        self._compiling = threading.Lock()
        self._sides = sorted(generator.label_features(_mean_ws(generator)))
        self._nothing_around = _surrounding_inputs(generator, None)

    def coarse_features(
        self, ws: Tensor, surroundings: Surroundings | None = None, regions: Regions | None = None
    ) -> CoarseFeatures:
        if regions is not None:
            return self._torch.coarse_features(ws, None, regions)
        around = self._nothing_around if surroundings is None else _surrounding_inputs(self._generator, surroundings)

        def read(outputs: Iterable[np.ndarray]) -> CoarseFeatures:
            *labels, features = (_channels_first(output) for output in outputs)
            if surroundings is None:
                labels, features = [maps.clone() for maps in labels], features.clone()
            own = CoarseFeatures(dict(zip(self._sides, labels, strict=True)), features)
            return own if surroundings is None else surroundings.around_all(own)

        return self._run(COARSE, read, ws, *around)

    def synthesize_fine(self, coarse: CoarseFeatures, ws: Tensor, side: int, regions: Regions | None = None) -> Tensor:
        if regions is not None:
            return self._generator.synthesize_fine(coarse, ws, side, regions)
        (picture,) = self._run(fine_part(side), _copied, coarse.features.permute(0, 2, 3, 1), ws)
        return torch.from_numpy(picture)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._by_side(self._run(LABELS, _copied, ws))

    def projected_label_features(self, ws: Tensor, basis: FeatureBasis) -> dict[int, Tensor]:
        outputs = self._run(PROJECTED_LABELS, _copied, ws, *basis.columns, *basis.shifts)
        pixels = {side: torch.from_numpy(steps) for side, steps in zip(self._sides, outputs, strict=True)}
        return {side: steps.mT.view(len(steps), -1, side, side) for side, steps in pixels.items()}

    def _by_side(self, features: Iterable[np.ndarray]) -> dict[int, Tensor]:
        return {side: _channels_first(maps) for side, maps in zip(self._sides, features, strict=True)}

    def _run(self, part: str, read: Callable[[Iterable[np.ndarray]], _Result], *inputs: Tensor) -> _Result:
        """Run a part of the network, and compile it the first time. Args: read: see `CompiledPart.run`."""
        arrays = [np.ascontiguousarray(x.numpy()) for x in inputs]
        with self._compiling:
            network = self._networks.get(part)
            if network is None:
                # The first run is inside the lock: OpenVINO's binding initialises itself in the first run of a process,
                # and two threads that ran first together have deadlocked.
                return self._compile(part).run(arrays, read)
        return network.run(arrays, read)

    def _compile(self, part: str) -> CompiledPart:
        # Labels are read off many pictures: one picture a core is more throughput than all cores at one picture.
        is_throughput_bound = part in (LABELS, PROJECTED_LABELS)
        settings = self._settings | ({"NUM_STREAMS": self.num_streams} if is_throughput_bound else {})
        compiled = self._core.compile_model(self._converted.path(part), "CPU", settings)
        noises = [noise.numpy() for noise in build_part(self._generator, part).noises]
        self._networks[part] = CompiledPart(compiled, noises)
        return self._networks[part]


class CompiledPart:
    """A compiled part of the network with its noise inputs. Several threads may run it at once."""

    def __init__(self, compiled: Any, noises: list[np.ndarray]) -> None:
        self._compiled, self._noises = compiled, noises
        self._idle: deque[Any] = deque()
        """Requests that are not running. Each holds all feature maps, so making one takes as long as a picture."""

    def run(self, inputs: list[np.ndarray], read: Callable[[Iterable[np.ndarray]], _Result]) -> _Result:
        """Run the part on its inputs other than the noise.

        Args:
            read: takes the outputs, which another run writes to again, and returns what this one is to return.
        """
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        outputs = request.infer([*inputs, *self._noises], share_inputs=True, share_outputs=True)
        result = read(outputs.values())
        self._idle.append(request)
        return result


class ConvertedGenerator:
    """A generator's network files on disk.

    Parts for drafts are converted at once, others when they are first needed, so that the first start does not wait.
    """

    def __init__(self, generator: MobileStyleGAN, folder: Path, progress: Callable[[str, float], None]) -> None:
        """Args: folder: of all generators' files; each has a folder in it. progress: takes text and fraction, 0–1."""
        self._generator = generator
        self.folder = folder / f"{generator.name}-{_digest(generator)}"
        parts = [COARSE, fine_part(draft_side(generator))]
        missing = [part for part in parts if not self._file(part).is_file()]
        words = "Preparing the networks for this processor, once"
        for number, part in enumerate(missing):
            progress(words, number / len(missing))
            self._convert(part)
        if missing:
            progress(words, 1.0)

    def path(self, part: str) -> Path:
        """Return the file of a part (see `build_part`), and convert it if it is missing."""
        if not self._file(part).is_file():
            log.info("preparing %s for this processor, once", part)
            self._convert(part)
        return self._file(part)

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.xml"

    def _convert(self, name: str) -> None:
        part, ws = build_part(self._generator, name).eval(), _mean_ws(self._generator)
        inputs: tuple[Tensor, ...] = (ws, *part.noises)
        if isinstance(part, CoarsePart):
            inputs = (ws, *_surrounding_inputs(self._generator, None), *part.noises)
        if isinstance(part, ProjectedLabelsPart):
            axes = num_axes(self._generator)
            columns = [torch.zeros(self._generator.feature_channels(side), axes[side]) for side in sorted(axes)]
            inputs = (ws, *columns, *(torch.zeros(axes[side]) for side in sorted(axes)), *part.noises)
        if isinstance(part, FinePart):
            with torch.no_grad():
                features = self._generator.coarse_features(ws).features
            inputs = (features.permute(0, 2, 3, 1).contiguous(), *inputs)
        with warnings.catch_warnings():
            # The converter traces, which torch calls deprecated; warnings that shapes become constants are intended.
            warnings.simplefilter("ignore")
            converted = openvino.convert_model(
                part, example_input=inputs, input=[list(tensor.shape) for tensor in inputs]
            )
        for operation in converted.get_ops():
            if _stays_in_float32(operation):
                operation.get_rt_info()["precise_0"] = ""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Several processes may convert the same part; its .xml, which comes last, says that it is complete.
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="growing-") as temporary:
            network = Path(temporary) / self._file(name).name
            openvino.save_model(converted, network, compress_to_fp16=False)
            for file in (network.with_suffix(".bin"), network):
                os.replace(file, self.folder / file.name)


# Names of parts are names of files on disk, which is why they keep their older words.
COARSE, LABELS, PROJECTED_LABELS = "structure", "labels", "reduced-labels"
_FINE = "finish-"


def fine_part(side: int) -> str:
    """Return the name of the part that makes pictures of that side from coarse features."""
    return f"{_FINE}{side}"


def build_part(generator: MobileStyleGAN, name: str) -> Part:
    """Build the part of that name in torch."""
    part = {COARSE: CoarsePart, LABELS: LabelsPart, PROJECTED_LABELS: ProjectedLabelsPart}.get(name)
    return part(generator) if part else FinePart(generator, int(name.removeprefix(_FINE)))


def _stays_in_float32(operation: Any) -> bool:
    """Return whether an operation computes channel scales or small maps.

    Products of scales are left out: in float32 they would force the large map that they scale into another layout.
    """
    if operation.get_type_name() in ("Constant", "Parameter", "Result"):
        return False
    shape = operation.get_output_shape(0)
    if len(shape) != 4 or shape[2] != shape[3]:
        return False
    return bool(operation.get_type_name() == "Convolution" if shape[2] == 1 else shape[2] <= _EXACT_SIDE)


def _surrounding_inputs(generator: MobileStyleGAN, surroundings: Surroundings | None) -> list[Tensor]:
    """Return the surroundings as `CoarsePart` takes them; None = a whole picture."""
    sides = blended_sides(generator.feature_resolution)
    if surroundings is None:
        masks = [torch.ones(1, 1, side, side) for side in sides]
        return [*masks, *(torch.zeros(1, side, side, generator.feature_channels(side)) for side in sides)]
    masks = [surroundings.at(side) for side in sides]
    around = [surroundings.coarse.label_features[side] * (1 - mask) for side, mask in zip(sides, masks, strict=True)]
    return [*masks, *(maps.permute(0, 2, 3, 1) for maps in around)]


def _copied(outputs: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [output.copy() for output in outputs]


def _channels_first(features: np.ndarray) -> Tensor:
    """View [N, r, r, Z] as [N, Z, r, r], in the same memory."""
    return torch.from_numpy(features).permute(0, 3, 1, 2)


def _mean_ws(generator: MobileStyleGAN) -> Tensor:
    return generator.broadcast(generator.w_avg[None]).contiguous()


def _digest(generator: MobileStyleGAN) -> str:
    """Return a digest of everything that the files are made from."""
    digest = hashlib.sha256(f"{_FILES_VERSION} {openvino.__version__} {torch.__version__}".encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
