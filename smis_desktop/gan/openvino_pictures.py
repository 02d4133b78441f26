"""OpenVINO's run of a generator on the processor: the same arithmetic, fused and in the layout that the cores like.

The network is converted from torch once and kept on the disk, as is what OpenVINO compiles from it for this machine.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.gan.openvino_parts import FinishPart, LabelsPart, Part, StructurePart
from smis_desktop.gan.precision import Precision
from smis_desktop.gan.protocol import Structure
from smis_desktop.gan.quiet_openvino import openvino
from smis_desktop.gan.regions import Regions

log = logging.getLogger(__name__)

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
_LAYOUT_OF_FILES = 3
"""Raised when what is converted changes."""


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
        self._running: dict[str, _Running] = {}
        self._sides = sorted(generator.label_features(_some_ws(generator)))

    @property
    def name(self) -> str:
        return f"OpenVINO, {self._precision}"

    @property
    def precision(self) -> Precision:
        return self._precision

    def structure(self, ws: Tensor) -> Structure:
        *labels, features = self._run(STRUCTURE, ws)
        return Structure(self._by_side(labels), _channels_first(features))

    def finish(self, structure: Structure, ws: Tensor, side: int, regions: Regions | None) -> Tensor:
        if regions is not None:
            return self._generator.finish(structure, ws, side, regions)
        (picture,) = self._run(finish(side), structure.features.permute(0, 2, 3, 1), ws)
        return torch.from_numpy(picture)

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        return self._by_side(self._run(LABELS, ws))

    def _by_side(self, features: Iterable[np.ndarray]) -> dict[int, Tensor]:
        return {side: _channels_first(found) for side, found in zip(self._sides, features, strict=True)}

    def _run(self, part: str, *inputs: Tensor) -> Iterable[np.ndarray]:
        """Compiled when it is first needed."""
        if part not in self._running:
            compiled = self._core.compile_model(self._converted.path(part), "CPU", self._settings)
            noises = [noise.numpy() for noise in part_of(self._generator, part).noises]
            self._running[part] = _Running(compiled, noises)
        running = self._running[part]
        arrays = [np.ascontiguousarray(x.numpy()) for x in inputs]
        found: Iterable[np.ndarray] = running.compiled([*arrays, *running.noises], share_inputs=True).values()
        return found


@dataclass(frozen=True, eq=False)
class _Running:
    """A compiled part, and what it is given besides its other inputs."""

    compiled: Any
    noises: list[np.ndarray]


class ConvertedGenerator:
    """A generator's network files on the disk, made when they are missing."""

    def __init__(self, generator: MobileStyleGAN, folder: Path, progress: Callable[[str, float], None]) -> None:
        """folder: for all generators' files; each has its own in it. progress: words and a fraction, 0–1."""
        self._generator = generator
        self.folder = folder / f"{generator.name}-{_digest(generator)}"
        parts = (STRUCTURE, LABELS, *map(finish, generator.draft_sizes))
        if all(self.path(part).is_file() for part in parts):
            return
        growing = folder / f"{self.folder.name}.growing"
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        words = "Preparing the networks for this processor, once"
        ws = _some_ws(generator)
        with torch.no_grad():
            example = generator.structure(ws).features.permute(0, 2, 3, 1).contiguous()
        for number, name in enumerate(parts):
            part = part_of(generator, name).eval()
            inputs = (*((example, ws) if isinstance(part, FinishPart) else (ws,)), *part.noises)
            progress(words, number / len(parts))
            with warnings.catch_warnings():
                # The converter traces, which torch calls deprecated, and shapes that are Python numbers are constants.
                warnings.simplefilter("ignore")
                converted = openvino.convert_model(
                    part, example_input=inputs, input=[list(one.shape) for one in inputs]
                )
            openvino.save_model(converted, growing / self.path(name).name, compress_to_fp16=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        growing.rename(self.folder)
        progress(words, 1.0)

    def path(self, part: str) -> Path:
        """The file of a part (see `part_of`)."""
        return self.folder / f"{part}.xml"


STRUCTURE, LABELS = "structure", "labels"


def finish(side: int) -> str:
    """The name of the part that ends in pictures of that side."""
    return f"finish-{side}"


def part_of(generator: MobileStyleGAN, name: str) -> Part:
    """The part of that name."""
    if name == STRUCTURE:
        return StructurePart(generator)
    return LabelsPart(generator) if name == LABELS else FinishPart(generator, int(name.removeprefix("finish-")))


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
