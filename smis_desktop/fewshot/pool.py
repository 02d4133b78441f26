"""Training samples for the encoder: (w, pseudo label) pairs of random pictures, without a picture being made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from smis_desktop.fewshot.ranks import ALONE, Ranks
from smis_desktop.fewshot.transfer import LabelTransfer
from smis_desktop.gan.pictures import Pictures, TorchPictures
from smis_desktop.gan.protocol import Generator


def draws(seed: int, stream: str, index: int) -> torch.Generator:
    """An independent random stream for each (seed, stream, index): a resumed training draws the same."""
    entropy = [seed, *stream.encode(), index]
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) & 0x7FFF_FFFF_FFFF_FFFF)


class SamplePool:
    """Grows by rounds; round i is a pure function of (seed, i). On the CPU: `w` float32 [N, 512], `labels` int8
    [N, r, r] palette channels (int16 from 128 classes up), -1 = unknown."""

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        seed: int,
        round_size: int,
        num_classes: int,
        pictures: Pictures | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """pictures: the backend that features come from (default: torch). ranks: who makes the rounds together; all of
        them hold all of it."""
        self._ranks = ranks
        self._pictures = pictures or TorchPictures(generator)
        self._generator, self._transfer, self._seed, self._round_size = generator, transfer, seed, round_size
        r = generator.feature_resolution
        self._label_dtype = torch.int8 if num_classes < 128 else torch.int16
        self.w = torch.empty(0, generator.w_dim)
        self.labels = torch.empty(0, r, r, dtype=self._label_dtype)

    def __len__(self) -> int:
        return len(self.w)

    @property
    def rounds(self) -> int:
        """How many rounds it holds."""
        return len(self.w) // self._round_size

    def grow(self) -> tuple[Tensor, Tensor]:
        """Adds the next round and returns it."""
        z = torch.randn(self._round_size, self._generator.w_dim, generator=draws(self._seed, "pool", self.rounds))
        # Feature maps of one picture stay in the processor's cache; larger batches were slower on the CPU measured.
        each = z[self._ranks.share(len(z))].split(1)
        with ThreadPoolExecutor(self._pictures.lanes, "samples") as lanes:
            found = list(lanes.map(self._sample, each))
        own = torch.cat([w for w, _ in found]), torch.cat([labels for _, labels in found])
        new = self._ranks.collected(own[0], len(z)), self._ranks.collected(own[1], len(z))
        self.add(*new)
        return new

    @torch.no_grad()
    def _sample(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`z` [1, D] → `w` [1, D] and labels [1, r, r], on the CPU."""
        w = self._generator.mapping(z.to(self._generator.device))
        labels = self._transfer.label(self._pictures.label_features(self._generator.broadcast(w)))
        return w.cpu(), labels.to("cpu", self._label_dtype)

    def add(self, w: Tensor, labels: Tensor) -> None:
        """Adds a round that `grow` made earlier."""
        self.w = torch.cat((self.w, w))
        self.labels = torch.cat((self.labels, labels.to(self._label_dtype)))
