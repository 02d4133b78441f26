"""What trainings keep on the disk: the stages of an unfinished training, and features for later trainings.

‖ŵ − w‖² weighs all directions of `w` alike, and few of them move an outline. So a second, shorter phase judges the
result: cross-entropy between the layout and the classes that the label transfer reads off the features of G(E(layout)).
It needs no `w`, so layouts may be changed as people would paint them. Three terms keep the pictures real: samples that
were not changed are still pulled to their own `w`; all are pulled to the mean, in units of the latents' own spread; and
the colours of the classes to what they were before, since the easiest way to make a picture readable is to make it
light (docs/experiments).
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import autocast_to, current_precision, freeze, in_float32
from smis_desktop.personal_model.encoder import LayoutEncoder, one_hot
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.personal_model.model import ClassColors, ColorReader
from smis_desktop.training.distributed import SINGLE_PROCESS, ProcessGroup, ThreadedRunner, num_parallel_pictures
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.stages.encoder import EncoderTrainer, dropped_classes
from smis_desktop.training.training import TrainingContext, TrainingSettings

_SECONDS = 90.0
_CHECKPOINT_EVERY = 20
"""Steps between two checkpoints."""
_PRIOR = 0.4
_ANCHOR = 6.0
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this: eyes and brows count, and skin is not given up for them."""
_MIN_SHARE = 1e-4
_SHIFT, _TURN, _ZOOM, _STRETCH = 0.08, 0.10, 0.10, 0.06
"""Standard deviations: half widths of the layout, radians, logarithms of factors."""
_THICKENED_SAMPLE, _THICKENED_CLASS = 0.5, 0.2
"""Fraction of samples in which thin classes are thickened, and each class's chance there."""
_THIN = 200
"""Cells of a layout; classes of more are not thin."""
_COARSE_SAMPLE, _COARSE_SIDES = 0.2, (12, 25)
"""Fraction of samples that are painted with a broad brush, and the range of sides they are reduced to."""


@register_stage
class LayoutConsistencyStage(Stage):
    """Trains the encoder with the `LayoutConsistencyObjective`, if a probe labels its pictures."""

    name, position = "obedience", 50
    milestone, milestone_text = "obedience_trained", "layout consistency trained"

    def expected_seconds(self, settings: TrainingSettings, num_photos: int) -> float:
        return _SECONDS * settings.consistency_steps / TrainingSettings().consistency_steps

    def is_needed(self, context: TrainingContext) -> bool:
        return context.model.probe is not None and context.settings.consistency_steps > 0

    def run(self, context: TrainingContext) -> None:
        settings, model = context.settings, context.model
        assert model.probe is not None
        assert model.feature_colors is not None
        objective = LayoutConsistencyObjective(
            context.generator, model.probe, model.feature_colors, model.encoder, settings.consistency_batch_size,
            context.group,
        )  # fmt: skip
        trainer = EncoderTrainer(
            context.encoder_to_train(),
            objective,
            settings.seed,
            settings.consistency_learning_rate,
            settings.consistency_steps,
            settings.precision,
            context.group,
        )
        checkpoint = context.store.read("obedience")
        if checkpoint is not None:
            trainer.restore(checkpoint)
        self._train(context, trainer, settings.consistency_steps)
        context.model = dataclasses.replace(context.model, encoder=freeze(trainer.averaged()))

    def _train(self, context: TrainingContext, trainer: EncoderTrainer, steps: int) -> None:
        label = "Training layout consistency"
        while trainer.steps < steps:
            loss = trainer.step(context.pool)
            pictures: tuple[np.ndarray, ...] = ()
            if trainer.steps % _CHECKPOINT_EVERY == 0 or trainer.steps == steps:
                context.store.write("obedience", trainer.state())
                pictures = context.show_improved(trainer.averaged())
            context.report(self, label, trainer.steps, steps, loss=loss, pictures=pictures)


