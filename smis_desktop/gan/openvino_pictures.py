"""OpenVINO's run of a generator on the processor: the same arithmetic, fused and in the layout that the cores like.

The network is converted from torch once and kept on the disk, as is what OpenVINO compiles from it for this machine.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.gan.precision import Precision
from smis_desktop.gan.protocol import Structure
from smis_desktop.gan.quiet_openvino import openvino
from smis_desktop.gan.regions import Regions

log = logging.getLogger(__name__)

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_LAYOUT_OF_FILES = 2
"""Raised when the converted networks change their inputs or outputs."""


class OpenVINOPictures:
    """The `Pictures` of a MobileStyleGAN. Pictures in regions are left to torch: they are rare, and any number wide."""

    def __init__(self, generator: MobileStyleGAN, converted: ConvertedGenerator, precision: Precision, threads: int):
        """threads: how many cores to use. Raises RuntimeError when this processor cannot run it."""
        self._generator, self._precision = generator, precision
        self._core = openvino.Core()
        self._core.set_property({"CACHE_DIR": str(converted.folder / "compiled")})
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._converted = converted
        self._compiled: dict[Path, Any] = {}
        self._sides = sorted(generator.label_features(_some_ws(generator)))

    @property
    def name(self) -> str:
        return f"OpenVINO, {self._precision}"

    @property
    def precision(self) -> Precision:
        return self._precision

    def structure(self, ws: Tensor) -> Structure:
        *labels, features = self._run(self._converted.structure, ws)
        found = {side: torch.from_numpy(found) for side, found in zip(self._sides, labels, strict=True)}
        return Structure(found, torch.from_numpy(features))

    def finish(self, structure: Structure, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        if regions is not None:
            return self._generator.finish(structure, ws, side, regions)
        (picture,) = self._run(self._converted.finish(side), structure.features, ws)
        return torch.from_numpy(picture)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        labels = self._run(self._converted.labels, ws)
        return {side: torch.from_numpy(found) for side, found in zip(self._sides, labels, strict=True)}

    def _run(self, network: Path, *inputs: Tensor) -> Iterable[np.ndarray]:
        """Compiled when it is first needed."""
        if network not in self._compiled:
            self._compiled[network] = self._core.compile_model(network, "CPU", self._settings)
        arrays = [np.ascontiguousarray(x.numpy()) for x in inputs]
        found: Iterable[np.ndarray] = self._compiled[network](arrays, share_inputs=True).values()
        return found


class ConvertedGenerator:
    """A generator's network files on the disk, made when they are missing."""

    def __init__(self, generator: MobileStyleGAN, folder: Path, progress: Callable[[str, float], None]) -> None:
        """folder: for all generators' files; each has its own in it. progress: words and a fraction, 0–1."""
        self._generator = generator
        self.folder = folder / f"{generator.name}-{_digest(generator)}"
        sides = generator.draft_sizes
        if all(path.is_file() for path in (self.structure, self.labels, *map(self.finish, sides))):
            return
        growing = folder / f"{self.folder.name}.growing"
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        words = "Preparing the networks for this processor, once"
        ws = _some_ws(generator)
        with torch.no_grad():
            example = generator.structure(ws).features
        parts: list[tuple[Path, nn.Module, tuple[Tensor, ...]]] = [
            (self.structure, _StructurePart(generator), (ws,)),
            (self.labels, _LabelsPart(generator), (ws,)),
        ]
        parts += [(self.finish(side), _FinishPart(generator, side), (example, ws)) for side in sides]
        for number, (path, part, inputs) in enumerate(parts):
            progress(words, number / len(parts))
            with warnings.catch_warnings():
                # The converter traces, which torch calls deprecated, and shapes that are Python numbers are constants.
                warnings.simplefilter("ignore")
                converted = openvino.convert_model(
                    part.eval(), example_input=inputs, input=[list(one.shape) for one in inputs]
                )
            openvino.save_model(converted, growing / path.name, compress_to_fp16=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        growing.rename(self.folder)
        progress(words, 1.0)

    @property
    def structure(self) -> Path:
        return self.folder / "structure.xml"

    @property
    def labels(self) -> Path:
        return self.folder / "labels.xml"

    def finish(self, side: int) -> Path:
        return self.folder / f"finish-{side}.xml"


class _StructurePart(nn.Module):
    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, ws: Tensor) -> tuple[Tensor, ...]:
        structure = self.generator.structure(ws)
        return (*(structure.label_features[side] for side in sorted(structure.label_features)), structure.features)


class _LabelsPart(nn.Module):
    def __init__(self, generator: MobileStyleGAN) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, ws: Tensor) -> tuple[Tensor, ...]:
        found = self.generator.label_features(ws)
        return tuple(found[side] for side in sorted(found))


class _FinishPart(nn.Module):
    def __init__(self, generator: MobileStyleGAN, side: int) -> None:
        super().__init__()
        self.generator, self.side = generator, side

    def forward(self, features: Tensor, ws: Tensor) -> Tensor:
        return self.generator.finish(Structure({}, features), ws, self.side)


def _some_ws(generator: MobileStyleGAN) -> Tensor:
    return generator.broadcast(generator.w_avg[None]).contiguous()


def _digest(generator: MobileStyleGAN) -> str:
    """Of everything that the files are made from."""
    digest = hashlib.sha256(f"{_LAYOUT_OF_FILES} {openvino.__version__} {torch.__version__}".encode())
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
