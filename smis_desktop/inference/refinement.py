"""Refinement: gradient steps on `ws` until the labels predicted for the picture match the layout.

Moving all slots freely follows the layout and washes the picture out (docs/experiments/variety.md). So one `w` shared
by the slots up to the feature resolution moves, along the principal axes of real latents in units of their standard
deviation, with a penalty on its distance from the mean and one on changes of the classes' colours: the easiest way to
make a picture readable is to make it light. Style slots are not moved.

A patch is refined by what the picture shows with the patch in it, inside its region. There the classes keep the colours
that they have in the picture around it. Thin classes weigh more than in a whole picture: a brow is all there is to see.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import Generator, Surroundings
from smis_desktop.generators.layers import Precision, autocast_to
from smis_desktop.personal_model.label_transfer import LabelTransfer
from smis_desktop.personal_model.model import ClassColors, ColorReader

_LEARNING_RATE = 0.07
_PRIOR = 0.05
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this, so that small ones (brows) count too, but not too much."""
_PATCH_RARITY = 0.5
"""The same in a patch."""
_PATCH_PRIOR = 0.05
_MIN_AREA = 4
"""Pixels; a class of fewer weighs no more."""
_MIN_STD = 1e-3
"""Axes whose standard deviation is less than this part of the widest one's are rounding errors: nothing moves there."""


def refine(
    generator: Generator,
    transfer: LabelTransfer,
    ws: Tensor,
    layout: Tensor,
    steps: int,
    precision: Precision = "float32",
    feature_colors: Tensor | None = None,
    reference_ws: Tensor | None = None,
    surroundings: Surroundings | None = None,
) -> Tensor:
    """Refine `ws` [1, num_ws, D] towards a layout.

    Args:
        layout: int64 [1, r, r] in channels; UNKNOWN_CHANNEL is ignored.
        feature_colors: weights of `learn_feature_colors`; without them colours change freely.
        reference_ws: `ws` of the picture whose colours are kept (default: those to begin with).
        surroundings: of a patch; only the layout inside its mask counts.

    Returns:
        The `ws` of lowest loss, the first included, so that the result is never worse by its own score.
    """
    region = None if surroundings is None else surroundings.at(layout.shape[-1])
    if region is not None:
        layout = torch.where(region[:, 0] > 0, layout, UNKNOWN_CHANNEL)
    if steps == 0 or not bool((layout != UNKNOWN_CHANNEL).any()):
        return ws
    structural = generator.fine_slots.start
    latents = generator.latents
    start = ws[:, :structural].mean(1)
    offsets = ws[:, :structural] - start[:, None]  # of single slots, by style mixing
    axes = int((latents.std > _MIN_STD * latents.std[0]).sum())
    coordinates = latents.whiten(start)[:, :axes]
    rest = start - latents.color(coordinates)
    coordinates.requires_grad_()
    weights = _pixel_weights(layout, region)
    prior = _PRIOR if region is None else _PATCH_PRIOR
    adam = torch.optim.Adam([coordinates], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    best_loss, best = torch.inf, ws
    read = _Reading(generator, transfer, feature_colors, precision, surroundings, region)
    with torch.no_grad():
        reference_colors = read.reference_colors(ws if reference_ws is None else reference_ws)
    with torch.enable_grad():
        for step in range(steps + 1):
            w = latents.color(coordinates) + rest
            moved = torch.cat((w[:, None] + offsets, ws[:, structural:]), 1)
            scores, colors = read.scores_and_colors(moved)
            cross_entropy = F.cross_entropy(scores, layout, ignore_index=UNKNOWN_CHANNEL, reduction="none")
            loss = (cross_entropy * weights).sum() + prior * coordinates.square().mean()
            if colors is not None and reference_colors is not None:
                loss = loss + _COLORS * colors.change_from(reference_colors).sum()
            if loss.item() < best_loss:
                best_loss, best = loss.item(), moved.detach()
            if step < steps:
                adam.zero_grad()
                loss.backward()
                adam.step()
    return best


class _Reading:
    """What is read off the picture of some latents: the scores of its classes, and their colours."""

    def __init__(
        self,
        generator: Generator,
        transfer: LabelTransfer,
        feature_colors: Tensor | None,
        precision: Precision,
        surroundings: Surroundings | None,
        region: Tensor | None,
    ) -> None:
        self._generator, self._transfer, self._precision = generator, transfer, precision
        self._surroundings, self._region = surroundings, region
        self._reader = None if feature_colors is None else ColorReader(transfer, feature_colors)

    def scores_and_colors(self, latents: Tensor) -> tuple[Tensor, ClassColors | None]:
        with autocast_to(self._precision, latents.device):
            own = self._generator.label_features(latents, self._surroundings)
        features = {side: maps.float() for side, maps in own.items()}
        if self._surroundings is not None:
            features = self._surroundings.around_labels(features)
        if self._reader is None:
            return self._transfer.scores(features), None
        return self._reader.scores_and_colors(features, self._region)

    def reference_colors(self, latents: Tensor) -> ClassColors | None:
        """Return the colours to keep: those of the picture around a patch, else those of the picture of `latents`."""
        _, own = self.scores_and_colors(latents)
        if own is None or self._reader is None or self._surroundings is None:
            return own
        _, around = self._reader.scores_and_colors(self._surroundings.coarse.label_features)
        return around.where_it_has(_MIN_AREA, own)


def _pixel_weights(layout: Tensor, region: Tensor | None) -> Tensor:
    """Return weights in the shape of `layout` that sum to 1: more for pixels of rare classes, 0 for unknown ones.

    Args:
        region: [1, 1, r, r] in [0, 1], how much each pixel of a patch counts.
    """
    rarity = _RARITY if region is None else _PATCH_RARITY
    counts = torch.bincount(layout.flatten() - UNKNOWN_CHANNEL)[layout - UNKNOWN_CHANNEL].float()
    weights = torch.where(layout == UNKNOWN_CHANNEL, 0.0, counts.clamp_min(_MIN_AREA) ** -rarity)
    if region is not None:
        weights = weights * region[:, 0]
    return weights / weights.sum()
