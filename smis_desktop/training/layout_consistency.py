"""Training for obedience: the encoder's own pictures, read by the label transfer, are to say what the layout says.

‖ŵ − w‖² weighs all directions of `w` alike, and few of them move an outline. So a second, shorter phase looks at the
result: cross-entropy between the layout and the classes that the features of G(E(layout)) show. It needs no `w`, so
layouts may be changed as people would paint them. What keeps the pictures real: samples that were not changed are still
pulled to their own `w`, all to the mean, in units of the latents' own spread, and the colours of the classes to what
they were before, since the easiest way to make a picture readable is to make it light (docs/measurements.md).
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import autocast_to, current_precision, in_float32
from smis_desktop.personal_model.class_statistics import ClassColors, ColorReader
from smis_desktop.personal_model.encoder import LayoutEncoder, one_hot
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.distributed import ALONE, ProcessGroup
from smis_desktop.training.layout_augmentation import coarsened, drop_classes, moved
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.threaded_runner import ThreadedRunner, num_parallel_pictures

_PRIOR = 0.4
_ANCHOR = 6.0
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this: eyes and brows count, and skin is not given up for them."""
_LEAST_SHARE = 1e-4


class LayoutConsistencyObjective:
    """Cross-entropy of the picture's classes, half of each batch on moved layouts; and what keeps pictures real."""

    stream = "obedience"

    def __init__(
        self,
        generator: Generator,
        probe: LinearProbe,
        feature_colors: Tensor,
        before: LayoutEncoder,
        batch_size: int,
        ranks: ProcessGroup = ALONE,
    ) -> None:
        """feature_colors: see `learn_feature_colors`. before: the encoder as it was, frozen; its colours are kept."""
        self._generator, self._probe, self._batch_size, self._ranks = generator, probe, batch_size, ranks
        self._before = before
        self._reader = ColorReader(probe, feature_colors.to(before.w_avg.device))
        self._weighed_samples, self._weights = -1, torch.empty(0)

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        num_classes, device = encoder.shape.num_classes, encoder.w_avg.device
        chosen = pool.drawn(self._batch_size, random)
        labels = pool.labels[chosen].long()
        changed = self._batch_size // 2
        labels[:changed] = coarsened(moved(labels[:changed], random), num_classes, random)
        layouts = drop_classes(labels, num_classes, random).to(device)
        own = self._ranks.share(self._batch_size)
        asked_for = one_hot(layouts[own], num_classes)
        ws = encoder(asked_for)
        learned = torch.isfinite(self._probe.bias)
        asked = torch.where(learned[layouts.clamp_min(0)], layouts, UNKNOWN_CHANNEL)
        weights = torch.where(learned, self._class_weights(pool, num_classes).to(device), 0.0)
        all_weights = torch.where(asked == UNKNOWN_CHANNEL, 0.0, weights[asked.clamp_min(0)]).sum()
        unchanged = torch.arange(self._batch_size, device=device)[own] >= changed
        apart = (ws - pool.w[chosen[own]].to(device)[:, None]).square().mean((1, 2))[unchanged].sum()
        total: Tensor = (
            self._looked_at(ws, asked_for, asked[own], weights / all_weights)
            + _ANCHOR * apart / (self._batch_size - changed)
            + _PRIOR * self._spread(ws) * (len(ws) / self._batch_size)
        )
        return total

    def _looked_at(self, ws: Tensor, asked_for: Tensor, asked: Tensor, weights: Tensor) -> Tensor:
        """What is wrong with the pictures of `ws` [N, num_ws, 512], differentiable in them: their classes against
        `asked` [N, r, r], their colours against those before."""
        with torch.no_grad():
            ws_before = self._before(asked_for).float()
        precision, size = current_precision(ws.device), num_parallel_pictures(ws.device)

        def judged(some: slice) -> tuple[Tensor, Tensor]:
            """What is wrong with them, and its gradient in their `ws`."""
            own = ws[some].detach().requires_grad_()
            with autocast_to(precision, own.device), torch.enable_grad():
                with torch.no_grad():
                    _, colors_before = self._seen(ws_before[some])
                scores, colors = self._seen(own)
                wrong = F.cross_entropy(scores, asked[some], weights, ignore_index=UNKNOWN_CHANNEL, reduction="sum")
                loss = wrong + _COLORS * colors.change_from(colors_before).sum() / self._batch_size
            (gradient,) = torch.autograd.grad(loss, own)
            return loss.detach(), gradient

        pieces = [slice(begin, begin + size) for begin in range(0, len(ws), size)]
        with ThreadedRunner(min(len(pieces), torch.get_num_threads())) as together:
            losses, gradients = zip(*together.map([partial(judged, piece) for piece in pieces]), strict=True)
        found: Tensor = _WithGradient.apply(ws, torch.stack(losses).sum(), torch.cat(gradients))  # type: ignore[no-untyped-call]
        return found

    def _seen(self, ws: Tensor) -> tuple[Tensor, ClassColors]:
        features = self._generator.label_features(ws)
        with in_float32(ws):
            return self._reader.scores_and_colors({side: found.float() for side, found in features.items()})

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


class _WithGradient(torch.autograd.Function):
    """A number whose gradient in `ws` is known already."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, ws: Tensor, number: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return number.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (known,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * known, None, None
