"""Refinement: gradient steps on `ws` until the labels predicted for the picture match the layout.

Moving all slots freely follows the layout and washes the picture out (docs/experiments/variety.md). So one `w` shared
by the slots up to the feature resolution moves, along the principal axes of real latents in units of their standard
deviation, with a penalty on its distance from the mean and one on changes of the classes' colours: the easiest way to
make a picture readable is to make it light. Style slots are not moved.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import Precision, autocast_to
from smis_desktop.personal_model.label_transfer import LabelTransfer
from smis_desktop.personal_model.model import ClassColors, ColorReader

_LEARNING_RATE = 0.07
_PRIOR = 0.05
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this, so that small ones (brows) count too, but not too much."""
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
) -> Tensor:
    """Refine `ws` [1, num_ws, D] towards a layout.

    Args:
        layout: int64 [1, r, r] in channels; UNKNOWN_CHANNEL is ignored.
        feature_colors: weights of `learn_feature_colors`; without them colours change freely.
        reference_ws: `ws` of the picture whose colours are kept (default: those to begin with).

    Returns:
        The `ws` of lowest loss, the first included, so that the result is never worse by its own score.
    """
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
    weights = _pixel_weights(layout)
    adam = torch.optim.Adam([coordinates], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    best_loss, best = torch.inf, ws
    reader = None if feature_colors is None else ColorReader(transfer, feature_colors)

    def scores_and_colors(latents: Tensor) -> tuple[Tensor, ClassColors | None]:
        with autocast_to(precision, ws.device):
            features = {side: maps.float() for side, maps in generator.label_features(latents).items()}
        return (transfer.scores(features), None) if reader is None else reader.scores_and_colors(features)

    with torch.no_grad():
        _, reference_colors = scores_and_colors(ws if reference_ws is None else reference_ws)
    with torch.enable_grad():
        for step in range(steps + 1):
            w = latents.color(coordinates) + rest
            moved = torch.cat((w[:, None] + offsets, ws[:, structural:]), 1)
            scores, colors = scores_and_colors(moved)
            cross_entropy = F.cross_entropy(scores, layout, ignore_index=UNKNOWN_CHANNEL, reduction="none")
            loss = (cross_entropy * weights).sum() + _PRIOR * coordinates.square().mean()
            if colors is not None and reference_colors is not None:
                loss = loss + _COLORS * colors.change_from(reference_colors).sum()
            if loss.item() < best_loss:
                best_loss, best = loss.item(), moved.detach()
            if step < steps:
                adam.zero_grad()
                loss.backward()
                adam.step()
    return best


def _pixel_weights(layout: Tensor) -> Tensor:
    """Return weights in the shape of `layout` that sum to 1: more for pixels of rare classes, 0 for unknown ones."""
    counts = torch.bincount(layout.flatten() - UNKNOWN_CHANNEL)[layout - UNKNOWN_CHANNEL].float()
    weights = torch.where(layout == UNKNOWN_CHANNEL, 0.0, counts.clamp_min(_MIN_AREA) ** -_RARITY)
    return weights / weights.sum()
