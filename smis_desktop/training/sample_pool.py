"""Training samples for the encoder: (w, pseudo label) pairs of random pictures, which need not be synthesized.

The features of the pictures are cached on the disk for the next training of the same generator.
"""

from __future__ import annotations

import logging
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from smis_desktop.errors import UserError
from smis_desktop.generators.feature_basis import FeatureBasis, feature_basis
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe
from smis_desktop.storage.data_folder import data_folder
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner

if TYPE_CHECKING:
    from smis_desktop.generators.layers import Precision

log = logging.getLogger(__name__)

_FEATURES_KIND, _VERSION = "kept-features", 1
_MIB = 2**20
CACHE_SIZE = 2048 * _MIB
"""Bytes that the cached features of all generators may take: some 3,500 pictures of one."""
_MIN_AREA = 1 / 256
"""Fraction of a picture that a class has to cover to count as present."""
_MAX_WEIGHT = 10.0
"""How much more often than others a picture with a rare class is drawn at most."""


def draws(seed: int, stream: str, index: int) -> torch.Generator:
    """Returns an independent random stream for each (seed, stream, index): a resumed training draws the same."""
    entropy = [seed, *stream.encode(), index]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & 0x7FFF_FFFF_FFFF_FFFF)


class FeatureStore(Protocol):
    """A cache of the reduced features of a pool's pictures, for other pools of the same pictures."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """Returns what was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Stores the tensors, where there is room."""
        ...


class SamplePool:
    """A pool of samples that grows by rounds; round i is a pure function of (seed, i). On the CPU: `w` float32 [N,
    512], `labels` int8 [N, r, r] palette channels (int16 from 128 classes up), -1 = unknown.

    A probe reads the features in a `FeatureBasis`, whether they come from the cache or not.
    """

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        seed: int,
        round_size: int,
        num_classes: int,
        backend: SynthesisBackend | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        cache: FeatureStore | None = None,
    ) -> None:
        """backend: computes the features (default: torch). group: the processes that make each round together; each
        holds the whole pool. cache: features of the same pictures, in that backend's precision."""
        self._group = group
        self._backend = backend or TorchBackend(generator)
        self._generator, self._transfer, self._seed, self._round_size = generator, transfer, seed, round_size
        # Of a round that several processes make, none has all features; they have the cores to compute them again.
        self._cache = cache if group.size == 1 and isinstance(transfer, LinearProbe) else None
        self._has_cached_basis = False
        self._basis = self._own_basis() if isinstance(transfer, LinearProbe) else None
        self._reading = (
            transfer.in_basis(self._basis) if isinstance(transfer, LinearProbe) and self._basis else transfer
        )
        r = generator.feature_resolution
        self.num_classes = num_classes
        self._label_dtype = torch.int8 if num_classes < 128 else torch.int16
        self.w = torch.empty(0, generator.w_dim)
        self.labels = torch.empty(0, r, r, dtype=self._label_dtype)
        self._present = torch.empty(0, num_classes, dtype=torch.bool)
        self._weights = torch.empty(0)

    def __len__(self) -> int:
        return len(self.w)

    @property
    def rounds(self) -> int:
        """The number of rounds in the pool."""
        return len(self.w) // self._round_size

    def grow(self) -> tuple[Tensor, Tensor]:
        """Adds the next round and returns it."""
        z = torch.randn(self._round_size, self._generator.w_dim, generator=draws(self._seed, "pool", self.rounds))
        with torch.no_grad():
            w = self._generator.mapping(z.to(self._generator.device))
        # Feature maps of one picture stay in the processor's cache; larger batches were slower on the CPU measured.
        each = w[self._group.share(len(z))].split(1)
        name = f"round-{self.rounds}"
        cached = self._cache.read(name) if self._cache is not None and self._has_cached_basis else None
        features: list[dict[str, Tensor]] = [{}] * len(each)
        if cached is not None:
            features = [{r: found[i : i + 1] for r, found in cached.items()} for i in range(len(each))]
        with ThreadedRunner(self._backend.num_streams) as lanes:
            made = lanes.map([partial(self._sample, *one) for one in zip(each, features, strict=True)])
        if self._cache is not None and cached is None:
            self._cache.write(name, {r: torch.cat([sample.features[r] for sample in made]) for r in made[0].features})
        labels = self._group.all_gather(torch.cat([sample.labels for sample in made]), len(z))
        self.add(w.cpu(), labels)
        return w.cpu(), labels

    @torch.no_grad()
    def _sample(self, w: Tensor, cached: dict[str, Tensor]) -> _Sample:
        """Labels one picture. w: [1, D]. cached: its reduced features, if the cache has them."""
        if cached:
            features = {int(r): found.to(w.device) for r, found in cached.items()}
        elif self._basis is not None:
            features = self._backend.projected_label_features(self._generator.broadcast(w), self._basis)
        else:
            features = self._backend.label_features(self._generator.broadcast(w))
        numbers = {r: found.float() for r, found in features.items()}
        labels = self._reading.label(numbers).to("cpu", self._label_dtype)
        to_cache = {str(r): found.cpu() for r, found in features.items()} if self._cache is not None else {}
        return _Sample(labels, to_cache)

    def _own_basis(self) -> FeatureBasis:
        cached = None if self._cache is None else self._cache.read("basis")
        # Reduced features mean nothing in another basis: where the cache has lost its own, its rounds are useless.
        self._has_cached_basis = cached is not None
        if cached is not None:
            return FeatureBasis.from_state(cached, self._generator.device)
        basis = feature_basis(self._generator)
        if self._cache is not None:
            self._cache.write("basis", basis.state())
        return basis

    def add(self, w: Tensor, labels: Tensor) -> None:
        """Adds a round that `grow` made earlier."""
        self.w = torch.cat((self.w, w))
        self.labels = torch.cat((self.labels, labels.to(self._label_dtype)))
        pixels = labels.flatten(1).long() + 1  # UNKNOWN_CHANNEL is 0
        counts = torch.zeros(len(pixels), self.num_classes + 1).scatter_add_(1, pixels, torch.ones(pixels.shape))
        self._present = torch.cat((self._present, counts[:, 1:] >= _MIN_AREA * pixels.shape[1]))
        often = self._present.float().mean(0).clamp_min(_MAX_WEIGHT**-2).rsqrt()
        self._weights = (self._present * often).amax(1).clamp_min(1.0)

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draws indices of `count` samples with replacement, int64 [count].

        The rarer the rarest class in a picture, the more often it is drawn: hats and glasses would hardly be learned
        otherwise.
        """
        return torch.multinomial(self._weights, count, replacement=True, generator=random)


@dataclass(frozen=True, eq=False)
class _Sample:
    """One sample, on the CPU. labels [1, r, r]; features: reduced, by side, where they are to be cached."""

    labels: Tensor
    features: dict[str, Tensor]


class SampleSettings(Protocol):
    """The settings of a training that decide its random pictures."""

    @property
    def seed(self) -> int: ...

    @property
    def round_size(self) -> int: ...

    @property
    def precision(self) -> Precision: ...


class FeatureCache:
    """A cache on the disk for reduced features of random pictures, of limited size; writes in the background.

    The next model of the same generator learns from the same pictures. Their features are merely quicker to read than
    to compute: what is missing, damaged or does not fit is computed again, and no training fails because of the cache.
    """

    def __init__(self, folder: Path, max_bytes: int = CACHE_SIZE) -> None:
        """folder: of one generator and kind of features. Its siblings are deleted when room is needed, least recently
        used first. max_bytes: for all of them."""
        self._folder, self._max_bytes = folder, max_bytes
        self._is_full = max_bytes <= 0
        self._writer = ThreadPoolExecutor(1, "feature-cache")
        self._writing: Future[None] | None = None
        with suppress(OSError):
            if not self._is_full:
                folder.mkdir(parents=True, exist_ok=True)
                os.utime(folder)

    @classmethod
    def of(cls, generator: Generator, settings: SampleSettings, folder: Path | None = None) -> FeatureCache:
        """Returns the cache of the features that a training with these settings computes.

        folder: of the caches of all generators (default: in the data folder).
        `$SMIS_KEPT_FEATURES_MIB` limits its size; 0 turns it off. Raises UserError when that is not a number.
        """
        asked = os.environ.get("SMIS_KEPT_FEATURES_MIB", str(CACHE_SIZE // _MIB))
        if not asked.isdecimal():
            raise UserError(f"SMIS_KEPT_FEATURES_MIB={asked} is no number of MiB; give one, or 0 to keep nothing.")
        kind = f"{settings.seed}-{settings.round_size}-{settings.precision}"
        name = f"{generator.name}-{generator.weights_sha256[:16]}-{kind}"
        return cls((folder or data_folder("features")) / name, int(asked) * _MIB)

    def read(self, name: str) -> dict[str, Tensor] | None:
        self.wait()
        path = self._file(name)
        if not path.is_file():
            return None
        try:
            return read_tensors(path, _FEATURES_KIND, _VERSION, "it is made again")[0]
        except UserError as error:
            log.warning("%s", error)
            with suppress(OSError):
                path.unlink()
            return None

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.wait()  # one at a time: what is waiting to be written takes memory
        if not self._is_full:
            self._writing = self._writer.submit(self._write, name, tensors)

    def wait(self) -> None:
        """Waits until everything is written."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, name: str, tensors: dict[str, Tensor]) -> None:
        needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        try:
            if self._has_room(needed):
                write_tensors(self._file(name), _FEATURES_KIND, _VERSION, tensors, {})
                return
            log.info("the feature cache is full (%d MiB)", self._max_bytes // _MIB)
            self._is_full = True
        except (UserError, OSError) as error:  # the folder may be deleted at any time
            log.warning("the feature cache is turned off: %s", error)
            self._is_full = True

    def _has_room(self, needed: int) -> bool:
        """Returns whether there is room for so many bytes, after deleting other folders if need be."""
        others = [other for other in self._folder.parent.iterdir() if other.is_dir() and other != self._folder]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        sizes = {folder: _size(folder) for folder in (self._folder, *others)}
        if sizes[self._folder] + needed > self._max_bytes:
            return False
        while sum(sizes.values()) + needed > self._max_bytes:
            oldest = others.pop()
            shutil.rmtree(oldest, ignore_errors=True)
            del sizes[oldest]
        return True

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
