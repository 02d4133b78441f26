"""Style mixing and refinement: what is done to `ws` before synthesis.

Moving all slots freely obeys the layout and washes the picture out (docs/measurements.md). So one `w` shared by the
slots up to the feature resolution moves, along the principal axes of real latents in units of their standard deviation,
with a penalty on its distance from the mean and one on what it does to the colours of the classes: the easiest way to
make a picture readable is to make it light. Style slots are left alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL
from smis_desktop.document.style import Style
from smis_desktop.generators.device import Precision, autocast_to
from smis_desktop.generators.protocol import Generator
from smis_desktop.personal_model.feature_colors import ClassColors, ColorReader
from smis_desktop.personal_model.label_transfer import LabelTransfer


def mix_styles(generator: Generator, ws: Tensor, look: Tensor, style: Style) -> Tensor:
    """`ws` [N, num_ws, D] moved towards `look` [N or 1, num_ws, D] by the style's strengths, each group of slots by its
    own."""
    strength = torch.zeros(generator.num_ws, 1, device=ws.device)
    for slots, fader in (
        (generator.coarse_slots, style.coarse),
        (generator.middle_slots, style.middle),
        (generator.fine_slots, style.fine),
    ):
        strength[slots.start : slots.stop] = style.mix * fader
    return torch.lerp(ws, look.expand_as(ws), strength)


_LEARNING_RATE = 0.07
_PRIOR = 0.05
_COLORS = 1.0
_RARITY = 0.1
"""Classes weigh by their area to the power of minus this: brows count, and hair is not given up for them."""
_LEAST_AREA = 4
"""Pixels; a class of fewer weighs no more."""
_NARROWEST = 1e-3
"""Along axes of less than this part of the widest one's deviation nothing moves: they are rounding errors."""


def refine(
    generator: Generator,
    transfer: LabelTransfer,
    ws: Tensor,
    layout: Tensor,
    steps: int,
    precision: Precision = "float32",
    feature_colors: Tensor | None = None,
    colors_of: Tensor | None = None,
) -> Tensor:
    """Refines `ws` [1, num_ws, 512] towards `layout` (int64 [1, r, r] in channels, UNKNOWN_CHANNEL is ignored).

    feature_colors: how to read colours (see `learn_feature_colors`); without it they may change as they like.
    colors_of: `ws` of the picture whose colours are kept (default: the starting one).
    Returns the `ws` of lowest loss, the starting one included, so that it never gets worse by its own score.
    """
    if steps == 0 or not bool((layout != UNKNOWN_CHANNEL).any()):
        return ws
    structural = generator.fine_slots.start
    latents = generator.latents
    start = ws[:, :structural].mean(1)
    apart = ws[:, :structural] - start[:, None]  # what styles mixed into single groups have moved them by
    axes = int((latents.std > _NARROWEST * latents.std[0]).sum())
    coordinates = latents.whiten(start)[:, :axes]
    rest = start - latents.color(coordinates)
    coordinates.requires_grad_()
    weights = _pixel_weights(layout)
    adam = torch.optim.Adam([coordinates], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    best_loss, best = torch.inf, ws

    reader = None if feature_colors is None else ColorReader(transfer, feature_colors)

    def seen(latents: Tensor) -> tuple[Tensor, ClassColors | None]:
        """The class scores, and the classes' colours."""
        with autocast_to(precision, ws.device):
            found = {side: maps.float() for side, maps in transfer.read(generator, latents).items()}
        return (transfer.scores(found), None) if reader is None else reader.seen(found)

    with torch.no_grad():
        _, kept_colors = seen(ws if colors_of is None else colors_of)
    with torch.enable_grad():
        for step in range(steps + 1):
            w = latents.color(coordinates) + rest
            moved = torch.cat((w[:, None] + apart, ws[:, structural:]), 1)
            scores, colors = seen(moved)
            wrong = F.cross_entropy(scores, layout, ignore_index=UNKNOWN_CHANNEL, reduction="none")
            loss = (wrong * weights).sum() + _PRIOR * coordinates.square().mean()
            if colors is not None and kept_colors is not None:
                loss = loss + _COLORS * colors.change_from(kept_colors).sum()
            if loss.item() < best_loss:
                best_loss, best = loss.item(), moved.detach()
            if step < steps:
                adam.zero_grad()
                loss.backward()
                adam.step()
    return best


def _pixel_weights(layout: Tensor) -> Tensor:
    """As `layout`; they add up to 1, pixels of rare classes weigh more, and UNKNOWN_CHANNEL ones nothing."""
    counts = torch.bincount(layout.flatten() - UNKNOWN_CHANNEL)[layout - UNKNOWN_CHANNEL].float()
    weights = torch.where(layout == UNKNOWN_CHANNEL, 0.0, counts.clamp_min(_LEAST_AREA) ** -_RARITY)
    return weights / weights.sum()