class LayoutConsistencyObjective:
    """Cross-entropy of the picture's classes, half of each batch on changed layouts, and terms that keep pictures real.

    Batches come from the random stream "obedience", by which unfinished trainings continue.
    """

    stream = "obedience"

    def __init__(
        self,
        generator: Generator,
        probe: LinearProbe,
        feature_colors: Tensor,
        before: LayoutEncoder,
        batch_size: int,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """feature_colors: see `learn_feature_colors`. before: the frozen encoder whose colours are kept."""
        self._generator, self._probe, self._batch_size, self._group = generator, probe, batch_size, group
        self._before = before
        self._reader = ColorReader(probe, feature_colors.to(before.w_avg.device))
        self._weighed_samples, self._weights = -1, torch.empty(0)

    def loss(self, encoder: LayoutEncoder, pool: SamplePool, random: torch.Generator) -> Tensor:
        num_classes, device = encoder.shape.num_classes, encoder.w_avg.device
        chosen = pool.draw(self._batch_size, random)
        labels = pool.labels[chosen].long()
        changed = self._batch_size // 2
        labels[:changed] = coarsened(thickened(moved(labels[:changed], random), random), num_classes, random)
        layouts = drop_classes(labels, num_classes, random).to(device)
        own = self._group.share(self._batch_size)
        own_layouts = one_hot(layouts[own], num_classes)
        ws = encoder(own_layouts, self._generator)
        learned = torch.isfinite(self._probe.bias)
        target = torch.where(learned[layouts.clamp_min(0)], layouts, UNKNOWN_CHANNEL)
        weights = torch.where(learned, self._class_weights(pool, num_classes).to(device), 0.0)
        all_weights = torch.where(target == UNKNOWN_CHANNEL, 0.0, weights[target.clamp_min(0)]).sum()
        unchanged = torch.arange(self._batch_size, device=device)[own] >= changed
        distance = (ws - pool.w[chosen[own]].to(device)[:, None]).square().mean((1, 2))[unchanged].sum()
        total: Tensor = (
            self._picture_loss(ws, own_layouts, target[own], weights / all_weights)
            + _ANCHOR * distance / (self._batch_size - changed)
            + _PRIOR * self._spread(ws) * (len(ws) / self._batch_size)
        )
        return total

    def _picture_loss(self, ws: Tensor, layouts: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """Returns the loss of the pictures of `ws` [N, num_ws, 512], differentiable in `ws`: their classes against
        `target` [N, r, r] (weighted by class), their colours against those that the encoder first gave `layouts`
        before."""
        with torch.no_grad():
            ws_before = self._before(layouts).float()
        precision, size = current_precision(ws.device), num_parallel_pictures(ws.device)

        def judge(some: slice) -> tuple[Tensor, Tensor]:
            """Returns the loss of some of the pictures, and its gradient in their `ws`."""
            own = ws[some].detach().requires_grad_()
            with autocast_to(precision, own.device), torch.enable_grad():
                with torch.no_grad():
                    _, colors_before = self._read(ws_before[some])
                scores, colors = self._read(own)
                mismatch = F.cross_entropy(scores, target[some], weights, ignore_index=UNKNOWN_CHANNEL, reduction="sum")
                loss = mismatch + _COLORS * colors.change_from(colors_before).sum() / self._batch_size
            (gradient,) = torch.autograd.grad(loss, own)
            return loss.detach(), gradient

        pieces = [slice(begin, begin + size) for begin in range(0, len(ws), size)]
        with ThreadedRunner(min(len(pieces), torch.get_num_threads())) as runner:
            losses, gradients = zip(*runner.map([partial(judge, piece) for piece in pieces]), strict=True)
        found: Tensor = _WithGradient.apply(ws, torch.stack(losses).sum(), torch.cat(gradients))  # type: ignore[no-untyped-call]
        return found

    def _read(self, ws: Tensor) -> tuple[Tensor, ClassColors]:
        features = self._generator.label_features(ws)
        with in_float32(ws):
            return self._reader.scores_and_colors({side: found.float() for side, found in features.items()})

    def _class_weights(self, pool: SamplePool, num_classes: int) -> Tensor:
        if self._weighed_samples != len(pool):  # counting all pixels of a pool takes as long as a sample's gradients
            counts = torch.bincount(pool.labels.flatten().int() + 1, minlength=num_classes + 1)[1:].float()
            weights = counts.clamp_min(_MIN_SHARE * counts.sum()) ** -_RARITY
            self._weights = weights * (counts.sum() / (weights * counts).sum())
            self._weighed_samples = len(pool)
        return self._weights

    def _spread(self, ws: Tensor) -> Tensor:
        """Returns the mean square of the whitened latents, structural and fine ones alike (slots of a group are
        equal)."""
        latents = torch.stack((ws[:, 0], ws[:, -1]), 1)
        return self._generator.latents.whiten(latents.flatten(0, 1)).square().mean()


class _WithGradient(torch.autograd.Function):
    """A number whose gradient in `ws` has already been computed."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, ws: Tensor, number: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return number.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (known,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0] * known, None, None


def drop_classes(labels: Tensor, num_classes: int, random: torch.Generator) -> Tensor:
    """Sets whole classes of some label maps (int64 [N, H, W]) to unknown, as in a half-painted layout."""
    dropped = dropped_classes(len(labels), num_classes, random)
    gone = dropped.gather(1, (labels + 1).flatten(1)).view_as(labels)
    return labels.masked_fill(gone, UNKNOWN_CHANNEL)


def moved(labels: Tensor, random: torch.Generator) -> Tensor:
    """Shifts, turns, zooms and stretches label maps int64 [N, H, W] a little; what comes in from outside repeats the
    edge. Ids are never blended."""
    n = len(labels)
    zoom = torch.exp(_ZOOM * torch.randn(n, generator=random))
    turn = _TURN * torch.randn(n, generator=random)
    stretch = torch.exp(_STRETCH * torch.randn(n, generator=random))
    shift = _SHIFT * torch.randn(n, 2, generator=random)
    rows = (
        torch.stack((zoom * turn.cos() * stretch, -zoom * turn.sin(), shift[:, 0]), 1),
        torch.stack((zoom * turn.sin(), zoom * turn.cos() / stretch, shift[:, 1]), 1),
    )
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, *labels.shape[1:]], align_corners=False)
    maps = labels[:, None].float()
    found = F.grid_sample(maps, grid, mode="nearest", padding_mode="border", align_corners=False)
    return found[:, 0].round().long()


def thickened(labels: Tensor, random: torch.Generator) -> Tensor:
    """Thickens some thin classes of label maps int64 [N, H, W] by a cell all around: people and data sets draw lids,
    brows and lips wider than a probe sees them."""
    affected = torch.rand(len(labels), generator=random) < _THICKENED_SAMPLE
    result = labels.clone()
    for channel in torch.randperm(max(0, int(labels.max()) + 1), generator=random).tolist():
        shape = (labels == channel).float()[:, None]
        area = shape.sum((1, 2, 3))
        chosen = affected & (torch.rand(len(labels), generator=random) < _THICKENED_CLASS) & (area <= _THIN)
        grown = torch.maximum(F.max_pool2d(shape, (3, 1), 1, (1, 0)), F.max_pool2d(shape, (1, 3), 1, (0, 1)))[:, 0] > 0
        result[grown & chosen[:, None, None]] = channel
    return result


def coarsened(labels: Tensor, num_classes: int, random: torch.Generator) -> Tensor:
    """Redraws some of the label maps int64 [N, H, W] as if with a broad brush: outlines get rough, and parts thinner
    than the brush may vanish."""
    affected = torch.rand(len(labels), generator=random) < _COARSE_SAMPLE
    side = int(torch.randint(*_COARSE_SIDES, (1,), generator=random))
    if not bool(affected.any()):
        return labels
    shares = F.interpolate(one_hot(labels[affected], num_classes), size=(side, side), mode="area")
    enlarged = F.interpolate(shares, size=tuple(labels.shape[1:]), mode="bilinear", align_corners=False)
    rough = enlarged.argmax(1)
    result = labels.clone()
    result[affected] = torch.where(enlarged.sum(1) < 0.5, UNKNOWN_CHANNEL, rough)
    return result
