"""Training samples for the encoder: (w, pseudo label) pairs of random pictures, without a picture being made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.feature_basis import FeatureBasis, feature_basis
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner

_MIN_AREA = 1 / 256
"""Fraction of a picture that a class has to cover to count as present."""
_MAX_WEIGHT = 10.0
"""How much more often than others a picture with a rare class is drawn at most."""


def draws(seed: int, stream: str, index: int) -> torch.Generator:
    """An independent random stream for each (seed, stream, index): a resumed training draws the same."""
    entropy = [seed, *stream.encode(), index]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & 0x7FFF_FFFF_FFFF_FFFF)


class FeatureStore(Protocol):
    """A cache of the reduced features of a pool's pictures, for other pools of the same pictures."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """What was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Stores the tensors, where there is room."""
        ...


class SamplePool:
    """Grows by rounds; round i is a pure function of (seed, i). On the CPU: `w` float32 [N, 512], `labels` int8
    [N, r, r] palette channels (int16 from 128 classes up), -1 = unknown.

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
        self._num_classes = num_classes
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
        """w: [1, D]. cached: its reduced features, if the cache has them."""
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
        counts = torch.zeros(len(pixels), self._num_classes + 1).scatter_add_(1, pixels, torch.ones(pixels.shape))
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
    """labels [1, r, r]; features: reduced, by side, where they are to be cached. On the CPU."""

    labels: Tensor
    features: dict[str, Tensor]
