"""Training for obedience: the encoder's own pictures, read by the label transfer, are to say what the layout says.

‖ŵ − w‖² weighs all directions of `w` alike, and few of them move an outline. So a second, shorter phase looks at the
result: cross-entropy between the layout and the classes that the features of G(E(layout)) show. It needs no `w`, so
layouts may be changed as people would paint them. What keeps the pictures real: samples that were not changed are still
pulled to their own `w`, all to the mean, in units of the latents' own spread, and the colours of the classes to what
they were before, since the easiest way to make a picture readable is to make it light (docs/measurements.md).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.fewshot.feature_colors import ClassColors, ColorReader
from smis_desktop.fewshot.layout_variation import coarsened, forget_classes, moved
from smis_desktop.fewshot.pool import SamplePool
from smis_desktop.fewshot.probe import LinearProbe
from smis_desktop.fewshot.pseudo_labels import UNKNOWN, one_hot
from smis_desktop.fewshot.ranks import ALONE, Ranks
from smis_desktop.gan.encoder import LayoutEncoder
from smis_desktop.gan.pictures import Pictures
from smis_desktop.gan.precision import in_float32
from smis_desktop.gan.protocol import Generator

_PRIOR = 0.4
_ANCHOR = 6.0
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this: eyes and brows count, and skin is not given up for them."""
_LEAST_SHARE = 1e-4


class ObedienceObjective:
    """Cross-entropy of the picture's classes, half of each batch on moved layouts; and what keeps pictures real."""

    stream = "obedience"

    def __init__(
        self,
        generator: Generator,
        pictures: Pictures,
        probe: LinearProbe,
        feature_colors: Tensor,
        before: LayoutEncoder,
        batch_size: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """pictures: the backend that gives the features nobody needs gradients of. feature_colors: see
        `learn_feature_colors`. before: the encoder as it was, frozen; its colours are kept."""
        self._generator, self._probe, self._batch_size, self._ranks = generator, probe, batch_size, ranks
        self._pictures, self._before = pictures, before
        self._reader = ColorReader(probe, feature_colors.to(before.w_avg.device))
        self._weighed_samples, self._weights = -1, torch.empty(0)

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        num_classes, device = encoder.shape.num_classes, encoder.w_avg.device
        chosen = torch.randint(len(pool), (self._batch_size,), generator=random)
        labels = pool.labels[chosen].long()
        changed = self._batch_size // 2
        labels[:changed] = coarsened(moved(labels[:changed], random), num_classes, random)
        layouts = forget_classes(labels, num_classes, random).to(device)
        own = self._ranks.share(self._batch_size)
        asked_for = one_hot(layouts[own], num_classes)
        ws = encoder(asked_for)
        scores, colors = self._seen(self._probe.read(self._generator, ws))
        with torch.no_grad():
            each = self._before(asked_for).float().split(1)
            with in_float32(
                ws
            ):  # the backend has its own precision, and builds its networks when they are first needed
                maps = [self._pictures.label_features(ws_before) for ws_before in each]
            _, colors_before = self._seen({side: torch.cat([found[side] for found in maps]) for side in maps[0]})
        learned = torch.isfinite(self._probe.bias)
        asked = torch.where(learned[layouts.clamp_min(0)], layouts, UNKNOWN)
        weights = torch.where(learned, self._class_weights(pool, num_classes).to(device), 0.0)
        all_weights = torch.where(asked == UNKNOWN, 0.0, weights[asked.clamp_min(0)]).sum()
        wrong = F.cross_entropy(scores, asked[own], weights, ignore_index=UNKNOWN, reduction="sum")
        unchanged = torch.arange(self._batch_size, device=device)[own] >= changed
        apart = (ws - pool.w[chosen[own]].to(device)[:, None]).square().mean((1, 2))[unchanged].sum()
        total: Tensor = (
            wrong / all_weights
            + _ANCHOR * apart / (self._batch_size - changed)
            + _PRIOR * self._spread(ws) * (len(ws) / self._batch_size)
            + _COLORS * colors.change_from(colors_before).sum() / self._batch_size
        )
        return total

    def _seen(self, features: dict[int, Tensor]) -> tuple[Tensor, ClassColors]:
        with in_float32(self._probe.bias):
            return self._reader.seen({side: found.float() for side, found in features.items()})

    def _class_weights(self, pool: SamplePool, num_classes: int) -> Tensor:
        if self._weighed_samples != len(pool):  # counting all pixels of a pool takes as long as a sample's gradients
            counts = torch.bincount(pool.labels.flatten().int() + 1, minlength=num_classes + 1)[1:].float()
            weights = counts.clamp_min(_LEAST_SHARE * counts.sum()) ** -_RARITY
            self._weights = weights * (counts.sum() / (weights * counts).sum())
            self._weighed_samples = len(pool)
        return self._weights

    def _spread(self, ws: Tensor) -> Tensor:
        """Mean square of the whitened latents, structural and fine ones alike (slots of a group are equal)."""
        latents = torch.stack((ws[:, 0], ws[:, -1]), 1)
        return self._generator.latents.whiten(latents.flatten(0, 1)).square().mean()
