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
from smis_desktop.training.distributed import ALONE, ProcessGroup
from smis_desktop.training.threaded_runner import ThreadedRunner

_PRESENT = 1 / 256
"""Part of a picture that a class has to take to count as being there."""
_MOST_OFTEN = 10.0


def draws(seed: int, stream: str, index: int) -> torch.Generator:
    """An independent random stream for each (seed, stream, index): a resumed training draws the same."""
    entropy = [seed, *stream.encode(), index]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & 0x7FFF_FFFF_FFFF_FFFF)


class FeatureStore(Protocol):
    """Where reduced features of a pool's pictures are kept for other pools of the same pictures. It may forget them."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        """What was written under that name, or None."""
        ...

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        """To be kept, where there is room."""
        ...


class SamplePool:
    """Grows by rounds; round i is a pure function of (seed, i). On the CPU: `w` float32 [N, 512], `labels` int8
    [N, r, r] palette channels (int16 from 128 classes up), -1 = unknown.

    Where a probe labels, it reads the features in a `FeatureBasis`, whether they come from the store or not.
    """

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        seed: int,
        round_size: int,
        num_classes: int,
        pictures: SynthesisBackend | None = None,
        ranks: ProcessGroup = ALONE,
        kept: FeatureStore | None = None,
    ) -> None:
        """pictures: the backend that features come from (default: torch). ranks: who makes the rounds together; all of
        them hold all of it. kept: features of the same pictures, of that backend's precision."""
        self._ranks = ranks
        self._pictures = pictures or TorchBackend(generator)
        self._generator, self._transfer, self._seed, self._round_size = generator, transfer, seed, round_size
        # A round that several processes make lies in no one place; they have the cores to make it again.
        self._kept = kept if ranks.count == 1 and isinstance(transfer, LinearProbe) else None
        self._kept_basis = False
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
        """How many rounds it holds."""
        return len(self.w) // self._round_size

    def grow(self) -> tuple[Tensor, Tensor]:
        """Adds the next round and returns it."""
        z = torch.randn(self._round_size, self._generator.w_dim, generator=draws(self._seed, "pool", self.rounds))
        with torch.no_grad():
            w = self._generator.mapping(z.to(self._generator.device))
        # Feature maps of one picture stay in the processor's cache; larger batches were slower on the CPU measured.
        each = w[self._ranks.share(len(z))].split(1)
        name = f"round-{self.rounds}"
        known = self._kept.read(name) if self._kept is not None and self._kept_basis else None
        features: list[dict[str, Tensor]] = [{}] * len(each)
        if known is not None:
            features = [{r: found[i : i + 1] for r, found in known.items()} for i in range(len(each))]
        with ThreadedRunner(self._pictures.num_streams) as lanes:
            made = lanes.map([partial(self._sample, *one) for one in zip(each, features, strict=True)])
        if self._kept is not None and known is None:
            self._kept.write(name, {r: torch.cat([sample.features[r] for sample in made]) for r in made[0].features})
        labels = self._ranks.all_gather(torch.cat([sample.labels for sample in made]), len(z))
        self.add(w.cpu(), labels)
        return w.cpu(), labels

    @torch.no_grad()
    def _sample(self, w: Tensor, known: dict[str, Tensor]) -> _Sample:
        """w: [1, D]. known: its reduced features, where they were kept."""
        if known:
            features = {int(r): found.to(w.device) for r, found in known.items()}
        elif self._basis is not None:
            features = self._pictures.projected_label_features(self._generator.broadcast(w), self._basis)
        else:
            features = self._pictures.label_features(self._generator.broadcast(w))
        numbers = {r: found.float() for r, found in features.items()}
        labels = self._reading.label(numbers).to("cpu", self._label_dtype)
        to_keep = {str(r): found.cpu() for r, found in features.items()} if self._kept is not None else {}
        return _Sample(labels, to_keep)

    def _own_basis(self) -> FeatureBasis:
        known = None if self._kept is None else self._kept.read("basis")
        # Numbers along axes mean nothing along others: without the basis that they were made in, rounds are made again.
        self._kept_basis = known is not None
        if known is not None:
            return FeatureBasis.from_state(known, self._generator.device)
        basis = feature_basis(self._generator)
        if self._kept is not None:
            self._kept.write("basis", basis.state())
        return basis

    def add(self, w: Tensor, labels: Tensor) -> None:
        """Adds a round that `grow` made earlier."""
        self.w = torch.cat((self.w, w))
        self.labels = torch.cat((self.labels, labels.to(self._label_dtype)))
        pixels = labels.flatten(1).long() + 1  # UNKNOWN_CHANNEL is 0
        counts = torch.zeros(len(pixels), self._num_classes + 1).scatter_add_(1, pixels, torch.ones(pixels.shape))
        self._present = torch.cat((self._present, counts[:, 1:] >= _PRESENT * pixels.shape[1]))
        often = self._present.float().mean(0).clamp_min(_MOST_OFTEN**-2).rsqrt()
        self._weights = (self._present * often).amax(1).clamp_min(1.0)

    def drawn(self, count: int, random: torch.Generator) -> Tensor:
        """Places of so many samples, int64 [count]. The rarer the rarest class in a picture, the more often it comes:
        hats and glasses would hardly be learned otherwise."""
        return torch.multinomial(self._weights, count, replacement=True, generator=random)


@dataclass(frozen=True, eq=False)
class _Sample:
    """labels [1, r, r]; features: reduced, by side, where they are to be kept. On the CPU."""

    labels: Tensor
    features: dict[str, Tensor]
