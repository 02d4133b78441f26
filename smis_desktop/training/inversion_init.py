"""Where the search for a labelled photo begins: at the random picture whose parts lie as its labels do.

An optimisation ends near where it began. From the mean face a man with a cap became a bald one, whose labels then
taught that bald heads are caps. But a labelled photo says where its classes are, and the generator's known parts say
where parts are in its random pictures. Which part a class is nobody says: it is the picture in which classes and parts
tell most of each other, of all shots together (their mutual information; Viola & Wells 1997 align pictures of
different kinds so). Together, because in a single shot hair would do for a cap; not where another shot has hair too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import Generator
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup
from smis_desktop.training.sample_pool import FeatureStore, SamplePool

NUM_CANDIDATES = 1216
"""How many random pictures are enough: among so many each of five faces, one with a cap, had its like."""
_SWEEPS = 8
"""Over all shots; the choice stands still after two or three."""

OnPictures = Callable[[int], None]
"""Told how many pictures were looked at so far."""


class InversionInit:
    """Looks at random pictures once, when it is first asked; then answers at once.

    The pictures are the first of those that an encoder is taught with (`SamplePool`), so where features are kept
    between the two, they cost nothing.
    """

    def __init__(
        self,
        generator: Generator,
        pictures: SynthesisBackend,
        seed: int,
        round_size: int,
        count: int,
        on_pictures: OnPictures,
        group: ProcessGroup = SINGLE_PROCESS,
        kept: FeatureStore | None = None,
    ) -> None:
        """seed, round_size, pictures, kept: as a pool's. count: how many pictures to look at, in whole rounds.

        A generator without known parts has no starts to offer."""
        self._generator, self._pictures, self._kept, self._group = generator, pictures, kept, group
        self._seed, self._round_size, self._count, self._on_pictures = seed, round_size, count, on_pictures
        rows = {r: found.to(generator.device) for r, found in generator.part_prior.items()}
        self._num_parts = max((len(found) for found in rows.values()), default=0)
        self._parts = LinearProbe(rows, torch.zeros(self._num_parts, device=generator.device))
        self._pool: SamplePool | None = None

    def of(
        self, layouts: Sequence[Tensor], located: Sequence[Tensor | None], num_classes: int, place: int = 0
    ) -> list[Tensor | None]:
        """`w` [D] to begin at, for every shot that is not located; else None.

        layouts: int64 [r, r] in channels, -1 where unknown. located: `ws` [num_ws, D] of shots that were
        found before. place: 0 takes the best picture, 1 the second best, and so on. All processes have to ask alike.
        """
        if not self._num_parts or all(ws is not None for ws in located):
            return [None] * len(layouts)
        pool = self._looked_at()
        parts = pool.labels.long()
        seen = [parts if ws is None else self._seen_in(ws) for ws in located]
        tables = [
            _shares(layout.cpu(), of, num_classes, self._num_parts) for layout, of in zip(layouts, seen, strict=True)
        ]
        orders = _by_information(tables)
        place = min(place, len(pool) - 1)
        return [
            pool.w[order[place]] if ws is None and bool(table.any()) else None
            for ws, order, table in zip(located, orders, tables, strict=True)
        ]

    def _looked_at(self) -> SamplePool:
        if self._pool is None:  # not before: a pool begins by measuring how features spread
            self._pool = SamplePool(
                self._generator, self._parts, self._seed, self._round_size, self._num_parts,
                self._pictures, self._group, self._kept,
            )  # fmt: skip
        while len(self._pool) < self._count:
            self._pool.grow()
            self._on_pictures(min(len(self._pool), self._count))
        return self._pool

    @torch.no_grad()
    def _seen_in(self, ws: Tensor) -> Tensor:
        ws = ws[None].to(self._generator.device)
        return self._parts.label(self._generator.label_features(ws)).cpu()


def _shares(layout: Tensor, parts: Tensor, num_classes: int, num_parts: int) -> Tensor:
    """How much of the labelled area lies in each class and part: float64 [N, num_classes, num_parts] for the N pictures
    of `parts` int64 [N, r, r]; each picture's add up to 1, or to 0 where nothing is labelled."""
    said = layout != UNKNOWN_CHANNEL
    cells = layout[said] * num_parts + parts[:, said]
    table = torch.zeros(len(parts), num_classes * num_parts, dtype=torch.float64)
    table.scatter_add_(1, cells, table.new_ones(()).expand(cells.shape))
    return table.view(-1, num_classes, num_parts) / max(1, int(said.sum()))


def _by_information(tables: Sequence[Tensor]) -> list[Tensor]:
    """For every shot its pictures, int64 [N_i], the most telling first, given what is chosen for all the others.

    tables: `_shares` of each shot. One shot after the other is chosen anew until nothing changes.
    """
    orders = [_information(table).argsort(descending=True, stable=True) for table in tables]
    for _ in range(_SWEEPS):
        before = [int(order[0]) for order in orders]
        for number, table in enumerate(tables):
            others = [t[orders[n][0]] for n, t in enumerate(tables) if n != number]
            together = table + torch.stack(others).sum(0) if others else table
            orders[number] = _information(together).argsort(descending=True, stable=True)
        if before == [int(order[0]) for order in orders]:
            break
    return orders


def _information(tables: Tensor) -> Tensor:
    """Mutual information of classes and parts, [N], in nats per share: `tables` [N, C, K] need not add up to 1."""

    def entropy(shares: Tensor) -> Tensor:
        return -torch.xlogy(shares, shares).flatten(1).sum(1)

    tables = tables / tables.sum((1, 2), keepdim=True).clamp_min(1e-12)
    return entropy(tables.sum(1)) + entropy(tables.sum(2)) - entropy(tables)
